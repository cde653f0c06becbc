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
 * Each function is one matrix applied along one side, for DET_WINOGRAD_LANES channels at once:
 * element k of a vector is at [k * stride], its channels in a row. */
#ifndef DET_BODIES_WINOGRAD_H
#define DET_BODIES_WINOGRAD_H

#include "detector/bodies/host_device.h"

#define DET_WINOGRAD_LANES 16
#define DET_WINOGRAD_OUT 4   /* outputs a side */
#define DET_WINOGRAD_PATCH 6 /* inputs a side */
#define DET_WINOGRAD_POINTS 36

#define DET_WINOGRAD_P 0.75f /* the points p and q */
#define DET_WINOGRAD_Q 1.5f
#define DET_WINOGRAD_PP (DET_WINOGRAD_P * DET_WINOGRAD_P)
#define DET_WINOGRAD_QQ (DET_WINOGRAD_Q * DET_WINOGRAD_Q)

/* B^T: 6 to 6. Row i is the polynomial with roots at all finite points but the i-th. */
DET_BODY void det_winograd_input(const float *restrict d, int stride, float *restrict t,
                                 int t_stride)
{
    for (int c = 0; c < DET_WINOGRAD_LANES; c++) {
        float d0 = d[c], d1 = d[stride + c], d2 = d[2 * stride + c];
        float d3 = d[3 * stride + c], d4 = d[4 * stride + c], d5 = d[5 * stride + c];
        float even_p = d4 - DET_WINOGRAD_QQ * d2;
        float odd_p = DET_WINOGRAD_P * (d3 - DET_WINOGRAD_QQ * d1);
        float even_q = d4 - DET_WINOGRAD_PP * d2;
        float odd_q = DET_WINOGRAD_Q * (d3 - DET_WINOGRAD_PP * d1);
        t[c] = even_p - DET_WINOGRAD_PP * (d2 - DET_WINOGRAD_QQ * d0);
        t[t_stride + c] = even_p + odd_p;
        t[2 * t_stride + c] = even_p - odd_p;
        t[3 * t_stride + c] = even_q + odd_q;
        t[4 * t_stride + c] = even_q - odd_q;
        t[5 * t_stride + c] = d5 - DET_WINOGRAD_QQ * d3 - DET_WINOGRAD_PP * (d3 - DET_WINOGRAD_QQ * d1);
    }
}

/* A^T: 6 to 4. */
DET_BODY void det_winograd_output(const float *restrict m, int stride, float *restrict y,
                                  int y_stride)
{
    for (int c = 0; c < DET_WINOGRAD_LANES; c++) {
        float sum_p = m[stride + c] + m[2 * stride + c];
        float difference_p = DET_WINOGRAD_P * (m[stride + c] - m[2 * stride + c]);
        float sum_q = m[3 * stride + c] + m[4 * stride + c];
        float difference_q = DET_WINOGRAD_Q * (m[3 * stride + c] - m[4 * stride + c]);
        y[c] = m[c] + sum_p + sum_q;
        y[y_stride + c] = difference_p + difference_q;
        y[2 * y_stride + c] = DET_WINOGRAD_PP * sum_p + DET_WINOGRAD_QQ * sum_q;
        y[3 * y_stride + c] = DET_WINOGRAD_PP * difference_p + DET_WINOGRAD_QQ * difference_q +
                              m[5 * stride + c];
    }
}

/* A: 4 to 6, the transpose of the output's. */
DET_BODY void det_winograd_output_gradient(const float *restrict dy, int stride,
                                           float *restrict t, int t_stride)
{
    for (int c = 0; c < DET_WINOGRAD_LANES; c++) {
        float y0 = dy[c], y1 = dy[stride + c], y2 = dy[2 * stride + c], y3 = dy[3 * stride + c];
        float even_p = y0 + DET_WINOGRAD_PP * y2;
        float odd_p = DET_WINOGRAD_P * (y1 + DET_WINOGRAD_PP * y3);
        float even_q = y0 + DET_WINOGRAD_QQ * y2;
        float odd_q = DET_WINOGRAD_Q * (y1 + DET_WINOGRAD_QQ * y3);
        t[c] = y0;
        t[t_stride + c] = even_p + odd_p;
        t[2 * t_stride + c] = even_p - odd_p;
        t[3 * t_stride + c] = even_q + odd_q;
        t[4 * t_stride + c] = even_q - odd_q;
        t[5 * t_stride + c] = y3;
    }
}

/* Products of the differences from each point to the others. */
#define DET_WINOGRAD_AT_0 (1.0f / (DET_WINOGRAD_PP * DET_WINOGRAD_QQ))
#define DET_WINOGRAD_AT_P (0.5f / (DET_WINOGRAD_PP * (DET_WINOGRAD_PP - DET_WINOGRAD_QQ)))
#define DET_WINOGRAD_AT_Q (0.5f / (DET_WINOGRAD_QQ * (DET_WINOGRAD_QQ - DET_WINOGRAD_PP)))

/* G: 3 to 6. */
DET_BODY void det_winograd_kernel(const float *restrict g, int stride, float *restrict u,
                                  int u_stride)
{
    for (int c = 0; c < DET_WINOGRAD_LANES; c++) {
        float g0 = g[c], g1 = g[stride + c], g2 = g[2 * stride + c];
        float even_p = DET_WINOGRAD_AT_P * (g0 + DET_WINOGRAD_PP * g2);
        float odd_p = DET_WINOGRAD_AT_P * (DET_WINOGRAD_P * g1);
        float even_q = DET_WINOGRAD_AT_Q * (g0 + DET_WINOGRAD_QQ * g2);
        float odd_q = DET_WINOGRAD_AT_Q * (DET_WINOGRAD_Q * g1);
        u[c] = DET_WINOGRAD_AT_0 * g0;
        u[u_stride + c] = even_p + odd_p;
        u[2 * u_stride + c] = even_p - odd_p;
        u[3 * u_stride + c] = even_q + odd_q;
        u[4 * u_stride + c] = even_q - odd_q;
        u[5 * u_stride + c] = g2;
    }
}

/* G^T: 6 to 3. */
DET_BODY void det_winograd_kernel_gradient(const float *restrict u, int stride, float *restrict g,
                                           int g_stride)
{
    for (int c = 0; c < DET_WINOGRAD_LANES; c++) {
        float sum_p = DET_WINOGRAD_AT_P * (u[stride + c] + u[2 * stride + c]);
        float difference_p = DET_WINOGRAD_AT_P * (u[stride + c] - u[2 * stride + c]);
        float sum_q = DET_WINOGRAD_AT_Q * (u[3 * stride + c] + u[4 * stride + c]);
        float difference_q = DET_WINOGRAD_AT_Q * (u[3 * stride + c] - u[4 * stride + c]);
        g[c] = DET_WINOGRAD_AT_0 * u[c] + sum_p + sum_q;
        g[g_stride + c] = DET_WINOGRAD_P * difference_p + DET_WINOGRAD_Q * difference_q;
        g[2 * g_stride + c] = DET_WINOGRAD_PP * sum_p + DET_WINOGRAD_QQ * sum_q + u[5 * stride + c];
    }
}

#endif
