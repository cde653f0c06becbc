/* One element's optimiser step, in PyTorch's order of operations. */
#ifndef DET_BODIES_UPDATE_H
#define DET_BODIES_UPDATE_H

#include "detector/bodies/host_device.h"

#include <math.h>

/* Made once per tensor by det_update_terms_of (training/optimizer.h), in double, then rounded. */
struct det_update_terms {
    float lr, weight_decay;
    float momentum; /* 0 at the first update: the buffer starts as the gradient */
    float keep;     /* AdamW: 1 - lr * weight_decay */
    float beta1, one_minus_beta1;
    float beta2, one_minus_beta2;
    float step_size;       /* AdamW: lr / (1 - beta1^step) */
    float root_correction; /* AdamW: sqrt(1 - beta2^step) */
    float eps;
};

/* SGD with momentum, weight decay inside the gradient (torch.optim.SGD, dampening 0). */
DET_BODY void det_sgd_step(const struct det_update_terms *t, float *param, float grad,
                           float *momentum)
{
    float decayed = grad + t->weight_decay * *param;
    float carried = t->momentum * *momentum + decayed;
    float buffer = t->momentum == 0.0f ? decayed : carried; /* whatever the buffer held */
    *momentum = buffer;
    *param -= t->lr * buffer;
}

/* AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019), as
 * torch.optim.AdamW. */
DET_BODY void det_adamw_step(const struct det_update_terms *t, float *param, float grad,
                             float *first, float *second)
{
    float m = t->beta1 * *first + t->one_minus_beta1 * grad;
    float v = t->beta2 * *second + t->one_minus_beta2 * grad * grad;
    *first = m;
    *second = v;
    float denominator = sqrtf(v) / t->root_correction + t->eps;
    *param = *param * t->keep - t->step_size * m / denominator;
}

#endif
