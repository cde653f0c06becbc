/* Convolution as matrix products: w [c_out, window] times the windows [window, columns], tile by
 * tile. Internal to layers/. */
#ifndef DET_LAYERS_CONV2D_PRODUCT_H
#define DET_LAYERS_CONV2D_PRODUCT_H

#include "detector/backend/cpu.h"

/* Bytes of scratch that a worker needs. */
size_t det_conv2d_product_scratch(const struct det_conv2d *shape);

/* y = conv(x, w) + bias, rectified if shape says so; or y += conv(x, w) with `accumulate` (then
 * without bias and relu). */
void det_conv2d_product(const struct det_cpu *cpu, const struct det_conv2d *shape, const float *x,
                        const float *w, const float *bias, int accumulate, float *y);

#endif
