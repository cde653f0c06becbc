/* IoU of two float32 boxes in double: what an IoU in float32 rounds. The detector's own
 * (detector/bodies/iou.h) is what is judged by it. */
#ifndef HARNESS_DECISIONS_EXACT_IOU_H
#define HARNESS_DECISIONS_EXACT_IOU_H

#include <math.h>

static inline double exact_area(const float b[4])
{
    return ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]);
}

/* In [0, 1]; 0 where both boxes have no area. */
static inline double exact_iou(const float a[4], const float b[4])
{
    double w = fmin(a[2], b[2]) - fmax(a[0], b[0]);
    double h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    double inter = fmax(w, 0.0) * fmax(h, 0.0);
    double whole = exact_area(a) + exact_area(b) - inter;
    return whole > 0.0 ? inter / whole : 0.0;
}

#endif
