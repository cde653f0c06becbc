/* Memory, copies, errors: the device's part of the table. */
#include "detector/backend/cuda/gemm.cuh"
#include "detector/backend/cuda/launch.cuh"

#include <stdio.h>
#include <stdlib.h>

typedef std::lock_guard<std::recursive_mutex> alone;

std::recursive_mutex &det_cuda_alone()
{
    static std::recursive_mutex mutex;
    return mutex;
}

int det_cuda_check(struct det_cuda *cuda, cudaError_t status, const char *what)
{
    if (status == cudaSuccess)
        return !det_cuda_failed(cuda);
    if (!det_cuda_failed(cuda))
        det_fail(&cuda->first, status == cudaErrorMemoryAllocation ? DET_NO_MEMORY : DET_IO,
                 "cuda: %s: %s (launched last: %s)", what, cudaGetErrorString(status),
                 cuda->last ? cuda->last : "nothing");
    return 0;
}

int det_cuda_may_launch(struct det_cuda *cuda, const char *op, size_t blocks)
{
    if (blocks > 0x7fffffffu && !det_cuda_failed(cuda))
        det_fail(&cuda->first, DET_INVALID, "cuda: %s: %zu blocks are too many for a launch", op,
                 blocks);
    return blocks > 0 && !det_cuda_idle(cuda);
}

void det_cuda_launched(struct det_cuda *cuda, const char *op, size_t blocks, int threads)
{
    char what[160];
    cudaError_t status = cudaGetLastError();
    cuda->last = op;
    if (status == cudaSuccess && cuda->wait_each && !cuda->recording)
        status = cudaStreamSynchronize(cuda->stream);
    if (status == cudaSuccess)
        return;
    snprintf(what, sizeof what, "%s: %zu blocks of %d threads", op, blocks, threads);
    det_cuda_check(cuda, status, what);
}

/* The message of a failed allocation: what for, how much, how much there was. */
static enum det_code no_memory(cudaError_t status, size_t bytes, const char *what,
                               struct det_error *err)
{
    size_t free_bytes = 0;
    size_t total = 0;
    cudaGetLastError(); /* an allocation that fails is no reason to stop launching */
    if (status != cudaErrorMemoryAllocation)
        return det_fail(err, DET_IO, "cuda: %s: %zu bytes: %s", what, bytes,
                        cudaGetErrorString(status));
    cudaMemGetInfo(&free_bytes, &total);
    return det_fail(err, DET_NO_MEMORY,
                    "cuda: %s: %zu bytes asked for, %zu of the device's %zu are free", what, bytes,
                    free_bytes, total);
}

void det_cuda_free_outgrown(struct det_cuda *cuda)
{
    while (cuda->outgrown) {
        struct det_cuda_outgrown *first = cuda->outgrown;
        cuda->outgrown = first->next;
        cudaFree(first->block);
        free(first);
    }
}

/* To make room for larger scratch. A recording has the addresses of the scratch that it was made with,
 * and goes on writing there: that is kept until the last recording is released. */
static int drop_scratch(struct det_cuda *cuda)
{
    if (cuda->recordings > 0 && cuda->scratch) {
        struct det_cuda_outgrown *old = (struct det_cuda_outgrown *)malloc(sizeof *old);
        if (!old) {
            det_fail(&cuda->first, DET_NO_MEMORY, "cuda: scratch");
            return 0;
        }
        old->block = cuda->scratch;
        old->next = cuda->outgrown;
        cuda->outgrown = old;
    } else {
        cudaFree(cuda->scratch);
    }
    cuda->scratch = NULL;
    cuda->scratch_bytes = 0;
    return 1;
}

