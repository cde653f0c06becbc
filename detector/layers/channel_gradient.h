/* What every convolution's backward starts with: relu's mask, and the bias's gradient.
 * Internal to layers/. */
#ifndef DET_LAYERS_CHANNEL_GRADIENT_H
#define DET_LAYERS_CHANNEL_GRADIENT_H

#include "detector/backend/cpu.h"

/* dy [n, c, plane]: masked in place by y > 0 unless y is NULL; dbias [c] += its sums, image by
 * image, in double; NULL: not wanted. */
void det_channel_gradient(const struct det_cpu *cpu, int n, int c, int plane, const float *y,
                          float *dy, float *dbias);

#endif
