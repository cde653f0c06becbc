/* One cell of a mask target: RoIAlign (scale 1, adaptive sampling, not aligned) of a ground-truth
 * mask over a RoI (boxes/mask_targets.h). */
#ifndef DET_BODIES_MASK_TARGET_H
#define DET_BODIES_MASK_TARGET_H

#include "detector/bodies/roi_axis.h"

#include <stddef.h>

/* Cell (i, j) of size x size; mask[h, w] is 0 or 1. Rows within columns, so that the sums run as in
 * two passes, rows first. */
DET_BODY float det_mask_target(const uint8_t *mask, int h, int w, const float box[4], int size,
                               int i, int j)
{
    struct det_roi_side rows = det_roi_side(box[1], box[3], 1.0f, size, 0, 0);
    struct det_roi_side columns = det_roi_side(box[0], box[2], 1.0f, size, 0, 0);
    struct det_roi_stream across = det_roi_stream(&columns, j, w);
    struct det_roi_tap row, column;
    float sum = 0.0f;
    while (det_roi_next_tap(&across, &column)) {
        struct det_roi_stream down = det_roi_stream(&rows, i, h);
        const uint8_t *pixels = mask + column.at;
        float line = 0.0f;
        while (det_roi_next_tap(&down, &row))
            line += row.weight * (float)pixels[(size_t)row.at * (size_t)w];
        sum += column.weight * line;
    }
    return sum;
}

#endif
