/* A transposed convolution's 2 x 2 output blocks: to and from rows of the output maps.
 * Internal to layers/. */
#ifndef DET_LAYERS_INTERLEAVE_H
#define DET_LAYERS_INTERLEAVE_H

#include <stddef.h>

/* z [w, c, 2, 2], the blocks of a row of positions, to two rows of 2 w of each channel's map, which
 * starts at y + channel * plane: plus bias [c] (or NULL), rectified with relu. */
void det_interleave_row(const float *z, int w, int c, const float *bias, int relu, size_t plane,
                        float *y);

/* And back. */
void det_deinterleave_row(const float *y, size_t plane, int w, int c, float *z);

#endif
