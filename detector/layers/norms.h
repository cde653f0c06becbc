/* Group norm (Wu and He, "Group Normalization", ECCV 2018) and frozen batch norm (torchvision's
 * FrozenBatchNorm2d). Table entries group_norm_forward, ... frozen_bn_backward.
 *
 * x, y, dy, dx are [n, c, h, w]. With relu, y = max(0, norm(x)), and backward first applies relu's
 * mask to dy, in place. dx may be dy (then without accumulation). */
#ifndef DET_LAYERS_NORMS_H
#define DET_LAYERS_NORMS_H

#include "detector/backend/backend.h"

/* Scratch of group norm's forward and backward, in bytes. Frozen batch norm needs none. */
void det_group_norm_scratch(const struct det_norm *shape, size_t *per_worker, size_t *shared);

/* weight, bias [c]; saved [n, groups, 2]: mean and 1 / sqrt(var + eps), biased variance; the sums
 * in double. y may be x only where no backward follows, which reads x. */
void det_group_norm_forward(struct det_device *dev, const struct det_norm *shape, const float *x,
                            const float *weight, const float *bias, float *y, float *saved);

/* dweight, dbias [c] accumulate; they, and dx, may be NULL. */
void det_group_norm_backward(struct det_device *dev, const struct det_norm *shape, const float *x,
                             const float *weight, const float *y, const float *saved, float *dy,
                             float *dx, int accumulate, float *dweight, float *dbias);

/* y = (x - mean) weight / sqrt(var + eps) + bias, all [c]: running statistics, never updated. */
void det_frozen_bn_forward(struct det_device *dev, const struct det_norm *shape, const float *x,
                           const float *weight, const float *bias, const float *mean,
                           const float *var, float *y);

void det_frozen_bn_backward(struct det_device *dev, const struct det_norm *shape,
                            const float *weight, const float *var, const float *y, float *dy,
                            float *dx, int accumulate);

#endif
