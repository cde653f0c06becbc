/* Rounding of whole tensors to bfloat16, kept in float32. */
#ifndef DET_TRAINING_BF16_H
#define DET_TRAINING_BF16_H

#include "detector/backend/backend.h"

/* Entry of struct det_backend: y[i] = x[i] rounded to nearest, ties to even; infinities stay, a NaN
 * stays a NaN. x == y is allowed. */
void det_round_bf16(struct det_device *dev, size_t n, const float *x, float *y);

#endif
