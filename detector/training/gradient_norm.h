/* The global gradient norm, clipping by it, and the check for overflow. Entries of struct
 * det_backend, which see; no scratch. */
#ifndef DET_TRAINING_GRADIENT_NORM_H
#define DET_TRAINING_GRADIENT_NORM_H

#include "detector/backend/backend.h"

/* *sum += sum of g[i]^2, in double, over blocks of fixed length. NaN and infinity show in it. */
void det_sum_squares(struct det_device *dev, size_t n, const float *g, double *sum);

/* *out = det_clip_of(*sum, max_norm) */
void det_clip(struct det_device *dev, double max_norm, const double *sum, struct det_clip *out);

/* g[i] *= *factor; a factor of 1 leaves g untouched. */
void det_scale(struct det_device *dev, size_t n, const float *factor, float *g);

/* *flag |= whether any x[i] is infinite or NaN */
void det_check_finite(struct det_device *dev, size_t n, const float *x, int32_t *flag);

#endif
