/* Nearest-neighbour resampling's source index, in torch's float arithmetic. */
#ifndef DET_BODIES_NEAREST_H
#define DET_BODIES_NEAREST_H

#include "detector/bodies/host_device.h"

/* floor(dst * in / out), at most in - 1. The ratio is rounded to float first, as
 * F.interpolate(size=) does: the two differ in rare sizes, where torch is the reference. */
DET_BODY int det_nearest_source(int dst, int in, int out)
{
    float ratio = (float)in / (float)out;
    int src = (int)((float)dst * ratio);
    return src < in ? src : in - 1;
}

#endif
