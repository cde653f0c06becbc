/* Clipping by the global norm, decided where the gradients are: torch.nn.utils.clip_grad_norm_. */
#ifndef DET_BODIES_CLIP_H
#define DET_BODIES_CLIP_H

#include "detector/bodies/host_device.h"

#include <math.h>
#include <stdint.h>

struct det_clip {
    double norm;     /* L2 norm of all gradients together */
    float factor;    /* what the gradients are multiplied by; 1 unless clipped */
    int32_t clipped;
    int32_t skip;    /* the norm is NaN or infinite: nothing is to be updated */
};

/* min(1, max_norm / (norm + 1e-6)); 1 where max_norm is 0 (off). */
DET_BODY double det_clip_factor(double norm, double max_norm)
{
    if (max_norm <= 0.0)
        return 1.0;
    double factor = max_norm / (norm + 1e-6);
    return factor > 1.0 ? 1.0 : factor;
}

/* From the sum of squares of all gradients. */
DET_BODY struct det_clip det_clip_of(double sum, double max_norm)
{
    double norm = sqrt(sum);
    struct det_clip clip = {norm, 1.0f, 0, !isfinite(norm)};
    if (clip.skip)
        return clip;
    double factor = det_clip_factor(norm, max_norm);
    clip.clipped = factor < 1.0;
    clip.factor = (float)factor;
    return clip;
}

#endif
