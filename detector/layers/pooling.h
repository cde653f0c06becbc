/* Max pooling. Needs no scratch. Table entries max_pool2d_forward, max_pool2d_backward. */
#ifndef DET_LAYERS_POOLING_H
#define DET_LAYERS_POOLING_H

#include "detector/backend/backend.h"

/* x [n, c, h_in, w_in] -> y, argmax [n, c, h_out, w_out]. Padding never wins; argmax is the first
 * maximum's h * w_in + w. A NaN in the window wins, as in torch: it is not to be hidden. */
void det_max_pool2d_forward(struct det_device *dev, const struct det_pool2d *shape, const float *x,
                            float *y, int32_t *argmax);

/* dx[argmax] gets dy, summed in row order over overlapping windows. */
void det_max_pool2d_backward(struct det_device *dev, const struct det_pool2d *shape,
                             const int32_t *argmax, const float *dy, float *dx, int accumulate);

#endif
