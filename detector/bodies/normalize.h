/* ImageNet's mean and standard deviation of the channels R, G, B, as torchvision normalises. */
#ifndef DET_BODIES_NORMALIZE_H
#define DET_BODIES_NORMALIZE_H

#include "detector/bodies/host_device.h"

DET_BODY float det_normalized(float x, int channel)
{
    float mean = channel == 0 ? 0.485f : channel == 1 ? 0.456f : 0.406f;
    float std = channel == 0 ? 0.229f : channel == 1 ? 0.224f : 0.225f;
    return (x - mean) / std;
}

#endif
