/* Fully connected layer: y[n, out] = x[n, in] w[out, in]^T + b[out]. Table entries linear_forward,
 * linear_backward. */
#ifndef DET_LAYERS_LINEAR_H
#define DET_LAYERS_LINEAR_H

#include "detector/backend/backend.h"

/* Scratch of forward and backward, in bytes: none. */
void det_linear_scratch(const struct det_linear *shape, size_t *per_worker, size_t *shared);

/* bias may be NULL. Rows from *count on are left alone. */
void det_linear_forward(struct det_device *dev, const struct det_linear *shape, const float *x,
                        const float *w, const float *bias, float *y);

/* y is needed with relu only. dw, dbias accumulate; dx overwrites unless `accumulate`; each may be
 * NULL. */
void det_linear_backward(struct det_device *dev, const struct det_linear *shape, const float *x,
                         const float *w, const float *y, float *dy, float *dx, int accumulate,
                         float *dw, float *dbias);

#endif
