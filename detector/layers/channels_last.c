#include "detector/layers/channels_last.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"
#include "detector/layers/planes.h"
#include "detector/layers/transpose.h"

#include <string.h>

#define BLOCK 8      /* channels and positions that are turned at once */
#define POSITIONS 64 /* whose places are looked up at once, and up to a block's fewer: see part_of */
#define MOST_POSITIONS (POSITIONS + BLOCK)

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

/* How many positions to take at once, of those that are left: a last part that were too small for a
 * block is taken with the one before. */
static int part_of(int left)
{
    return left < MOST_POSITIONS ? left : POSITIONS;
}

/* Where n positions of the map from `first` on lie in an image's buffer. */
static inline void look_up(const struct det_channels_last *s, int first, int n, size_t *place)
{
    int column = first % s->w;
    int row = first / s->w + s->top;
    size_t c = (size_t)s->c;
    size_t at = ((size_t)row * (size_t)s->columns + (size_t)(column + s->left)) * c;
    for (int j = 0; j < n; j++, at += c) {
        place[j] = at;
        if (++column == s->w) {
            column = 0;
            at += (size_t)(s->columns - s->w) * c;
        }
    }
}

/* Blocks that cover n positions: the last may go over some a second time. */
static inline int block_at(int j, int n)
{
    return j + BLOCK <= n ? j : n - BLOCK;
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

/* Some positions from `first` on, all channels. */
DET_VECTOR_TARGETS static void to_positions(const struct det_channels_last *s, const float *x,
                                            int first, int n, float *to)
{
    size_t place[MOST_POSITIONS];
    size_t plane = (size_t)s->h * (size_t)s->w;
    int whole = n >= BLOCK ? s->c - s->c % BLOCK : 0;
    look_up(s, first, n, place);
    x += first;
    for (int j = 0; whole && j < n; j += BLOCK) {
        int j0 = block_at(j, n);
        const float *from = x + j0;
        for (int c = 0; c < whole; c += BLOCK, from += BLOCK * plane) {
            const float *row[BLOCK];
            float *at[BLOCK];
            for (int k = 0; k < BLOCK; k++) {
                row[k] = from + (size_t)k * plane;
                at[k] = to + place[j0 + k] + c;
            }
            det_transpose_block8(row, at);
        }
    }
    x += (size_t)whole * plane;
    for (int c = whole; c < s->c; c++, x += plane)
        for (int j = 0; j < n; j++)
            to[place[j] + (size_t)c] = x[j];
}

void det_to_channels_last(const struct det_channels_last *shape, const float *x, float *to)
{
    struct positions p = positions_of(shape);
    size_t image = (size_t)shape->of * (size_t)shape->h * (size_t)shape->w;
    for (int i = 0; i < shape->n; i++, x += image) {
        clear_border(shape, to);
        for (int j = p.first, n; j < p.end; j += n) {
            n = part_of(p.end - j);
            to_positions(shape, x, j, n, to);
        }
        to += (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->c;
    }
}

/* The n vectors from + place[j] of `channels` channels to rows, a channel each. */
static inline void turn(const float *from, const size_t *place, int n, int channels, float *rows)
{
    int whole = channels == BLOCK && n >= BLOCK;
    for (int j = 0; whole && j < n; j += BLOCK) {
        int j0 = block_at(j, n);
        const float *at[BLOCK];
        float *row[BLOCK];
        for (int k = 0; k < BLOCK; k++) {
            at[k] = from + place[j0 + k];
            row[k] = rows + k * MOST_POSITIONS + j0;
        }
        det_transpose_block8(at, row);
    }
    for (int j = 0; !whole && j < n; j++)
        for (int c = 0; c < channels; c++)
            rows[c * MOST_POSITIONS + j] = from[place[j] + (size_t)c];
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

/* Some positions of all channels of an image. */
DET_VECTOR_TARGETS static void from_positions(const struct det_channels_last *s, const float *from,
                                              int first, int n, const float *bias, int relu,
                                              int accumulate, float *y)
{
    float rows[BLOCK * MOST_POSITIONS];
    size_t place[MOST_POSITIONS];
    size_t plane = (size_t)s->h * (size_t)s->w;
    look_up(s, first, n, place);
    y += first;
    for (int c0 = 0; c0 < s->c; c0 += BLOCK) {
        int channels = det_min_int(BLOCK, s->c - c0);
        turn(from + c0, place, n, channels, rows);
        for (int c = 0; c < channels; c++, y += plane)
            store(rows + c * MOST_POSITIONS, bias ? bias[c0 + c] : 0.0f, relu, accumulate, n, y);
    }
}

void det_from_channels_last(const struct det_channels_last *shape, const float *from,
                            const float *bias, int relu, int accumulate, float *y)
{
    struct positions p = positions_of(shape);
    for (int i = 0; i < shape->n; i++) {
        for (int j = p.first, n; j < p.end; j += n) {
            n = part_of(p.end - j);
            from_positions(shape, from, j, n, bias, relu, accumulate, y);
        }
        from += (size_t)shape->rows * (size_t)shape->columns * (size_t)shape->c;
        y += (size_t)shape->of * (size_t)shape->h * (size_t)shape->w;
    }
}
