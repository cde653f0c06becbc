/* What the gradients of a layer with a bias begin with: the rectifier's mask, and sums by channel. */
#ifndef DET_BACKEND_CUDA_CHANNEL_GRADIENT_CUH
#define DET_BACKEND_CUDA_CHANNEL_GRADIENT_CUH

#include "detector/backend/cuda/launch.cuh"

/* dy [n, c, plane] of the live rows: multiplied by (y > 0) where y is given, in place; its sums over
 * rows and plane are added to dbias[c] where that is given, in double and in a fixed order. */
void det_cuda_channel_gradient(struct det_cuda *cuda, const char *op, int n, int c, int plane,
                               const int32_t *count, const float *y, float *dy, float *dbias);

#endif
