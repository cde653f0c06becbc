/* The two halves of a convolution's backward pass. Internal to layers/. */
#ifndef DET_LAYERS_CONV2D_GRADIENT_H
#define DET_LAYERS_CONV2D_GRADIENT_H

#include "detector/backend/cpu.h"

/* Bytes of scratch. */
void det_conv2d_input_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                       size_t *shared);
void det_conv2d_weight_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                        size_t *shared);

/* dx = (or +=) the transpose of the convolution, applied to dy. */
void det_conv2d_input_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                               const float *w, const float *dy, float *dx, int accumulate);

/* dw += dy times the windows' transpose, summed over the images in order. */
void det_conv2d_weight_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                const float *x, const float *dy, float *dw);

#endif
