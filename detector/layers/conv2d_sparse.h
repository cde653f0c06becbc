/* A convolution's backward pass where few output positions carry a gradient, as in the RPN, which
 * samples a few hundred anchors: products over those positions only. The others' gradient is
 * exactly zero in every channel, so that nothing is left out. Internal to layers/. */
#ifndef DET_LAYERS_CONV2D_SPARSE_H
#define DET_LAYERS_CONV2D_SPARSE_H

#include "detector/backend/cpu.h"

/* Bytes of scratch. */
void det_conv2d_sparse_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared);

/* dx and dw (either may be NULL) as det_conv2d_input_gradient and det_conv2d_weight_gradient give
 * them. Returns 0, with nothing done, where some image has a gradient at more than a quarter of its
 * positions. */
int det_conv2d_sparse_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                               const float *x, const float *w, const float *dy, float *dx,
                               int accumulate, float *dw);

#endif
