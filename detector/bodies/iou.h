/* Intersection over union of two boxes, as the matcher and NMS see it. Widths are x2 - x1: no +1.
 */
#ifndef DET_BODIES_IOU_H
#define DET_BODIES_IOU_H

#include "detector/bodies/host_device.h"

DET_BODY float det_box_area(float x1, float y1, float x2, float y2)
{
    return (x2 - x1) * (y2 - y1);
}

/* In [0, 1]; 0 where both boxes have no area (torchvision's box_iou gives 0 / 0 there). Written
 * with comparisons that compile to vector minima and maxima. The areas are the caller's, so that a
 * loop computes each only once. Corners and areas below 2^24 that are whole numbers make every
 * operation but the division exact: boxes that tie on paper tie here, which the matcher's "equals
 * the maximum" rests on. */
DET_BODY float det_iou(float ax1, float ay1, float ax2, float ay2, float a_area, float bx1,
                       float by1, float bx2, float by2, float b_area)
{
    float w = (ax2 < bx2 ? ax2 : bx2) - (ax1 > bx1 ? ax1 : bx1);
    float h = (ay2 < by2 ? ay2 : by2) - (ay1 > by1 ? ay1 : by1);
    float inter = (w > 0.0f ? w : 0.0f) * (h > 0.0f ? h : 0.0f);
    float whole = a_area + b_area - inter;
    return whole > 0.0f ? inter / whole : 0.0f;
}

DET_BODY float det_box_iou(const float a[4], const float b[4])
{
    return det_iou(a[0], a[1], a[2], a[3], det_box_area(a[0], a[1], a[2], a[3]), b[0], b[1], b[2],
                   b[3], det_box_area(b[0], b[1], b[2], b[3]));
}

#endif
