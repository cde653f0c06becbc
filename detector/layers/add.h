/* y = a + b: the residual connection. Needs no scratch. Table entries add_forward, add_backward. */
#ifndef DET_LAYERS_ADD_H
#define DET_LAYERS_ADD_H

#include "detector/backend/backend.h"

/* n elements each; y may be a or b. relu: y = max(0, a + b). */
void det_add_forward(struct det_device *dev, size_t n, int relu, const float *a, const float *b,
                     float *y);

/* da and db each get dy (after relu's mask, applied to dy in place), or have it added; either may
 * be NULL, or be dy itself (then without accumulation). */
void det_add_backward(struct det_device *dev, size_t n, int relu, const float *y, float *dy,
                      float *da, int accumulate_a, float *db, int accumulate_b);

#endif
