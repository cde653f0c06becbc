/* Matrix products by cuBLAS, pinned for reproducibility: one stream, a workspace of its own, no
 * atomics, and a math mode that is set, never guessed. cuBLAS is loaded when the device is opened,
 * so that a program that stays on the CPU neither needs it nor waits for it. */
#ifndef DET_BACKEND_CUDA_GEMM_CUH
#define DET_BACKEND_CUDA_GEMM_CUH

#include "detector/backend/cuda/device.cuh"

enum det_code det_cuda_blas_open(struct det_cuda *cuda, struct det_cuda_blas **out,
                                 struct det_error *err);
void det_cuda_blas_close(struct det_cuda_blas *blas); /* NULL allowed */

const char *det_cuda_blas_name(const struct det_cuda_blas *blas); /* "cuBLAS 13.0.2" */

/* C[m, n] = op(A)[m, k] op(B)[k, n] + beta C, row-major, leading dimensions in elements, as
 * det_gemm on the CPU; ta, tb: 1 = transposed. m, n or k of 0 is allowed. `op` names the caller. */
void det_cuda_gemm(struct det_cuda *cuda, const char *op, int ta, int tb, int m, int n, int k,
                   const float *a, int lda, const float *b, int ldb, float beta, float *c,
                   int ldc);

#endif
