/* Nearest-neighbour upsampling to a size (F.interpolate(size=, mode="nearest")), the FPN's top-down
 * path. Needs no scratch. Table entries upsample_forward, upsample_backward. */
#ifndef DET_LAYERS_UPSAMPLE_H
#define DET_LAYERS_UPSAMPLE_H

#include "detector/backend/backend.h"

/* x [n, c, h_in, w_in] -> y [n, c, h_out, w_out]; any sizes. */
void det_upsample_forward(struct det_device *dev, const struct det_upsample *shape, const float *x,
                          float *y);

/* dx gets the sum of dy over the pixels that each source pixel was copied to, in row order. */
void det_upsample_backward(struct det_device *dev, const struct det_upsample *shape,
                           const float *dy, float *dx, int accumulate);

#endif
