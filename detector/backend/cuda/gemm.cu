#include "detector/backend/cuda/gemm.cuh"

#include <cublas_v2.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKSPACE ((size_t)32 << 20) /* what cuBLAS wants on the newest architectures */

typedef cublasStatus_t gemm_entry(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n,
                                  int k, const void *alpha, const void *a, cudaDataType a_type,
                                  int lda, const void *b, cudaDataType b_type, int ldb,
                                  const void *beta, void *c, cudaDataType c_type, int ldc,
                                  cublasComputeType_t compute, cublasGemmAlgo_t algo);

/* The entries used, with the types of cublas_v2.h (where cublasGemmEx is overloaded). */
struct det_cuda_blas {
    void *library;
    decltype(&cublasCreate_v2) create;
    decltype(&cublasDestroy_v2) destroy;
    decltype(&cublasSetStream_v2) set_stream;
    decltype(&cublasSetWorkspace_v2) set_workspace;
    decltype(&cublasSetMathMode) set_math_mode;
    decltype(&cublasSetAtomicsMode) set_atomics_mode;
    gemm_entry *gemm;
    decltype(&cublasGetStatusString) text;
    decltype(&cublasGetVersion_v2) version;
    cublasHandle_t handle;
    void *workspace;
    cublasComputeType_t compute;
    char name[32];
};

static int find(struct det_cuda_blas *blas, const char *name, void *entry)
{
    void *symbol = dlsym(blas->library, name);
    memcpy(entry, &symbol, sizeof symbol);
    return symbol != NULL;
}

static enum det_code load(struct det_cuda_blas *blas, struct det_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "libcublas.so.%d", CUBLAS_VER_MAJOR);
    /* Never unloaded: the driver keeps kernels of it for as long as the process lives. */
    blas->library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!blas->library)
        return det_fail(err, DET_UNAVAILABLE, "backend cuda: %s", dlerror());
    if (find(blas, "cublasCreate_v2", &blas->create) &&
        find(blas, "cublasDestroy_v2", &blas->destroy) &&
        find(blas, "cublasSetStream_v2", &blas->set_stream) &&
        find(blas, "cublasSetWorkspace_v2", &blas->set_workspace) &&
        find(blas, "cublasSetMathMode", &blas->set_math_mode) &&
        find(blas, "cublasSetAtomicsMode", &blas->set_atomics_mode) &&
        find(blas, "cublasGemmEx", &blas->gemm) &&
        find(blas, "cublasGetStatusString", &blas->text) &&
        find(blas, "cublasGetVersion_v2", &blas->version))
        return DET_OK;
    return det_fail(err, DET_UNAVAILABLE, "backend cuda: %s lacks an entry that is needed", name);
}

static enum det_code pin(struct det_cuda_blas *blas, cudaStream_t stream, struct det_error *err)
{
    cublasStatus_t status = blas->create(&blas->handle);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->set_stream(blas->handle, stream);
    if (status == CUBLAS_STATUS_SUCCESS) /* after the stream, which resets it */
        status = blas->set_workspace(blas->handle, blas->workspace, WORKSPACE);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->set_math_mode(
            blas->handle, (cublasMath_t)(CUBLAS_DEFAULT_MATH |
                                         CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->set_atomics_mode(blas->handle, CUBLAS_ATOMICS_NOT_ALLOWED);
    int version = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
        status = blas->version(blas->handle, &version);
    if (status != CUBLAS_STATUS_SUCCESS)
        return det_fail(err, DET_UNAVAILABLE, "backend cuda: cuBLAS: %s", blas->text(status));
    snprintf(blas->name, sizeof blas->name, "cuBLAS %d", version);
    return DET_OK;
}

enum det_code det_cuda_blas_open(struct det_cuda *cuda, struct det_cuda_blas **out,
                                 struct det_error *err)
{
    struct det_cuda_blas *blas = (struct det_cuda_blas *)calloc(1, sizeof *blas);
    *out = blas;
    if (!blas)
        return det_fail(err, DET_NO_MEMORY, "cuda: cuBLAS");
    blas->compute = CUBLAS_COMPUTE_32F;
    enum det_code code = load(blas, err);
    if (code == DET_OK)
        code = det_cuda_alloc(&cuda->device, WORKSPACE, "cuBLAS's workspace", &blas->workspace, err);
    return code == DET_OK ? pin(blas, cuda->stream, err) : code;
}

void det_cuda_blas_close(struct det_cuda_blas *blas)
{
    if (!blas)
        return;
    if (blas->handle)
        blas->destroy(blas->handle);
    cudaFree(blas->workspace);
    if (blas->library)
        dlclose(blas->library);
    free(blas);
}

const char *det_cuda_blas_name(const struct det_cuda_blas *blas)
{
    return blas->name;
}

enum det_code det_cuda_set_products(struct det_device *dev, enum det_products products,
                                    struct det_error *err)
{
    static const cublasComputeType_t types[] = {
        CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_16BF,
        CUBLAS_COMPUTE_32F_FAST_16F}; /* in the order of enum det_products */
    (void)err;
    det_cuda_of(dev)->blas->compute = types[products];
    return DET_OK;
}

/* cuBLAS is column-major: it is asked for C^T = op(B)^T op(A)^T. */
void det_cuda_gemm(struct det_cuda *cuda, const char *op, int ta, int tb, int m, int n, int k,
                   const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
    const struct det_cuda_blas *blas = cuda->blas;
    const float alpha = 1.0f;
    if (m == 0 || n == 0 || det_cuda_idle(cuda))
        return;
    cublasStatus_t status = blas->gemm(
        blas->handle, tb ? CUBLAS_OP_T : CUBLAS_OP_N, ta ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k,
        &alpha, b, CUDA_R_32F, ldb, a, CUDA_R_32F, lda, &beta, c, CUDA_R_32F, ldc, blas->compute,
        CUBLAS_GEMM_DEFAULT);
    cuda->last = op;
    if (status != CUBLAS_STATUS_SUCCESS)
        det_fail(&cuda->first, DET_IO, "cuda: %s: product of %d x %d by %d x %d: %s", op, m, k, k,
                 n, blas->text(status));
    else if (cuda->wait_each && !cuda->recording)
        det_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), op);
}
