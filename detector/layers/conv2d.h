/* 2-D convolution (cross-correlation, as torch's conv2d). Table entries conv2d_forward,
 * conv2d_backward. */
#ifndef DET_LAYERS_CONV2D_H
#define DET_LAYERS_CONV2D_H

#include "detector/backend/backend.h"

/* Scratch of forward and backward, in bytes. */
void det_conv2d_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared);

/* x [n, c_in, h_in, w_in], w [c_out, c_in, kernel, kernel], bias [c_out] or NULL ->
 * y [n, c_out, h_out, w_out]. Images from *count on are left alone. */
void det_conv2d_forward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                        const float *w, const float *bias, float *y);

/* y is needed with relu only. dw, dbias accumulate; dx overwrites unless `accumulate`; each may be
 * NULL. */
void det_conv2d_backward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                         const float *w, const float *y, float *dy, float *dx, int accumulate,
                         float *dw, float *dbias);

#endif
