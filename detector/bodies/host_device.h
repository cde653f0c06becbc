/* Marks a body: arithmetic written once, looped over on the CPU and launched on the GPU.
 * A body is a pure inline function of scalars (or of one element's inputs); it allocates nothing,
 * calls no library but <math.h>, and stays in float unless its comment says otherwise. */
#ifndef DET_BODIES_HOST_DEVICE_H
#define DET_BODIES_HOST_DEVICE_H

#ifdef __CUDACC__
#define DET_BODY static inline __host__ __device__
#else
#define DET_BODY static inline
#endif

#endif
