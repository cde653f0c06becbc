/* Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks", CVPR 2016): 36 products in place of 144 for 4 x 4 outputs.
 *
 * The interpolation points are 0, +-3/4, +-3/2 and infinity, not the usual 0, +-1, +-2: all
 * constants of the data's transforms are exact in float, and the rounding error is about twice that
 * of the plain sum, where the usual points give up to eight times it.
 *
 * With g a 3 x 3 kernel, d a 6 x 6 patch, y the 4 x 4 outputs (.: element by element):
 *     y = A^T [(G g G^T) . (B^T d B)] A        dg = G^T [(B^T d B) . (A dy A^T)] G
 *
 * A function for each matrix applies it to a vector whose elements are DET_WINOGRAD_CHANNELS channels,
 * and det_winograd_both_sides applies one of them to the columns and rows of a square. */
#ifndef DET_BODIES_WINOGRAD_H
#define DET_BODIES_WINOGRAD_H

#include "detector/bodies/host_device.h"

#include <stddef.h>

#define DET_WINOGRAD_OUT 4   /* outputs a side */
#define DET_WINOGRAD_PATCH 6 /* inputs a side */
#define DET_WINOGRAD_POINTS 36

#define DET_WINOGRAD_P 0.75f /* the points p and q, and their squares */
#define DET_WINOGRAD_Q 1.5f
#define DET_WINOGRAD_PP (DET_WINOGRAD_P * DET_WINOGRAD_P)
#define DET_WINOGRAD_QQ (DET_WINOGRAD_Q * DET_WINOGRAD_Q)

/* The compilers' own vectors: loops over strides that they do not know would stay scalar. A cache
 * line, in as many registers as the processor needs for it. */
#define DET_WINOGRAD_CHANNELS 16
typedef float det_winograd_lanes
    __attribute__((vector_size(4 * DET_WINOGRAD_CHANNELS), aligned(4), may_alias));

/* B^T: 6 to 6. Row i is the polynomial with roots at all finite points but the i-th. */
DET_BODY void det_winograd_input(const det_winograd_lanes *d, det_winograd_lanes *t)
{
    det_winograd_lanes even_p = d[4] - DET_WINOGRAD_QQ * d[2];
    det_winograd_lanes odd_p = DET_WINOGRAD_P * (d[3] - DET_WINOGRAD_QQ * d[1]);
    det_winograd_lanes even_q = d[4] - DET_WINOGRAD_PP * d[2];
    det_winograd_lanes odd_q = DET_WINOGRAD_Q * (d[3] - DET_WINOGRAD_PP * d[1]);
    t[0] = even_p - DET_WINOGRAD_PP * (d[2] - DET_WINOGRAD_QQ * d[0]);
    t[1] = even_p + odd_p;
    t[2] = even_p - odd_p;
    t[3] = even_q + odd_q;
    t[4] = even_q - odd_q;
    t[5] = d[5] - DET_WINOGRAD_QQ * d[3] - DET_WINOGRAD_PP * (d[3] - DET_WINOGRAD_QQ * d[1]);
}

/* A^T: 6 to 4. */
DET_BODY void det_winograd_output(const det_winograd_lanes *m, det_winograd_lanes *y)
{
    det_winograd_lanes sum_p = m[1] + m[2];
    det_winograd_lanes difference_p = DET_WINOGRAD_P * (m[1] - m[2]);
    det_winograd_lanes sum_q = m[3] + m[4];
    det_winograd_lanes difference_q = DET_WINOGRAD_Q * (m[3] - m[4]);
    y[0] = m[0] + sum_p + sum_q;
    y[1] = difference_p + difference_q;
    y[2] = DET_WINOGRAD_PP * sum_p + DET_WINOGRAD_QQ * sum_q;
    y[3] = DET_WINOGRAD_PP * difference_p + DET_WINOGRAD_QQ * difference_q + m[5];
}

