/* The rectifier and its gradient. NaN passes through both, so that it is seen and not hidden. */
#ifndef DET_BODIES_RELU_H
#define DET_BODIES_RELU_H

#include "detector/bodies/host_device.h"

DET_BODY float det_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

/* The gradient at the input, from the output y and the gradient there. */
DET_BODY float det_relu_gradient(float y, float dy)
{
    return y <= 0.0f ? 0.0f : dy;
}

#endif
