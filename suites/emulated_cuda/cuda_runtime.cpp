#include "detector/backend/cuda/launch.cuh"

#include "detector/backend/cuda/kernel.h"

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
static int failure_in;
static cudaError_t failure;
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

void emulate_failure(int calls_from_now, cudaError_t status)
{
    failure_in = calls_from_now;
    failure = status;
}

static cudaError_t status_now()
{
    if (failure_in > 0 && --failure_in == 0) {
        failure_in = 1; /* for ever: a lost device stays lost */
        return failure;
    }
    return cudaSuccess;
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
    return status != cudaSuccess ? status : status_now();
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
    *free_bytes = (size_t)1 << 33;
    *total = (size_t)1 << 34;
    return cudaSuccess;
}

cudaError_t emulated_malloc(void **block, size_t bytes)
{
    cudaError_t status = status_now();
    *block = NULL;
    if (status != cudaSuccess)
        return status;
    if (bytes > (size_t)1 << 33)
        return cudaErrorMemoryAllocation;
    *block = aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (!*block)
        return cudaErrorMemoryAllocation;
    memset(*block, 0xff, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *block)
{
    free(block);
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **block, size_t bytes)
{
    return emulated_malloc(block, bytes);
}

cudaError_t cudaFreeHost(void *block)
{
    return cudaFree(block);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t)
{
    emulate_work([=] { memcpy(to, from, bytes); });
    return status_now();
}

cudaError_t cudaMemsetAsync(void *block, int value, size_t bytes, cudaStream_t)
{
    emulate_work([=] { memset(block, value, bytes); });
    return status_now();
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
    return status_now();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned)
{
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = (cudaEvent_t)malloc(1);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    free(event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t)
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

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
    for (const work &step : exec->steps)
        step();
    return status_now();
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
