/* What layers end in: a bias, or a norm's centre, scale and shift; and the rectifier. */
#ifndef DET_BODIES_AFFINE_H
#define DET_BODIES_AFFINE_H

#include "detector/bodies/host_device.h"
#include "detector/bodies/relu.h"

DET_BODY float det_biased(float x, float bias, int relu)
{
    float y = x + bias;
    return relu ? det_relu(y) : y;
}

/* Centred before it is scaled: a large mean then costs no digits. */
DET_BODY float det_scaled(float x, float centre, float scale, float shift, int relu)
{
    float y = (x - centre) * scale + shift;
    return relu ? det_relu(y) : y;
}

#endif
