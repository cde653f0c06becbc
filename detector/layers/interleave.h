/* A transposed convolution's 2 x 2 output blocks: to and from rows of the output maps.
 * Internal to layers/. */
#ifndef DET_LAYERS_INTERLEAVE_H
#define DET_LAYERS_INTERLEAVE_H

#include <stddef.h>

/* z [h, w, c, 2, 2], a block for every position and channel, to y [c, 2 h, 2 w]: plus bias [c] (or
 * NULL), rectified with relu. */
void det_interleave(const float *z, int h, int w, int c, const float *bias, int relu, float *y);

/* And back. */
void det_deinterleave(const float *y, int h, int w, int c, float *z);

#endif
