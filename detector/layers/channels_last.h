/* Maps with their channels in the innermost place, within a border of zeros, and back: what loops
 * over channels read and write, in RoIAlign and in Winograd's transforms. Each call works on the
 * calling thread. Internal to layers/. */
#ifndef DET_LAYERS_CHANNELS_LAST_H
#define DET_LAYERS_CHANNELS_LAST_H

#include <stddef.h>

struct det_channels_last {
    int n, c, h, w; /* c channels of the map [n, of, h, w] */
    int of;
    int top, left; /* border before it; top < 0: the buffer starts with the map's row -top */
    int rows, columns; /* a buffer is [n, rows, columns, c]; left + w <= columns */
};

static inline size_t det_channels_last_size(const struct det_channels_last *shape)
{
    return (size_t)shape->n * (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->c;
}

/* x [n, of, h, w], from the first of the c channels on, to `to` [n, rows, columns, c]; what lies
 * outside the map is 0. */
void det_to_channels_last(const struct det_channels_last *shape, const float *x, float *to);

/* The rows of the map that `from` holds to y: plus bias (or NULL), rectified with relu; or added
 * onto y with `accumulate`, then without either. */
void det_from_channels_last(const struct det_channels_last *shape, const float *from,
                            const float *bias, int relu, int accumulate, float *y);

#endif
