#include "detector/backend/cuda/launch.cuh"

#include "detector/backend/cuda/kernel.h"
#include "emulated.h"

#include <malloc.h>
#include <stdlib.h>
#include <vector>

emulated_index threadIdx, blockIdx, blockDim, gridDim;

/* What depends on the order of threads and blocks is a race. */
static const int descending = getenv("DETCHECK_EMULATED_DESCENDING") != NULL;
static cudaError_t last;

static void remember(cudaError_t status)
{
    if (status != cudaSuccess)
        last = status;
}

static unsigned in_order(unsigned i, unsigned n)
{
    return descending ? n - 1 - i : i;
}

void emulate_kernel(cudaStream_t stream, unsigned blocks, unsigned threads,
                    const emulated_work &thread)
{
    if (threads == 0 || threads > 1024 || blocks == 0) {
        last = cudaErrorInvalidValue;
        return;
    }
    remember(emulate_work(stream, [=] {
        gridDim = {blocks, 1, 1};
        blockDim = {threads, 1, 1};
        for (unsigned b = 0; b < blocks; b++)
            for (unsigned t = 0; t < threads; t++) {
                blockIdx = {in_order(b, blocks), 0, 0};
                threadIdx = {in_order(t, threads), 0, 0};
                thread();
            }
    }));
}

/* ---- kernels of cooperating threads (kernel.h) ---- */

#define SHARED_MOST 49152 /* bytes that a block may have without asking for more */

struct schedule {
    det_schedule hooks; /* first */
    int threads;
};

static int next_thread(const det_schedule *hooks, int at)
{
    int threads = ((const schedule *)hooks)->threads;
    return at < threads ? (int)in_order((unsigned)at, (unsigned)threads) : -1;
}

static void barrier(const det_schedule *)
{
}

void det_emulate(det_device *dev, const det_emulated_kernel *kernel, int blocks,
                            const void *args)
{
    if (!det_cuda_may_launch(det_cuda_of(dev), kernel->name, (size_t)blocks))
        return;
    std::vector<char> copy((const char *)args, (const char *)args + kernel->args_bytes);
    if (kernel->shared_bytes > SHARED_MOST)
        remember(cudaErrorInvalidValue);
    remember(emulate_work(det_cuda_of(dev)->stream, [=] {
        schedule s = {{next_thread, barrier}, kernel->threads};
        std::vector<char> shared(kernel->shared_bytes + 16);
        for (int i = 0; i < blocks; i++) {
            det_block b = {(int)in_order((unsigned)i, (unsigned)blocks), blocks, kernel->threads,
                           &s.hooks};
            memset(shared.data(), 0xff, shared.size());
            kernel->run(&b, copy.data(), shared.data());
        }
    }));
    det_cuda_launched(det_cuda_of(dev), kernel->name, (size_t)blocks, kernel->threads);
}

void *det_kernel_scratch(det_device *dev, const char *op, size_t bytes)
{
    return det_cuda_scratch(det_cuda_of(dev), op, bytes);
}

/* ---- the runtime ---- */

long emulated_setting(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static size_t taken; /* of the device's memory */

/* Bytes of the device: DETCHECK_EMULATED_MEMORY. */
static size_t memory()
{
    static const size_t bytes = (size_t)emulated_setting("DETCHECK_EMULATED_MEMORY", 1L << 33);
    return bytes;
}

const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaSuccess                 ? "no error"
           : status == cudaErrorMemoryAllocation ? "out of memory"
           : status == cudaErrorNoDevice         ? "no CUDA-capable device is detected"
           : status == cudaErrorLaunchFailure    ? "unspecified launch failure"
           : status == cudaErrorNoKernelImageForDevice
               ? "no kernel image is available for execution on the device"
           : status == cudaErrorInvalidResourceHandle ? "invalid resource handle"
           : status == cudaErrorStreamCaptureUnsupported
               ? "operation not permitted when stream is capturing"
           : status == cudaErrorStreamCaptureInvalidated
               ? "operation failed due to a previous error during capture"
               : "invalid value";
}

cudaError_t cudaGetLastError()
{
    cudaError_t status = last;
    last = cudaSuccess;
    return status;
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int)
{
    *prop = {"emulated", 0, 0, 1, (size_t)1 << 34};
    return cudaSuccess;
}

/* DETCHECK_EMULATED_OLD: a GPU that no kernel was built for. */
cudaError_t emulated_kernel_image()
{
    return getenv("DETCHECK_EMULATED_OLD") ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 0;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = 0;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    *total = memory();
    *free_bytes = memory() - taken;
    return cudaSuccess;
}

static std::set<void *> blocks;

const std::set<void *> &emulated_blocks()
{
    return blocks;
}

cudaError_t emulated_malloc(void **block, size_t bytes)
{
    *block = NULL;
    cudaError_t status = emulated_allowed();
    if (status != cudaSuccess)
        return status;
    if (bytes > memory() - taken)
        return cudaErrorMemoryAllocation;
    if (posix_memalign(block, 256, bytes) != 0) /* exactly as many: a sanitizer sees one more */
        return cudaErrorMemoryAllocation;
    taken += malloc_usable_size(*block);
    memset(*block, 0xff, bytes);
    blocks.insert(*block);
    return cudaSuccess;
}

/* Waits for the device, as CUDA's does. */
cudaError_t cudaFree(void *block)
{
    cudaError_t status = emulated_allowed();
    emulated_finish();
    taken -= block ? malloc_usable_size(block) : 0;
    blocks.erase(block);
    emulated_block_freed(block);
    free(block);
    return status;
}

/* DETCHECK_EMULATED_PINNED: bytes of host memory that can be pinned at once. */
cudaError_t cudaMallocHost(void **block, size_t bytes)
{
    static const long most = emulated_setting("DETCHECK_EMULATED_PINNED", 1L << 33);
    cudaError_t status = emulated_allowed();
    *block = NULL;
    if (status != cudaSuccess)
        return status;
    if (bytes > (size_t)most || posix_memalign(block, 256, bytes) != 0)
        return cudaErrorMemoryAllocation;
    memset(*block, 0xff, bytes);
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *block)
{
    cudaError_t status = emulated_allowed();
    emulated_finish();
    free(block);
    return status;
}

/* DETCHECK_EMULATED_DOWNLOADS: how many there are before the device is lost. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    static long left = emulated_setting("DETCHECK_EMULATED_DOWNLOADS", -1);
    cudaError_t status = kind == cudaMemcpyDeviceToDevice ? cudaSuccess : emulated_allowed();
    if (kind == cudaMemcpyDeviceToHost) {
        if (left == 0)
            emulated_lose_device();
        left -= left > 0;
    }
    return status == cudaSuccess ? emulate_work(stream, [=] { memcpy(to, from, bytes); }) : status;
}

cudaError_t cudaMemsetAsync(void *block, int value, size_t bytes, cudaStream_t stream)
{
    return emulate_work(stream, [=] { memset(block, value, bytes); });
}
