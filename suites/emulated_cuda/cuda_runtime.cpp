#include "detector/backend/cuda/launch.cuh"

#include "detector/backend/cuda/kernel.h"

#include <malloc.h>
#include <stdlib.h>
#include <vector>

emulated_index threadIdx, blockIdx, blockDim, gridDim;

typedef std::function<void()> work;

/* Threads and blocks take turns; a step of a graph is what would be on the stream. */
struct emulated_graph {
    std::vector<work> steps;
};

static emulated_graph *recording;
/* What depends on the order of threads and blocks is a race. */
static const int descending = getenv("DETCHECK_EMULATED_DESCENDING") != NULL;
static cudaError_t last;

void emulate_work(const work &step)
{
    if (recording)
        recording->steps.push_back(step);
    else
        step();
}

static unsigned in_order(unsigned i, unsigned n)
{
    return descending ? n - 1 - i : i;
}

void emulate_kernel(unsigned blocks, unsigned threads, const work &thread)
{
    if (threads == 0 || threads > 1024 || blocks == 0) {
        last = cudaErrorInvalidValue;
        return;
    }
    emulate_work([=] {
        gridDim = {blocks, 1, 1};
        blockDim = {threads, 1, 1};
        for (unsigned b = 0; b < blocks; b++)
            for (unsigned t = 0; t < threads; t++) {
                blockIdx = {in_order(b, blocks), 0, 0};
                threadIdx = {in_order(t, threads), 0, 0};
                thread();
            }
    });
}

/* ---- kernels of cooperating threads (kernel.h) ---- */

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
    emulate_work([=] {
        schedule s = {{next_thread, barrier}, kernel->threads};
        std::vector<char> shared(kernel->shared_bytes + 16);
        for (int i = 0; i < blocks; i++) {
            det_block b = {(int)in_order((unsigned)i, (unsigned)blocks), blocks, kernel->threads,
                           &s.hooks};
            memset(shared.data(), 0xff, shared.size());
            kernel->run(&b, copy.data(), shared.data());
        }
    });
    det_cuda_launched(det_cuda_of(dev), kernel->name, (size_t)blocks, kernel->threads);
}

void *det_kernel_scratch(det_device *dev, const char *op, size_t bytes)
{
    return det_cuda_scratch(det_cuda_of(dev), op, bytes);
}

/* ---- the runtime ---- */

/* A number from the environment; `otherwise` where it is not set. */
static long setting(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static size_t taken; /* of the device's memory */

/* Bytes of the device: DETCHECK_EMULATED_MEMORY. */
static size_t memory()
{
    static const size_t bytes = (size_t)setting("DETCHECK_EMULATED_MEMORY", 1L << 33);
    return bytes;
}

const char *cudaGetErrorString(cudaError_t status)
{
    return status == cudaSuccess                 ? "no error"
           : status == cudaErrorMemoryAllocation ? "out of memory"
           : status == cudaErrorNoDevice         ? "no CUDA-capable device is detected"
           : status == cudaErrorLaunchFailure    ? "unspecified launch failure"
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

cudaError_t emulated_malloc(void **block, size_t bytes)
{
    *block = NULL;
    if (bytes > memory() - taken)
        return cudaErrorMemoryAllocation;
    if (posix_memalign(block, 256, bytes) != 0) /* exactly as many: a sanitizer sees one more */
        return cudaErrorMemoryAllocation;
    taken += malloc_usable_size(*block);
    memset(*block, 0xff, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *block)
{
    taken -= block ? malloc_usable_size(block) : 0;
    free(block);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t)
{
    emulate_work([=] { memcpy(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *block, int value, size_t bytes, cudaStream_t)
{
    emulate_work([=] { memset(block, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = (cudaStream_t)malloc(1);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, int)
{
    recording = new emulated_graph;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
    *graph = recording;
    recording = NULL;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned)
{
    *exec = new emulated_graph(*graph);
    return cudaSuccess;
}

/* DETCHECK_EMULATED_REPLAYS: how many there are before the device is lost, for good. */
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
    static long left = setting("DETCHECK_EMULATED_REPLAYS", -1);
    if (left == 0)
        return cudaErrorLaunchFailure;
    left -= left > 0;
    for (const work &step : exec->steps)
        step();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}
