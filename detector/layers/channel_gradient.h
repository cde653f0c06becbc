/* What every convolution's backward starts with: relu's mask, and the bias's gradient.
 * Internal to layers/. */
#ifndef DET_LAYERS_CHANNEL_GRADIENT_H
#define DET_LAYERS_CHANNEL_GRADIENT_H

#include "detector/backend/cpu.h"

/* dy [n, c, plane]: masked in place by y > 0 unless y is NULL; dbias [c] += its sums, image by
 * image, in double; NULL: not wanted. */
void det_channel_gradient(const struct det_cpu *cpu, int n, int c, int plane, const float *y,
                          float *dy, float *dbias);

/* The same of one channel of one image: dy [n] masked in place by y > 0 unless y is NULL; returns
 * its sum. */
double det_masked_sum(const float *y, size_t n, float *dy);

#endif
