/* Passes over one channel's plane, for norms and convolutions. Internal to layers/. */
#ifndef DET_LAYERS_PLANES_H
#define DET_LAYERS_PLANES_H

#include "detector/bodies/affine.h"

#include <stddef.h>

static inline void det_bias_plane(const float *x, float bias, int relu, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = det_biased(x[i], bias, relu);
}

static inline void det_scale_plane(const float *x, float centre, float scale, float shift, int relu,
                                   size_t n, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = det_scaled(x[i], centre, scale, shift, relu);
}

static inline void det_relu_mask_plane(const float *y, size_t n, float *dy)
{
    for (size_t i = 0; i < n; i++)
        dy[i] = det_relu_gradient(y[i], dy[i]);
}

#endif
