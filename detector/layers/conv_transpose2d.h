/* Transposed convolution, kernel 2, stride 2: the mask predictor's upsampling. Its output blocks
 * do not overlap, so that it is one matrix product and an interleaving. Table entries
 * conv_transpose2d_forward, conv_transpose2d_backward. */
#ifndef DET_LAYERS_CONV_TRANSPOSE2D_H
#define DET_LAYERS_CONV_TRANSPOSE2D_H

#include "detector/backend/backend.h"

/* Scratch of forward and backward, in bytes. */
void det_conv_transpose2d_scratch(const struct det_conv_transpose2d *shape, size_t *per_worker,
                                  size_t *shared);

/* x [n, c_in, h_in, w_in], w [c_in, c_out, 2, 2], bias [c_out] or NULL -> y [n, c_out, 2 h_in,
 * 2 w_in]. Images from *count on are left alone. */
void det_conv_transpose2d_forward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                  const float *x, const float *w, const float *bias, float *y);

/* y is needed with relu only. dw, dbias accumulate; dx overwrites unless `accumulate`; each may be
 * NULL. */
void det_conv_transpose2d_backward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                   const float *x, const float *w, const float *y, float *dy,
                                   float *dx, int accumulate, float *dw, float *dbias);

#endif
