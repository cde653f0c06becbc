/* One axis of RoIAlign (He et al., "Mask R-CNN", ICCV 2017; torchvision's legacy alignment and
 * adaptive sampling). Bilinear weights are products of the two axes', so a pooled cell is
 * sum_y sum_x wy[y] wx[x] m[y][x]: where the map is a 0/1 mask, two thin products instead of
 * samples^2 four-point reads a cell. */
#ifndef DET_BODIES_ROI_AXIS_H
#define DET_BODIES_ROI_AXIS_H

#include "detector/bodies/host_device.h"

#include <math.h>

/* One sample's two neighbours on an axis of `size` pixels: low, low + 1 (equal at the far edge). */
struct det_sample_tap {
    int low, high;
    float low_weight, high_weight; /* both 0 where the sample is off the map by more than a pixel */
};

DET_BODY struct det_sample_tap det_sample_tap(float x, int size)
{
    struct det_sample_tap tap = {0, 0, 0.0f, 0.0f};
    if (!(x >= -1.0f && x <= (float)size))
        return tap;
    if (x <= 0.0f)
        x = 0.0f;
    tap.low = (int)x;
    tap.high = tap.low + 1;
    if (tap.low >= size - 1) {
        tap.low = tap.high = size - 1;
        x = (float)tap.low;
    }
    tap.high_weight = x - (float)tap.low;
    tap.low_weight = 1.0f - tap.high_weight;
    return tap;
}

/* An RoI side cut into cells, each with `samples` points. */
struct det_roi_axis {
    float start, cell;
    int samples;
};

/* start .. end in map pixels; sides under 1 count as 1. */
DET_BODY struct det_roi_axis det_roi_axis(float start, float end, int cells)
{
    float length = end - start > 1.0f ? end - start : 1.0f;
    struct det_roi_axis axis = {start, length / (float)cells, (int)ceilf(length / (float)cells)};
    return axis;
}

/* Sample i of cell c. */
DET_BODY float det_roi_axis_sample(const struct det_roi_axis *axis, int c, int i)
{
    return axis->start + (float)c * axis->cell +
           ((float)i + 0.5f) * axis->cell / (float)axis->samples;
}

#endif
