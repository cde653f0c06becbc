/* What mixed precision rounds: activations and weights, kept in float32. Entries of struct det_backend,
 * which see; no scratch. x == y allowed. */
#ifndef DET_TRAINING_ROUNDING_H
#define DET_TRAINING_ROUNDING_H

#include "detector/backend/backend.h"

/* y[i] = x[i] rounded to bfloat16 (bodies/bf16.h) */
void det_round_bf16(struct det_device *dev, size_t n, const float *x, float *y);
/* y[i] = x[i] rounded to binary16 (bodies/fp16.h) */
void det_round_fp16(struct det_device *dev, size_t n, const float *x, float *y);

#endif
