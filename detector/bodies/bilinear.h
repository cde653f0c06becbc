/* Bilinear sampling along one axis, as torchvision's roi_align does it. */
#ifndef DET_BODIES_BILINEAR_H
#define DET_BODIES_BILINEAR_H

#include "detector/bodies/host_device.h"

struct det_bilinear {
    int low, high;                 /* cells */
    float low_weight, high_weight; /* both 0 where the sample lies off the map */
};

/* The cells between which the coordinate lies, on an axis of `size` cells with centres at 0, 1, ...
 * Up to one cell off the map counts as its edge; beyond (or NaN) the sample is 0. */
DET_BODY struct det_bilinear det_bilinear(float at, int size)
{
    struct det_bilinear b = {0, 0, 0.0f, 0.0f};
    if (!(at >= -1.0f && at <= (float)size))
        return b;
    if (at < 0.0f)
        at = 0.0f;
    b.low = (int)at;
    if (b.low >= size - 1) {
        b.low = b.high = size - 1;
        b.low_weight = 1.0f;
        return b;
    }
    b.high = b.low + 1;
    b.high_weight = at - (float)b.low;
    b.low_weight = 1.0f - b.high_weight;
    return b;
}

#endif
