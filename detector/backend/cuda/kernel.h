/* Kernels as C that both nvcc and a host compiler take: the same source runs on the GPU and, for
 * the tests, on the CPU (suites/emulated_device.h).
 *
 * A kernel is written for a whole block. It runs through *regions*: DET_EACH_THREAD(b, t) { ... }
 * is run once by each thread t of the block, and ends with a barrier. On the GPU all threads are in
 * the region at once; on the host they take turns, in an order that the test chooses. So, as on any
 * GPU:
 *  - within a region no thread may read what another one writes, but for the atomics below;
 *  - what stands between regions (loop counters, branches on arguments) must come out the same for
 *    every thread: what the kernel itself writes it may read only with det_uniform_*, which end with
 *    a barrier, so that no thread is already writing there;
 *  - `break` and `return` may not leave a region: they would leave out its barrier. `continue` ends
 *    the thread's turn.
 *
 *     struct sum_shared { int32_t partial[DET_WIDE]; };
 *     DET_BLOCK_BODY void sum(const struct det_block *b, const struct sum_args *a,
 *                             struct sum_shared *s) { DET_EACH_THREAD(b, t) ... }
 *     DET_KERNEL(sum, struct sum_args, struct sum_shared, DET_WIDE)
 *     ...
 *     DET_RUN(dev, sum, blocks, &args);
 *
 * Files that hold kernels keep to what C11 and C++17 share: no compound literals, no designated
 * initialisers, no conversion from void * without a cast. */
#ifndef DET_BACKEND_CUDA_KERNEL_H
#define DET_BACKEND_CUDA_KERNEL_H

#include "detector/bodies/host_device.h"

#include <stddef.h>
#include <stdint.h>

#define DET_NARROW 256 /* threads of a block where blocks are many */
#define DET_WIDE 1024  /* where one block works alone */

#ifdef __CUDACC__
#define DET_BLOCK_BODY static inline __device__ /* of all threads of a block together */
#else
#define DET_BLOCK_BODY static inline
#endif

/* How the host runs a block's threads; unused on the GPU. */
struct det_schedule {
    /* The at-th thread to enter a region (at = 0, 1, ...), or -1 when the region is over. */
    int (*next)(const struct det_schedule *schedule, int at);
    void (*barrier)(const struct det_schedule *schedule);
};

struct det_block {
    int index;   /* 0 .. blocks - 1 */
    int blocks;  /* of the grid */
    int threads; /* a power of two */
    const struct det_schedule *schedule;
};

#ifdef __CUDA_ARCH__
#define DET_EACH_THREAD(b, t)                                                                      \
    for (int t = (int)threadIdx.x, t##_turn = 1; t##_turn; t##_turn = 0, __syncthreads())
#else
#define DET_EACH_THREAD(b, t)                                                                      \
    for (int t##_turn = 0, t; (t = (b)->schedule->next((b)->schedule, t##_turn)) >= 0; t##_turn++)
#endif

DET_BLOCK_BODY void det_block_barrier(const struct det_block *b)
{
#ifdef __CUDA_ARCH__
    (void)b;
    __syncthreads();
#else
    b->schedule->barrier(b->schedule);
#endif
}

/* A value for code between regions: every thread gets the same. */
#define DET_UNIFORM(type, name)                                                                    \
    DET_BLOCK_BODY type det_uniform_##name(const struct det_block *b, const type *from)            \
    {                                                                                              \
        type value = *from;                                                                        \
        det_block_barrier(b);                                                                      \
        return value;                                                                              \
    }
DET_UNIFORM(int32_t, int)
DET_UNIFORM(float, float)
DET_UNIFORM(double, double)

/* Integer atomics, whose result does not depend on the order. There are none for floats. */
DET_BLOCK_BODY int32_t det_atomic_add(int32_t *to, int32_t value) /* returns what was there */
{
#ifdef __CUDA_ARCH__
    return atomicAdd(to, value);
#else
    return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
#endif
}

DET_BLOCK_BODY void det_atomic_or(uint32_t *to, uint32_t bits)
{
#ifdef __CUDA_ARCH__
    atomicOr(to, bits);
#else
    __atomic_fetch_or(to, bits, __ATOMIC_RELAXED);
#endif
}

DET_BLOCK_BODY void det_atomic_max(uint32_t *to, uint32_t value)
{
#ifdef __CUDA_ARCH__
    atomicMax(to, value);
#else
    uint32_t there = __atomic_load_n(to, __ATOMIC_RELAXED);
    while (there < value &&
           !__atomic_compare_exchange_n(to, &there, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
#endif
}

/* For kernels without shared memory. */
struct det_no_shared {
    char unused;
};

#ifdef __CUDACC__

#include "detector/backend/cuda/launch.cuh"

/* Makes name##_kernel of name(const struct det_block *, const args_type *, shared_type *). */
#define DET_KERNEL(name, args_type, shared_type, n_threads)                                        \
    enum { name##_threads = n_threads };                                                           \
    static __global__ void __launch_bounds__(n_threads)                                            \
        name##_kernel(const __grid_constant__ args_type args)                                      \
    {                                                                                              \
        __shared__ shared_type shared;                                                             \
        struct det_block b = {(int)blockIdx.x, (int)gridDim.x, n_threads, 0};                      \
        name(&b, &args, &shared);                                                                  \
    }

/* Start the kernel in the device's stream: `blocks` of them, none allowed, with *args. */
#define DET_RUN(dev, name, n_blocks, args)                                                         \
    DET_LAUNCH_BLOCKS(det_cuda_of(dev), #name, name##_kernel, n_blocks, name##_threads, *(args))

/* Device memory that an operation works in: `bytes`, contents undefined, until the next operation
 * asks. NULL after a failure: then nothing is launched either. */
static inline void *det_kernel_scratch(struct det_device *dev, const char *op, size_t bytes)
{
    return det_cuda_scratch(det_cuda_of(dev), op, bytes);
}

#else

struct det_device;

/* A kernel as the host launches it. */
struct det_emulated_kernel {
    const char *name;
    int threads;
    size_t shared_bytes, args_bytes;
    void (*run)(const struct det_block *b, const void *args, void *shared);
};

/* To be given by whoever includes the kernels (suites/emulated_device.h). */
void det_emulate(struct det_device *dev, const struct det_emulated_kernel *kernel, int blocks,
                 const void *args);
void *det_kernel_scratch(struct det_device *dev, const char *op, size_t bytes);

#define DET_KERNEL(name, args_type, shared_type, n_threads)                                        \
    static void name##_run(const struct det_block *b, const void *args, void *shared)              \
    {                                                                                              \
        name(b, (const args_type *)args, (shared_type *)shared);                                   \
    }                                                                                              \
    static const struct det_emulated_kernel name##_kernel = {#name, n_threads,                     \
                                                             sizeof(shared_type),              \
                                                             sizeof(args_type), name##_run};

#define DET_RUN(dev, name, n_blocks, args) det_emulate(dev, &name##_kernel, n_blocks, args)

#endif

/* ceil(n / size): blocks that cover n. */
static inline int det_blocks_of(int n, int size)
{
    return (int)(((int64_t)n + size - 1) / size);
}

#endif
