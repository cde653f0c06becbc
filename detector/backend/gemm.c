#include "detector/backend/gemm.h"

#include <cblas.h>
#include <stddef.h>

void det_gemm_use_one_thread(void)
{
    openblas_set_num_threads(1);
}

static void scale(int m, int n, float beta, float *c, int ldc)
{
    for (int i = 0; i < m; i++) {
        float *row = c + (size_t)i * (size_t)ldc;
        for (int j = 0; j < n; j++)
            row[j] = beta == 0.0f ? 0.0f : beta * row[j];
    }
}

void det_gemm(enum det_transpose ta, enum det_transpose tb, int m, int n, int k, float alpha,
              const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    if (m == 0 || n == 0)
        return;
    if (k == 0) {
        scale(m, n, beta, c, ldc);
        return;
    }
    cblas_sgemm(CblasRowMajor, ta == DET_TRANSPOSE ? CblasTrans : CblasNoTrans,
                tb == DET_TRANSPOSE ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda, b, ldb,
                beta, c, ldc);
}

const char *det_gemm_core(void)
{
    return openblas_get_corename();
}

const char *det_gemm_config(void)
{
    return openblas_get_config();
}
