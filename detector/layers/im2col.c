#include "detector/layers/im2col.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"

#include <string.h>

#define SPAN 64         /* outputs of a row that are gathered at once with stride 2 */
#define WIDE 1024       /* columns of a map whose gradient is scattered row by row with stride 2 */
#define SHORT_ROW 16    /* outputs of a row that do not pay for being copied as a row */
#define MAX_PLACES 2304 /* 3 x 3 taps of such rows; 9 KiB */
#define MAX_PLANE 1024  /* floats of a channel, then */
#define MAX_KERNEL 7    /* that this is done for */

/* Output positions [*first, *end) along one side whose tap `tap` falls on the map. */
static void inside(int tap, int stride, int pad, int size, int out, int *first, int *end)
{
    int offset = tap - pad; /* of the tap from out * stride */
    *first = offset >= 0 ? 0 : det_min_int(det_ceil_div(-offset, stride), out);
    *end = size <= offset ? 0 : det_min_int((size - 1 - offset) / stride + 1, out);
    *end = det_max_int(*end, *first);
}

/* One output row of one tap: `from` is the input row, at the tap's offset (may be negative). */
static inline void copy_row(const float *from, int offset, int stride, int first, int end,
                            int w_out, float *to)
{
    for (int j = 0; j < first; j++)
        to[j] = 0.0f;
    if (stride == 1)
        memcpy(to + first, from + (first + offset), (size_t)(end - first) * sizeof *to);
    else
        for (int j = first; j < end; j++)
            to[j] = from[j * stride + offset];
    for (int j = end; j < w_out; j++)
        to[j] = 0.0f;
}

/* The rows of a tap. */
static inline void gather_tap(const struct det_conv2d *s, const float *x, int ky, int kx, int row,
                              int rows, float *to)
{
    int first, end;
    inside(kx, s->stride, s->pad, s->w_in, s->w_out, &first, &end);
    for (int i = row; i < row + rows; i++, to += s->w_out) {
        int h = i * s->stride - s->pad + ky;
        if (h < 0 || h >= s->h_in)
            memset(to, 0, (size_t)s->w_out * sizeof *to);
        else
            copy_row(x + h * s->w_in, kx - s->pad, s->stride, first, end, s->w_out, to);
    }
}

/* Stride 2: the even and the odd columns of an input row by themselves, with the padding, from the
 * column that output `first` begins at. A tap's outputs follow each other in one of them. */
struct halves {
    float column[2][SPAN + MAX_KERNEL / 2];
};

__attribute__((always_inline)) static inline void
split_row(const struct det_conv2d *s, const float *from, int first, int n, struct halves *to)
{
    int left = 2 * first - s->pad;
    for (int half = 0; half < 2; half++) {
        int length = n + (s->kernel - half - 1) / 2;
        int begin = det_min_int(length, left + half < 0 ? (1 - left - half) / 2 : 0);
        int end = det_min_int(length, det_max_int(begin, (s->w_in - left - half + 1) / 2));
        float *column = to->column[half];
        for (int j = 0; j < begin; j++)
            column[j] = 0.0f;
        for (int j = begin; j < end; j++)
            column[j] = from[left + half + 2 * j];
        for (int j = end; j < length; j++)
            column[j] = 0.0f;
    }
}

/* Up to SPAN outputs of an output row, at all taps of a kernel row; zeros where that lies off the map. */
__attribute__((always_inline)) static inline void copy_span(const struct det_conv2d *s,
                                                            const struct halves *halves, int n,
                                                            float *col, int ld)
{
    for (int kx = 0; kx < s->kernel; kx++, col += ld) {
        if (!halves)
            memset(col, 0, (size_t)n * sizeof *col);
        else if (n == SPAN) /* a constant length */
            memcpy(col, halves->column[kx % 2] + kx / 2, SPAN * sizeof *col);
        else
            memcpy(col, halves->column[kx % 2] + kx / 2, (size_t)n * sizeof *col);
    }
}

/* Every input row is split once, for all kernel rows that see it. */
__attribute__((always_inline)) static inline void
gather_by_two(const struct det_conv2d *s, const float *x, int row, int rows, float *col, int ld)
{
    int top = 2 * row - s->pad;
    for (int r = 0; r < 2 * (rows - 1) + s->kernel; r++)
        for (int j = 0; j < s->w_out; j += SPAN) {
            struct halves halves;
            int on_map = top + r >= 0 && top + r < s->h_in;
            int n = det_min_int(SPAN, s->w_out - j);
            if (on_map)
                split_row(s, x + (top + r) * s->w_in, j, n, &halves);
            for (int ky = det_max_int(r % 2, r - 2 * (rows - 1)); ky < s->kernel && ky <= r; ky += 2)
                copy_span(s, on_map ? &halves : NULL, n,
                          col + ky * s->kernel * ld + (r - ky) / 2 * s->w_out + j, ld);
        }
}

