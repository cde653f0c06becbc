/* A convolution's windows as columns of a matrix, and back. Internal to layers/. */
#ifndef DET_LAYERS_IM2COL_H
#define DET_LAYERS_IM2COL_H

#include "detector/backend/backend.h"

/* col: row (c * kernel + ky) * kernel + kx, for the `channels` planes at x [channels, h_in, w_in];
 * columns are the output positions of rows [row, row + rows), row-major. ld: floats from one row of
 * col to the next. Padding reads as 0. */
void det_im2col(const struct det_conv2d *shape, const float *x, int channels, int row, int rows,
                float *col, int ld);

/* The transpose: adds the columns of all output rows onto x [channels, h_in, w_in]. */
void det_col2im(const struct det_conv2d *shape, const float *col, int ld, int channels, float *x);

#endif
