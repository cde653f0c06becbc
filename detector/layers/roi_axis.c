#include "detector/layers/roi_axis.h"

#include "detector/bodies/bilinear.h"
#include "detector/layers/integers.h"

#include <math.h>

#define MAX_SAMPLES 65536 /* a cell: keeps absurdly large boxes finite in time */

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

/* Add a tap to a cell's list, joining it with an equal one among the last two. */
static void add_tap(struct det_roi_tap *taps, int32_t *count, int at, float weight)
{
    for (int t = *count - 1; t >= 0 && t >= *count - 2; t--)
        if (taps[t].at == at) {
            taps[t].weight += weight;
            return;
        }
    taps[(*count)++] = (struct det_roi_tap){at, weight};
}

static int samples_of(const struct det_roi_align *shape, float cell)
{
    if (shape->sampling_ratio > 0)
        return shape->sampling_ratio;
    float samples = ceilf(cell);
    return samples > 0.0f ? (int)fminf(samples, (float)MAX_SAMPLES) : 0;
}

void det_roi_axis_fill(struct det_roi_axis *axis, const struct det_roi_align *shape, float scale,
                       int size, float low, float high)
{
    float shift = shape->aligned ? 0.5f : 0.0f;
    float start = low * scale - shift;
    float side = (high * scale - shift) - start;
    if (!shape->aligned && side < 1.0f)
        side = 1.0f;
    float cell = side / (float)axis->cells;
    int samples = samples_of(shape, cell);
    axis->first = size;
    axis->end = 0;
    for (int c = 0; c < axis->cells; c++) {
        struct det_roi_tap *taps = det_roi_axis_taps(axis, c);
        axis->count[c] = 0;
        for (int i = 0; i < samples; i++) {
            float at = start + (float)c * cell + ((float)i + 0.5f) * cell / (float)samples;
            struct det_bilinear b = det_bilinear(at, size);
            if (b.low_weight > 0.0f)
                add_tap(taps, &axis->count[c], b.low, b.low_weight / (float)samples);
            if (b.high_weight > 0.0f)
                add_tap(taps, &axis->count[c], b.high, b.high_weight / (float)samples);
        }
        for (int t = 0; t < axis->count[c]; t++) {
            axis->first = det_min_int(axis->first, taps[t].at);
            axis->end = det_max_int(axis->end, taps[t].at + 1);
        }
    }
    if (axis->end == 0)
        axis->first = 0;
}
