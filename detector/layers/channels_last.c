#include "detector/layers/channels_last.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"
#include "detector/layers/planes.h"
#include "detector/layers/transpose.h"

#include <string.h>

#define CHANNELS                                                                                   \
    8 /* channels (a block's) and positions that are turned at once on the way back                \
       */
#define POSITIONS 64

/* The map's positions that lie in the buffer, row by row: [first, end). They follow each other in
 * every channel, so that they are turned in blocks that may go over the ends of rows. */
struct positions {
    int first, end;
};

static struct positions positions_of(const struct det_channels_last *s)
{
    return (struct positions){det_max_int(0, -s->top) * s->w,
                              det_min_int(s->h, s->rows - s->top) * s->w};
}

/* Where a position of the map lies in an image's buffer. */
static size_t place_of(const struct det_channels_last *s, int position)
{
    int row = position / s->w + s->top;
    int column = position % s->w + s->left;
    return ((size_t)row * (size_t)s->columns + (size_t)column) * (size_t)s->c;
}

static void clear_border(const struct det_channels_last *s, float *to)
{
    size_t line = (size_t)s->columns * (size_t)s->c;
    size_t left = (size_t)s->left * (size_t)s->c;
    size_t right = left + (size_t)s->w * (size_t)s->c;
    for (int row = 0; row < s->rows; row++, to += line)
        if (row < s->top || row - s->top >= s->h) {
            memset(to, 0, line * sizeof *to);
        } else {
            memset(to, 0, left * sizeof *to);
            memset(to + right, 0, (line - right) * sizeof *to);
        }
}

/* Up to eight positions from `first` on, all channels. */
DET_VECTOR_TARGETS static void to_positions(const struct det_channels_last *s, const float *x,
                                            int first, int n, float *to)
{
    size_t plane = (size_t)s->h * (size_t)s->w;
    int whole = n == 8 ? s->c - s->c % 8 : 0;
    float *place[8];
    for (int j = 0; j < n; j++)
        place[j] = to + place_of(s, first + j);
    x += first;
    for (int c = 0; c < whole; c += 8, x += 8 * plane) {
        const float *from[8];
        float *at[8];
        for (int k = 0; k < 8; k++) {
            from[k] = x + (size_t)k * plane;
            at[k] = place[k] + c;
        }
        det_transpose_block8(from, at);
    }
    for (int c = whole; c < s->c; c++, x += plane)
        for (int j = 0; j < n; j++)
            place[j][c] = x[j];
}

void det_to_channels_last(const struct det_channels_last *shape, const float *x, float *to)
{
    struct positions p = positions_of(shape);
    size_t image = (size_t)shape->of * (size_t)shape->h * (size_t)shape->w;
    for (int i = 0; i < shape->n; i++, x += image) {
        clear_border(shape, to);
        for (int j = p.first; j < p.end; j += 8)
            to_positions(shape, x, j, det_min_int(8, p.end - j), to);
        to += (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->c;
    }
}

/* The n vectors from + place[j] of `channels` channels to rows, a channel each. */
static inline void turn(const float *from, const size_t *place, int n, int channels, float *rows)
{
    int whole = channels == CHANNELS ? n - n % 8 : 0;
    for (int j = 0; j < whole; j += 8) {
        const float *at[8];
        float *row[8];
        for (int k = 0; k < 8; k++) {
            at[k] = from + place[j + k];
            row[k] = rows + k * POSITIONS + j;
        }
        det_transpose_block8(at, row);
    }
    for (int j = whole; j < n; j++)
        for (int c = 0; c < channels; c++)
            rows[c * POSITIONS + j] = from[place[j] + (size_t)c];
}

/* Values of one channel, side by side, to their place. */
static inline void store(const float *from, float bias, int relu, int accumulate, int n, float *to)
{
    if (accumulate)
        for (int j = 0; j < n; j++)
            to[j] += from[j];
    else
        det_bias_plane(from, bias, relu, (size_t)n, to);
}

/* Up to POSITIONS positions of all channels of an image. */
DET_VECTOR_TARGETS static void from_positions(const struct det_channels_last *s, const float *from,
                                              int first, int n, const float *bias, int relu,
                                              int accumulate, float *y)
{
    float rows[CHANNELS * POSITIONS];
    size_t place[POSITIONS];
    size_t plane = (size_t)s->h * (size_t)s->w;
    for (int j = 0; j < n; j++)
        place[j] = place_of(s, first + j);
    y += first;
    for (int c0 = 0; c0 < s->c; c0 += CHANNELS) {
        int channels = det_min_int(CHANNELS, s->c - c0);
        turn(from + c0, place, n, channels, rows);
        for (int c = 0; c < channels; c++, y += plane)
            store(rows + c * POSITIONS, bias ? bias[c0 + c] : 0.0f, relu, accumulate, n, y);
    }
}

void det_from_channels_last(const struct det_channels_last *shape, const float *from,
                            const float *bias, int relu, int accumulate, float *y)
{
    struct positions p = positions_of(shape);
    for (int i = 0; i < shape->n; i++) {
        for (int j = p.first; j < p.end; j += POSITIONS)
            from_positions(shape, from, j, det_min_int(POSITIONS, p.end - j), bias, relu,
                           accumulate, y);
        from += (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->c;
        y += (size_t)shape->of * (size_t)shape->h * (size_t)shape->w;
    }
}
