#include "detector/layers/roi_axis.h"

#include "detector/layers/integers.h"

/* Adaptive samples ascend along the axis, so that a map cell is listed once. */
int det_roi_axis_capacity(const struct det_roi_align *shape, int size)
{
    return shape->sampling_ratio > 0 ? 2 * shape->sampling_ratio : size;
}

size_t det_roi_axis_bytes(const struct det_roi_align *shape, int capacity)
{
    size_t cells = (size_t)shape->output_size;
    return cells * ((size_t)capacity * sizeof(struct det_roi_tap) + sizeof(int32_t));
}

void det_roi_axis_place(struct det_roi_axis *axis, const struct det_roi_align *shape, int capacity,
                        void *block)
{
    axis->cells = shape->output_size;
    axis->capacity = capacity;
    axis->taps = block;
    axis->count = (int32_t *)(axis->taps + (size_t)axis->cells * (size_t)capacity);
}

void det_roi_axis_fill(struct det_roi_axis *axis, const struct det_roi_align *shape, float scale,
                       int size, float low, float high)
{
    struct det_roi_side side =
        det_roi_side(low, high, scale, axis->cells, shape->sampling_ratio, shape->aligned);
    axis->first = size;
    axis->end = 0;
    for (int c = 0; c < axis->cells; c++) {
        struct det_roi_tap *taps = det_roi_axis_taps(axis, c);
        axis->count[c] = det_roi_cell_taps(&side, c, size, taps);
        for (int t = 0; t < axis->count[c]; t++) {
            axis->first = det_min_int(axis->first, taps[t].at);
            axis->end = det_max_int(axis->end, taps[t].at + 1);
        }
    }
    if (axis->end == 0)
        axis->first = 0;
}
