/* Stands in for CUDA's header of the same name, so that the sources of detector/backend/cuda compile as
 * C++ and their kernels run on the CPU: block after block, thread after thread; kernels whose threads
 * cooperate are written for that (kernel.h). What it checks: the kernels' logic, indices and shapes. What it cannot: the
 * device's memory model, its maths library, its speed. Only what those sources use is here. */
#ifndef SUITES_EMULATED_CUDA_CUDA_RUNTIME_H
#define SUITES_EMULATED_CUDA_CUDA_RUNTIME_H

#include <functional>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- the language ---- */
#define __global__
#define __device__
#define __host__

struct emulated_index {
    unsigned x, y, z;
};
extern emulated_index threadIdx, blockIdx, blockDim, gridDim;

/* ---- the runtime ---- */
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorNoDevice = 100,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
struct emulated_stream;
struct emulated_event;
struct emulated_graph;
typedef emulated_stream *cudaStream_t;
typedef emulated_event *cudaEvent_t;
typedef emulated_graph *cudaGraph_t;
typedef emulated_graph *cudaGraphExec_t;
struct cudaDeviceProp {
    char name[256];
    int major, minor, multiProcessorCount;
    size_t totalGlobalMem;
};
#define cudaStreamNonBlocking 1
#define cudaStreamCaptureModeThreadLocal 1
#define cudaEventDisableTiming 2

/* Run `thread` for every thread of every block, once its turn in the stream comes. */
typedef std::function<void()> emulated_work;
void emulate_kernel(cudaStream_t stream, unsigned blocks, unsigned threads,
                    const emulated_work &thread);
/* Anything else that is ordered by the stream. */
cudaError_t emulate_work(cudaStream_t stream, const emulated_work &work);

struct cudaFuncAttributes {
    int maxThreadsPerBlock;
};

const char *cudaGetErrorString(cudaError_t status);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total);
cudaError_t emulated_malloc(void **block, size_t bytes); /* filled with NaN patterns */
cudaError_t cudaFree(void *block);
cudaError_t cudaMallocHost(void **block, size_t bytes);
cudaError_t cudaFreeHost(void *block);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *block, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

cudaError_t emulated_kernel_image();

template <typename T> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *, T *)
{
    return emulated_kernel_image();
}

template <typename T> cudaError_t cudaMalloc(T **block, size_t bytes)
{
    return emulated_malloc((void **)block, bytes);
}

#endif
