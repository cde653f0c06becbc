#include "detector/layers/im2col.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"

#include <string.h>

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
    else if (stride == 2) /* a constant stride: the compiler can use vectors */
        for (int j = first; j < end; j++)
            to[j] = from[j * 2 + offset];
    else
        for (int j = first; j < end; j++)
            to[j] = from[j * stride + offset];
    for (int j = end; j < w_out; j++)
        to[j] = 0.0f;
}

/* One channel; x is its plane. */
DET_VECTOR_TARGETS static void gather_channel(const struct det_conv2d *s, const float *x, int row,
                                              int rows, float *col, int ld)
{
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++, col += ld) {
            int first, end;
            inside(kx, s->stride, s->pad, s->w_in, s->w_out, &first, &end);
            float *to = col;
            for (int i = row; i < row + rows; i++, to += s->w_out) {
                int h = i * s->stride - s->pad + ky;
                if (h < 0 || h >= s->h_in)
                    memset(to, 0, (size_t)s->w_out * sizeof *to);
                else
                    copy_row(x + h * s->w_in, kx - s->pad, s->stride, first, end, s->w_out, to);
            }
        }
}

void det_im2col(const struct det_conv2d *shape, const float *x, int channels, int row, int rows,
                float *col, int ld)
{
    int taps = shape->kernel * shape->kernel;
    for (int c = 0; c < channels; c++, x += shape->h_in * shape->w_in, col += taps * ld)
        gather_channel(shape, x, row, rows, col, ld);
}

DET_VECTOR_TARGETS static void scatter_channel(const struct det_conv2d *s, const float *col, int ld,
                                               float *x)
{
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
