/* Matrix transposition. Internal to layers/. */
#ifndef DET_LAYERS_TRANSPOSE_H
#define DET_LAYERS_TRANSPOSE_H

#include <stddef.h>

/* to[j * to_ld + i] = from[i * ld + j] for i < rows, j < columns; the two do not overlap. */
void det_transpose(int rows, int columns, const float *from, size_t ld, float *to, size_t to_ld);

#endif
