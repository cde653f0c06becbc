/* Launchers. Every kernel of this backend is started here, or by DET_RUN (kernel.h), which comes here: the
 * emulation of the suites runs the same kernels on the CPU by replacing DET_START.
 *
 * det_cuda_each     an element-wise body: one thread an element, no cooperation
 * DET_RUN           a kernel whose threads cooperate */
#ifndef DET_BACKEND_CUDA_LAUNCH_CUH
#define DET_BACKEND_CUDA_LAUNCH_CUH

#include "detector/backend/cuda/device.cuh"

#define DET_CUDA_THREADS 256

#ifdef __CUDACC__
#define DET_START(kernel, blocks, threads, stream, ...)                                            \
    kernel<<<(unsigned)(blocks), (unsigned)(threads), 0, stream>>>(__VA_ARGS__)
#else
#define DET_START(kernel, blocks, threads, stream, ...)                                            \
    emulate_kernel(stream, (unsigned)(blocks), (unsigned)(threads), [=] { kernel(__VA_ARGS__); })
#endif

/* Before and after a launch: nothing is started once something failed, or for no blocks. */
int det_cuda_may_launch(struct det_cuda *cuda, const char *op, size_t blocks);
void det_cuda_launched(struct det_cuda *cuda, const char *op, size_t blocks, int threads);

#define DET_LAUNCH_BLOCKS(cuda, op, kernel, blocks, threads, ...)                                  \
    do {                                                                                           \
        if (det_cuda_may_launch(cuda, op, (size_t)(blocks))) {                                     \
            DET_START(kernel, blocks, threads, (cuda)->stream, __VA_ARGS__);                       \
            det_cuda_launched(cuda, op, (size_t)(blocks), threads);                                \
        }                                                                                          \
    } while (0)

static inline size_t det_cuda_blocks(size_t n, size_t per_block)
{
    return (n + per_block - 1) / per_block;
}

template <typename Body> __global__ void det_cuda_each_kernel(size_t n, Body body)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        body(i);
}

/* body(i) for every i < n, in any order. Body: `[=] __device__(size_t i) { ... }`, or a struct. */
template <typename Body>
void det_cuda_each(struct det_cuda *cuda, const char *op, size_t n, Body body)
{
    DET_LAUNCH_BLOCKS(cuda, op, det_cuda_each_kernel, det_cuda_blocks(n, DET_CUDA_THREADS),
                      DET_CUDA_THREADS, n, body);
}

#endif
