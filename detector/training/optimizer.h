/* SGD and AdamW on the CPU: one parameter tensor's update, PyTorch semantics. */
#ifndef DET_TRAINING_OPTIMIZER_H
#define DET_TRAINING_OPTIMIZER_H

#include "detector/backend/backend.h"

/* What the element-wise body needs, computed once: differences from 1 and bias corrections in
 * double. */
struct det_update_terms det_update_terms_of(const struct det_update *update);

/* Entry of struct det_backend. param, state1 and state2 [n] change, by grad times clip->factor (which
 * stays as it is: a clipped copy would be one more pass over memory); nothing at all where clip->skip
 * is set. Without clip, NULL, the gradient counts as it is. The terms' step counts the updates made (a step that the loss scaler skipped
 * is none), from 1. At SGD's first one the momentum buffer becomes the gradient, whatever it held.
 * state2 is not touched by SGD. */
void det_update(struct det_device *dev, enum det_optimizer_kind kind,
                const struct det_update_terms *terms, const struct det_clip *clip, size_t n,
                float *param, const float *grad, float *state1, float *state2);

#endif
