/* One axis of a RoI, cut into output cells, each the mean of bilinear samples: the map cells that
 * an output cell reads, and their weights (torchvision's roi_align; layers/roi_axis.h says why
 * axes). */
#ifndef DET_BODIES_ROI_AXIS_H
#define DET_BODIES_ROI_AXIS_H

#include "detector/bodies/bilinear.h"

#include <math.h>
#include <stdint.h>

#define DET_ROI_MAX_SAMPLES 65536 /* a cell: keeps absurdly large boxes finite in time */

struct det_roi_tap {
    int32_t at; /* row or column of the map */
    float weight;
};

struct det_roi_side {
    float start, cell; /* in map cells */
    int samples;       /* of an output cell */
};

/* Of the side [low, high] (pixels) of a RoI. sampling_ratio 0: adaptive, ceil(cell). */
DET_BODY struct det_roi_side det_roi_side(float low, float high, float scale, int cells,
                                          int sampling_ratio, int aligned)
{
    float shift = aligned ? 0.5f : 0.0f;
    struct det_roi_side s;
    s.start = low * scale - shift;
    float side = (high * scale - shift) - s.start;
    if (!aligned && side < 1.0f)
        side = 1.0f;
    s.cell = side / (float)cells;
    float adaptive = ceilf(s.cell);
    if (sampling_ratio > 0)
        s.samples = sampling_ratio;
    else if (adaptive > 0.0f)
        s.samples = (int)fminf(adaptive, (float)DET_ROI_MAX_SAMPLES);
    else
        s.samples = 0;
    return s;
}

/* Add a tap to a cell's list, joining it with an equal one among the last two. Returns the number
 * of taps. */
DET_BODY int det_roi_add_tap(struct det_roi_tap *taps, int count, int at, float weight)
{
    for (int t = count - 1; t >= 0 && t >= count - 2; t--)
        if (taps[t].at == at) {
            taps[t].weight += weight;
            return count;
        }
    taps[count].at = at;
    taps[count].weight = weight;
    return count + 1;
}

/* Add the taps of sample i of output cell c; returns how many there are then: at most two more. */
DET_BODY int det_roi_add_sample(const struct det_roi_side *s, int c, int i, int size,
                                struct det_roi_tap *taps, int count)
{
    float at = s->start + (float)c * s->cell + ((float)i + 0.5f) * s->cell / (float)s->samples;
    struct det_bilinear b = det_bilinear(at, size);
    if (b.low_weight > 0.0f)
        count = det_roi_add_tap(taps, count, b.low, b.low_weight / (float)s->samples);
    if (b.high_weight > 0.0f)
        count = det_roi_add_tap(taps, count, b.high, b.high_weight / (float)s->samples);
    return count;
}

/* The taps of output cell c on a map of `size` cells; returns how many: at most 2 samples, or
 * `size` where sampling is adaptive (samples then ascend, so that a map cell is listed once). */
DET_BODY int det_roi_cell_taps(const struct det_roi_side *s, int c, int size,
                               struct det_roi_tap *taps)
{
    int count = 0;
    for (int i = 0; i < s->samples; i++)
        count = det_roi_add_sample(s, c, i, size, taps, count);
    return count;
}

/* The same taps one at a time, for who has no room for a list. */
struct det_roi_stream {
    struct det_roi_side side;
    int cell, size;
    int sample; /* the next one */
    int open;   /* taps below: the last two of a list can still grow */
    struct det_roi_tap taps[4];
};

DET_BODY struct det_roi_stream det_roi_stream(const struct det_roi_side *side, int cell, int size)
{
    struct det_roi_stream stream;
    stream.side = *side;
    stream.cell = cell;
    stream.size = size;
    stream.sample = 0;
    stream.open = 0;
    return stream;
}

/* Returns 0 behind the last. */
DET_BODY int det_roi_next_tap(struct det_roi_stream *s, struct det_roi_tap *tap)
{
    while (s->open <= 2 && s->sample < s->side.samples)
        s->open = det_roi_add_sample(&s->side, s->cell, s->sample++, s->size, s->taps, s->open);
    if (s->open == 0)
        return 0;
    *tap = s->taps[0];
    for (int t = 1; t < s->open; t++)
        s->taps[t - 1] = s->taps[t];
    s->open--;
    return 1;
}

#endif
