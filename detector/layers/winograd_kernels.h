/* A convolution's 3 x 3 kernels to and from Winograd's points. Internal to layers/. */
#ifndef DET_LAYERS_WINOGRAD_KERNELS_H
#define DET_LAYERS_WINOGRAD_KERNELS_H

#include "detector/backend/cpu.h"
#include "detector/bodies/winograd.h"

/* Floats from one of the 36 points' matrices to the next, rows x columns each: not a power of two,
 * so that the points do not fight for one cache set. */
static inline size_t det_winograd_stride(int rows, int columns)
{
    return (size_t)rows * (size_t)columns + DET_WINOGRAD_CHANNELS;
}

/* points [36][c_in, c_out] = G g G^T of the shape's kernels. w is [c_out, c_in, 3, 3], or with
 * `transposed` [c_in, c_out, 3, 3], and then turned by 180 degrees. Both channel counts are
 * multiples of DET_WINOGRAD_CHANNELS. */
void det_winograd_transform_kernels(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                    const float *w, int transposed, float *points);

/* dw [c_out, c_in, 3, 3] += G^T u G of points [36][c_in, c_out]. */
void det_winograd_add_kernel_gradients(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                       const float *points, float *dw);

#endif
