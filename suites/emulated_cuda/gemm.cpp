/* detector/backend/cuda/gemm.cu's place in the emulation: OpenBLAS computes what cuBLAS would. */
#include "detector/backend/cuda/gemm.cuh"

extern "C" {
#include "detector/backend/gemm.h"
}

enum det_code det_cuda_blas_open(struct det_cuda *, struct det_cuda_blas **out, struct det_error *)
{
    det_gemm_use_one_thread();
    *out = NULL;
    return DET_OK;
}

void det_cuda_blas_close(struct det_cuda_blas *)
{
}

const char *det_cuda_blas_name(const struct det_cuda_blas *)
{
    return "OpenBLAS";
}

/* Operands come rounded, sums are float32: the same product whatever the type. */
enum det_code det_cuda_set_products(struct det_device *, enum det_products, struct det_error *)
{
    return DET_OK;
}

void det_cuda_gemm(struct det_cuda *cuda, const char *op, int ta, int tb, int m, int n, int k,
                   const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    cuda->last = op;
    if (det_cuda_idle(cuda))
        return;
    cudaError_t status = emulate_work(cuda->stream, [=] {
        det_gemm(ta ? DET_TRANSPOSE : DET_NO_TRANSPOSE, tb ? DET_TRANSPOSE : DET_NO_TRANSPOSE, m, n,
                 k, 1.0f, a, lda, b, ldb, beta, c, ldc);
    });
    det_cuda_check(cuda, status, op);
}
