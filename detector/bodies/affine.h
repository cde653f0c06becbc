/* What layers end in: a bias, or a norm's centre, scale and shift; and the rectifier. */
#ifndef DET_BODIES_AFFINE_H
#define DET_BODIES_AFFINE_H

#include "detector/bodies/host_device.h"
#include "detector/bodies/relu.h"

#include <math.h>

DET_BODY float det_biased(float x, float bias, int relu)
{
    float y = x + bias;
    return relu ? det_relu(y) : y;
}

/* Frozen batch norm's scale of a channel. */
DET_BODY float det_frozen_scale(float weight, float var, float eps)
{
    return weight / sqrtf(var + eps);
}

/* Centred before it is scaled: a large mean then costs no digits. */
DET_BODY float det_scaled(float x, float centre, float scale, float shift, int relu)
{
    float y = (x - centre) * scale + shift;
    return relu ? det_relu(y) : y;
}

#endif