void *det_cuda_scratch(struct det_cuda *cuda, const char *op, size_t bytes)
{
    if (det_cuda_failed(cuda))
        return NULL;
    if (cuda->measuring) {
        if (bytes > cuda->measured) {
            cuda->measured = bytes;
            cuda->measured_of = op;
        }
        return (void *)(uintptr_t)256;
    }
    if (bytes <= cuda->scratch_bytes)
        return cuda->scratch;
    if (cuda->recording) {
        det_fail(&cuda->first, DET_INVALID, "cuda: %s: %zu bytes of scratch while recording, %zu "
                 "were settled before", op, bytes, cuda->scratch_bytes);
        return NULL;
    }
    void *block = NULL;
    alone until_done(det_cuda_alone());
    if (!det_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), op))
        return NULL;
    if (!drop_scratch(cuda))
        return NULL;
    cudaError_t status = cudaMalloc(&block, bytes);
    if (status != cudaSuccess) {
        char what[96];
        snprintf(what, sizeof what, "scratch of %s", op);
        no_memory(status, bytes, what, &cuda->first);
        return NULL;
    }
    cuda->scratch = (unsigned char *)block;
    cuda->scratch_bytes = bytes;
    return block;
}

void det_cuda_close(struct det_device *dev)
{
    if (!dev)
        return;
    struct det_cuda *cuda = det_cuda_of(dev);
    alone until_done(det_cuda_alone());
    if (cuda->copies)
        cudaStreamDestroy(cuda->copies); /* nothing is in it: its stagings are closed */
    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    det_cuda_blas_close(cuda->blas);
    det_cuda_free_outgrown(cuda);
    cudaFree(cuda->scratch);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    free(cuda);
}

const char *det_cuda_describe(const struct det_device *dev)
{
    return ((const struct det_cuda *)dev)->name;
}

static void name_gpu(struct det_cuda *cuda)
{
    cudaDeviceProp gpu;
    int driver = 0;
    int runtime = 0;
    if (cudaGetDeviceProperties(&gpu, 0) != cudaSuccess ||
        cudaDriverGetVersion(&driver) != cudaSuccess ||
        cudaRuntimeGetVersion(&runtime) != cudaSuccess)
        memset(&gpu, 0, sizeof gpu);
    snprintf(cuda->name, sizeof cuda->name,
             "%.64s, sm_%d%d, %d SMs, CUDA runtime %d.%d, driver %d.%d, %s", gpu.name, gpu.major,
             gpu.minor, gpu.multiProcessorCount, runtime / 1000, runtime % 1000 / 10,
             driver / 1000, driver % 1000 / 10, det_cuda_blas_name(cuda->blas));
}

static enum det_code find_gpu(struct det_error *err)
{
    int n = 0;
    cudaError_t status = cudaGetDeviceCount(&n);
    if (status != cudaSuccess)
        return det_fail(err, DET_UNAVAILABLE, "backend cuda: no GPU can be used here: %s",
                        cudaGetErrorString(status));
    if (n < 1)
        return det_fail(err, DET_UNAVAILABLE, "backend cuda: this machine has no GPU");
    return DET_OK;
}

static __global__ void any_kernel()
{
}

/* A GPU older than all that was built for would refuse the first launch, in the middle of a run. */
static enum det_code check_kernels(struct det_error *err)
{
    cudaFuncAttributes attributes;
    cudaError_t status = cudaFuncGetAttributes(&attributes, any_kernel);
    if (status == cudaSuccess)
        return DET_OK;
    cudaGetLastError(); /* it is told here */
    return det_fail(err, DET_UNAVAILABLE, "backend cuda: built for another GPU (-Dgpu_archs): %s",
                    cudaGetErrorString(status));
}

