/* What every norm ends in: a scale and a shift by channel. */
#ifndef DET_BODIES_AFFINE_H
#define DET_BODIES_AFFINE_H

#include "detector/bodies/host_device.h"
#include "detector/bodies/relu.h"

DET_BODY float det_affine(float x, float scale, float shift, int relu)
{
    float y = x * scale + shift;
    return relu ? det_relu(y) : y;
}

#endif
