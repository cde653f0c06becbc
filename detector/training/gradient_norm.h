/* The global gradient norm, clipping by it, and the check for overflow. Entries of struct
 * det_backend, which see; no scratch. */
#ifndef DET_TRAINING_GRADIENT_NORM_H
#define DET_TRAINING_GRADIENT_NORM_H

#include "detector/backend/backend.h"

/* *sum += sum of g[i]^2, in double, over blocks of fixed length. NaN and infinity show in it. */
void det_sum_squares(struct det_device *dev, size_t n, const float *g, double *sum);

/* g[i] *= factor */
void det_scale(struct det_device *dev, size_t n, float factor, float *g);

/* *flag |= whether any x[i] is infinite or NaN */
void det_check_finite(struct det_device *dev, size_t n, const float *x, int32_t *flag);

/* What all gradients are multiplied by so that their global L2 norm is at most max_norm:
 * max_norm / (norm + 1e-6), never above 1 (torch.nn.utils.clip_grad_norm_). max_norm 0 = off: 1.
 * NaN for a NaN norm. */
double det_clip_factor(double norm, double max_norm);

#endif