/* One channel; x is its plane. */
DET_VECTOR_TARGETS static void gather_channel(const struct det_conv2d *s, const float *x, int row,
                                              int rows, float *col, int ld)
{
    if (s->stride == 2 && s->kernel <= MAX_KERNEL) {
        gather_by_two(s, x, row, rows, col, ld);
        return;
    }
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++, col += ld)
            gather_tap(s, x, ky, kx, row, rows, col);
}

/* Where in a plane each element of a channel's part of col lies; padding lies behind the plane. */
static void fill_places(const struct det_conv2d *s, int row, int rows, int32_t *place)
{
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++)
            for (int i = row; i < row + rows; i++)
                for (int j = 0; j < s->w_out; j++) {
                    int h = i * s->stride - s->pad + ky;
                    int w = j * s->stride - s->pad + kx;
                    int on_map = h >= 0 && h < s->h_in && w >= 0 && w < s->w_in;
                    *place++ = on_map ? h * s->w_in + w : s->h_in * s->w_in;
                }
}

static int has_short_rows(const struct det_conv2d *s, int rows)
{
    return s->w_out <= SHORT_ROW && s->h_in * s->w_in <= MAX_PLANE &&
           s->kernel * s->kernel * rows * s->w_out <= MAX_PLACES;
}

/* All channels, element by element, from places that are the same in each. Without vectors: the
 * processors' instructions that gather elements are slower. */
static void gather_places(const struct det_conv2d *s, const float *x, int channels, int row,
                          int rows, float *col, int ld)
{
    int32_t places[MAX_PLACES];
    float padded[MAX_PLANE + 1];
    int size = s->h_in * s->w_in;
    int columns = rows * s->w_out;
    fill_places(s, row, rows, places);
    padded[size] = 0.0f;
    for (int c = 0; c < channels; c++, x += size) {
        const float *plane = s->pad > 0 ? padded : x;
        if (s->pad > 0)
            memcpy(padded, x, (size_t)size * sizeof *x);
        for (int t = 0; t < s->kernel * s->kernel; t++, col += ld)
            for (int j = 0; j < columns; j++)
                col[j] = plane[places[t * columns + j]];
    }
}

void det_im2col(const struct det_conv2d *shape, const float *x, int channels, int row, int rows,
                float *col, int ld)
{
    int taps = shape->kernel * shape->kernel;
    if (has_short_rows(shape, rows)) {
        gather_places(shape, x, channels, row, rows, col, ld);
        return;
    }
    for (int c = 0; c < channels; c++, x += shape->h_in * shape->w_in, col += taps * ld)
        gather_channel(shape, x, row, rows, col, ld);
}

/* Stride 2: one row h of the gradient, its even and odd columns by themselves, from the output rows
 * whose windows it lies in. Every element adds up its taps in the order in which scatter_channel's
 * general way does. */
__attribute__((always_inline)) static inline void
scatter_row_by_two(const struct det_conv2d *s, const float *col, int ld, int h, float *x)
{
    float half[2][WIDE / 2];
    int even = (s->w_in + 1) / 2;
    int odd = s->w_in / 2;
    for (int j = 0; j < even; j++)
        half[0][j] = x[2 * j];
    for (int j = 0; j < odd; j++)
        half[1][j] = x[2 * j + 1];
    for (int ky = (h + s->pad) % 2; ky < s->kernel; ky += 2) {
        int i = (h + s->pad - ky) / 2;
        if (h + s->pad < ky || i >= s->h_out)
            continue;
        for (int kx = 0; kx < s->kernel; kx++) {
            const float *from = col + (ky * s->kernel + kx) * ld + i * s->w_out;
            int first, end;
            inside(kx, 2, s->pad, s->w_in, s->w_out, &first, &end);
            int column = 2 * first + kx - s->pad;
            float *to = half[column % 2] + column / 2;
            for (int j = first; j < end; j++)
                to[j - first] += from[j];
        }
    }
    for (int j = 0; j < even; j++)
        x[2 * j] = half[0][j];
    for (int j = 0; j < odd; j++)
        x[2 * j + 1] = half[1][j];
}

DET_VECTOR_TARGETS static void scatter_channel(const struct det_conv2d *s, const float *col, int ld,
                                               float *x)
{
    if (s->stride == 2 && s->w_in <= WIDE) {
        for (int h = 0; h < s->h_in; h++)
            scatter_row_by_two(s, col, ld, h, x + h * s->w_in);
        return;
    }
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++, col += ld) {
            int first, end, top, bottom;
            inside(kx, s->stride, s->pad, s->w_in, s->w_out, &first, &end);
            inside(ky, s->stride, s->pad, s->h_in, s->h_out, &top, &bottom);
            for (int i = top; i < bottom; i++) {
                float *to = x + (i * s->stride - s->pad + ky) * s->w_in;
                for (int j = first; j < end; j++)
                    to[j * s->stride - s->pad + kx] += col[i * s->w_out + j];
            }
        }
}

void det_col2im(const struct det_conv2d *shape, const float *col, int ld, int channels, float *x)
{
    int taps = shape->kernel * shape->kernel;
    for (int c = 0; c < channels; c++, x += shape->h_in * shape->w_in, col += taps * ld)
        scatter_channel(shape, col, ld, x);
}
