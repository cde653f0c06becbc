/* Matrix product on the calling thread. The only way to OpenBLAS, which is told to use one thread:
 * parallelism is our own workers', so that bits do not depend on their number. */
#ifndef DET_BACKEND_GEMM_H
#define DET_BACKEND_GEMM_H

/* To be called once before the first product; the CPU device's `open` does. */
void det_gemm_use_one_thread(void);

enum det_transpose { DET_NO_TRANSPOSE, DET_TRANSPOSE };

/* C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, row-major, leading dimensions in elements.
 * m, n or k of 0 is allowed (k = 0 scales C by beta). beta = 0 overwrites, also NaN. */
void det_gemm(enum det_transpose ta, enum det_transpose tb, int m, int n, int k, float alpha,
              const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* Name of OpenBLAS's kernel set ("Haswell", "SkylakeX") and its version line, for the log. */
const char *det_gemm_core(void);
const char *det_gemm_config(void);

#endif