enum det_code det_cuda_open(int threads, struct det_device **out, struct det_error *err)
{
    (void)threads;
    *out = NULL;
    alone until_done(det_cuda_alone());
    enum det_code code = find_gpu(err);
    if (code != DET_OK)
        return code;
    struct det_cuda *cuda = (struct det_cuda *)calloc(1, sizeof *cuda);
    if (!cuda)
        return det_fail(err, DET_NO_MEMORY, "cuda: device");
    cuda->device.ops = det_cuda_backend();
    cuda->wait_each = getenv("DETCHECK_CUDA_WAIT") != NULL;
    cudaError_t status = cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking);
    if (status == cudaSuccess)
        status = cudaStreamCreateWithFlags(&cuda->copies, cudaStreamNonBlocking);
    if (status != cudaSuccess)
        code = det_fail(err, DET_UNAVAILABLE, "backend cuda: %s", cudaGetErrorString(status));
    if (code == DET_OK)
        code = check_kernels(err);
    if (code == DET_OK)
        code = det_cuda_blas_open(cuda, &cuda->blas, err);
    if (code != DET_OK) {
        det_cuda_close(&cuda->device);
        return code;
    }
    name_gpu(cuda);
    *out = &cuda->device;
    return DET_OK;
}

enum det_code det_cuda_alloc(struct det_device *dev, size_t bytes, const char *what, void **out,
                             struct det_error *err)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    *out = NULL;
    alone until_done(det_cuda_alone());
    cudaError_t status = cudaMalloc(out, bytes ? bytes : 1);
    if (status != cudaSuccess) {
        *out = NULL;
        return no_memory(status, bytes, what, err);
    }
    det_cuda_check(cuda, cudaMemsetAsync(*out, 0, bytes ? bytes : 1, cuda->stream), what);
    return DET_OK;
}

void det_cuda_release(struct det_device *dev, void *block)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    alone until_done(det_cuda_alone());
    cudaStreamSynchronize(cuda->stream);
    cudaFree(block);
}

void det_cuda_upload(struct det_device *dev, void *to, const void *from_host, size_t bytes)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    /* The driver may have taken pageable memory away when the call returns, or may not yet: it is
     * the caller's own again once the stream has come past the copy. */
    if (bytes && !det_cuda_idle(cuda) &&
        det_cuda_check(cuda, cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice,
                                             cuda->stream), "upload"))
        det_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "upload");
}

void det_cuda_download(struct det_device *dev, void *to_host, const void *from, size_t bytes)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (!bytes)
        return;
    if (!det_cuda_failed(cuda) &&
        det_cuda_check(cuda, cudaMemcpyAsync(to_host, from, bytes, cudaMemcpyDeviceToHost,
                                             cuda->stream), "download") &&
        det_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "download"))
        return;
    memset(to_host, 0, bytes); /* defined, and synchronize tells */
}

void det_cuda_zero(struct det_device *dev, void *block, size_t bytes)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (bytes && !det_cuda_idle(cuda))
        det_cuda_check(cuda, cudaMemsetAsync(block, 0, bytes, cuda->stream), "zero");
}

void det_cuda_copy(struct det_device *dev, void *to, const void *from, size_t bytes)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (bytes && !det_cuda_idle(cuda))
        det_cuda_check(cuda, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice,
                                             cuda->stream), "copy");
}

enum det_code det_cuda_synchronize(struct det_device *dev, struct det_error *err)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    if (!det_cuda_failed(cuda))
        det_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "synchronize");
    if (!det_cuda_failed(cuda))
        return DET_OK;
    if (err)
        *err = cuda->first;
    return cuda->first.code;
}

int det_cuda_measure_begin(struct det_device *dev)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    cuda->measuring = 1;
    cuda->measured = 0;
    return 1;
}

enum det_code det_cuda_measure_end(struct det_device *dev, struct det_error *err)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    cuda->measuring = 0;
    if (cuda->measured > 0)
        det_cuda_scratch(cuda, cuda->measured_of, cuda->measured);
    return det_cuda_synchronize(dev, err);
}

/* The sizes are the CPU's. Here each operation knows its own and takes it with det_cuda_scratch. */
enum det_code det_cuda_reserve_scratch(struct det_device *dev, size_t per_worker, size_t shared,
                                       struct det_error *err)
{
    (void)dev;
    (void)per_worker;
    (void)shared;
    (void)err;
    return DET_OK;
}