/* A: 4 to 6. */
DET_BODY void det_winograd_output_gradient(const det_winograd_lanes *dy, det_winograd_lanes *t)
{
    det_winograd_lanes even_p = dy[0] + DET_WINOGRAD_PP * dy[2];
    det_winograd_lanes odd_p = DET_WINOGRAD_P * (dy[1] + DET_WINOGRAD_PP * dy[3]);
    det_winograd_lanes even_q = dy[0] + DET_WINOGRAD_QQ * dy[2];
    det_winograd_lanes odd_q = DET_WINOGRAD_Q * (dy[1] + DET_WINOGRAD_QQ * dy[3]);
    t[0] = dy[0];
    t[1] = even_p + odd_p;
    t[2] = even_p - odd_p;
    t[3] = even_q + odd_q;
    t[4] = even_q - odd_q;
    t[5] = dy[3];
}

/* 1 over the product of the differences from a point to the others. */
#define DET_WINOGRAD_AT_0 (1.0f / (DET_WINOGRAD_PP * DET_WINOGRAD_QQ))
#define DET_WINOGRAD_AT_P (0.5f / (DET_WINOGRAD_PP * (DET_WINOGRAD_PP - DET_WINOGRAD_QQ)))
#define DET_WINOGRAD_AT_Q (0.5f / (DET_WINOGRAD_QQ * (DET_WINOGRAD_QQ - DET_WINOGRAD_PP)))

/* G: 3 to 6. */
DET_BODY void det_winograd_kernel(const det_winograd_lanes *g, det_winograd_lanes *u)
{
    det_winograd_lanes even_p = DET_WINOGRAD_AT_P * (g[0] + DET_WINOGRAD_PP * g[2]);
    det_winograd_lanes odd_p = DET_WINOGRAD_AT_P * (DET_WINOGRAD_P * g[1]);
    det_winograd_lanes even_q = DET_WINOGRAD_AT_Q * (g[0] + DET_WINOGRAD_QQ * g[2]);
    det_winograd_lanes odd_q = DET_WINOGRAD_AT_Q * (DET_WINOGRAD_Q * g[1]);
    u[0] = DET_WINOGRAD_AT_0 * g[0];
    u[1] = even_p + odd_p;
    u[2] = even_p - odd_p;
    u[3] = even_q + odd_q;
    u[4] = even_q - odd_q;
    u[5] = g[2];
}

/* G^T: 6 to 3. */
DET_BODY void det_winograd_kernel_gradient(const det_winograd_lanes *u, det_winograd_lanes *g)
{
    det_winograd_lanes sum_p = DET_WINOGRAD_AT_P * (u[1] + u[2]);
    det_winograd_lanes difference_p = DET_WINOGRAD_AT_P * (u[1] - u[2]);
    det_winograd_lanes sum_q = DET_WINOGRAD_AT_Q * (u[3] + u[4]);
    det_winograd_lanes difference_q = DET_WINOGRAD_AT_Q * (u[3] - u[4]);
    g[0] = DET_WINOGRAD_AT_0 * u[0] + sum_p + sum_q;
    g[1] = DET_WINOGRAD_P * difference_p + DET_WINOGRAD_Q * difference_q;
    g[2] = DET_WINOGRAD_PP * sum_p + DET_WINOGRAD_QQ * sum_q + u[5];
}

typedef void det_winograd_side(const det_winograd_lanes *from, det_winograd_lanes *to);

/* to [out, out] = S from [in, in] S^T for S the matrix of `side`. Element (i, j) is
 * DET_WINOGRAD_CHANNELS floats at from + i * row + j * column; likewise in `to`. Inlined, so that
 * every side has a loop of its own. */
__attribute__((always_inline)) DET_BODY void
det_winograd_both_sides(det_winograd_side *side, int in, int out, const float *from, size_t row,
                        size_t column, float *to, size_t to_row, size_t to_column)
{
    det_winograd_lanes half[DET_WINOGRAD_PATCH][DET_WINOGRAD_PATCH];
    det_winograd_lanes v[DET_WINOGRAD_PATCH], t[DET_WINOGRAD_PATCH];
    for (int j = 0; j < in; j++) {
        for (int i = 0; i < in; i++)
            v[i] = *(const det_winograd_lanes *)(from + (size_t)i * row + (size_t)j * column);
        side(v, t);
        for (int i = 0; i < out; i++)
            half[i][j] = t[i];
    }
    for (int i = 0; i < out; i++) {
        side(half[i], t);
        for (int j = 0; j < out; j++)
            *(det_winograd_lanes *)(to + (size_t)i * to_row + (size_t)j * to_column) = t[j];
    }
}

#endif
