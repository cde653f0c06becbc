/* 3 x 3 convolution with stride 1 by Winograd's F(4x4, 3x3) (bodies/winograd.h): a quarter of the
 * multiplications, in 36 small matrix products. Internal to layers/. */
#ifndef DET_LAYERS_CONV2D_WINOGRAD_H
#define DET_LAYERS_CONV2D_WINOGRAD_H

#include "detector/backend/cpu.h"

/* Can it do the shape? Does it do it faster, too? The second depends on n: a layer planned for n
 * images may be run with fewer, so that scratch is planned for what can be. */
int det_conv2d_winograd_can(const struct det_conv2d *shape);
int det_conv2d_winograd_suits(const struct det_conv2d *shape);

/* Bytes of scratch of the product, and of the weights' gradient. */
void det_conv2d_winograd_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                 size_t *shared);
void det_conv2d_winograd_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                          size_t *shared);

/* As det_conv2d_product. With `transposed`, w is the forward convolution's, [c_in, c_out, 3, 3] of
 * this shape, and is read with its channels exchanged, turned by 180 degrees. */
void det_conv2d_winograd(const struct det_cpu *cpu, const struct det_conv2d *shape, const float *x,
                         const float *w, int transposed, const float *bias, int accumulate,
                         float *y);

/* dw += the weights' gradient. */
void det_conv2d_winograd_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                  const float *x, const float *dy, float *dw);

#endif
