/* Layers whose outputs each depend on one place: sums, frozen batch norm, normalising images. */
#include "detector/backend/cuda/launch.cuh"
#include "detector/bodies/affine.h"
#include "detector/bodies/normalize.h"

void det_cuda_add_forward(struct det_device *dev, size_t n, int relu, const float *a,
                          const float *b, float *y)
{
    det_cuda_each(det_cuda_of(dev), "add_forward", n,
                  [=] __device__(size_t i) { y[i] = det_biased(a[i], b[i], relu); });
}

void det_cuda_add_backward(struct det_device *dev, size_t n, int relu, const float *y, float *dy,
                           float *da, int accumulate_a, float *db, int accumulate_b)
{
    det_cuda_each(det_cuda_of(dev), "add_backward", n, [=] __device__(size_t i) {
        float d = relu ? det_relu_gradient(y[i], dy[i]) : dy[i];
        if (relu)
            dy[i] = d;
        if (da && da != dy)
            da[i] = accumulate_a ? da[i] + d : d;
        if (db && db != dy)
            db[i] = accumulate_b ? db[i] + d : d;
    });
}

void det_cuda_frozen_bn_forward(struct det_device *dev, const struct det_norm *shape,
                                const float *x, const float *weight, const float *bias,
                                const float *mean, const float *var, float *y)
{
    struct det_norm s = *shape;
    size_t plane = (size_t)s.h * (size_t)s.w;
    size_t n = (size_t)s.n * (size_t)s.c * plane;
    det_cuda_each(det_cuda_of(dev), "frozen_bn_forward", n, [=] __device__(size_t i) {
        size_t c = i / plane % (size_t)s.c;
        float scale = det_frozen_scale(weight[c], var[c], s.eps);
        y[i] = det_scaled(x[i], mean[c], scale, bias[c], s.relu);
    });
}

void det_cuda_frozen_bn_backward(struct det_device *dev, const struct det_norm *shape,
                                 const float *weight, const float *var, const float *y, float *dy,
                                 float *dx, int accumulate)
{
    struct det_norm s = *shape;
    size_t plane = (size_t)s.h * (size_t)s.w;
    size_t n = (size_t)s.n * (size_t)s.c * plane;
    det_cuda_each(det_cuda_of(dev), "frozen_bn_backward", n, [=] __device__(size_t i) {
        size_t c = i / plane % (size_t)s.c;
        float d = s.relu ? det_relu_gradient(y[i], dy[i]) : dy[i];
        float step = d * det_frozen_scale(weight[c], var[c], s.eps);
        if (s.relu)
            dy[i] = d;
        if (dx)
            dx[i] = accumulate ? dx[i] + step : step;
    });
}

void det_cuda_normalize(struct det_device *dev, int n, int h, int w, const float *heights,
                        const float *widths, const float *x, float *y)
{
    size_t plane = (size_t)h * (size_t)w;
    size_t all = 3 * (size_t)n * plane;
    det_cuda_each(det_cuda_of(dev), "normalize", all, [=] __device__(size_t i) {
        size_t image = i / (3 * plane);
        int row = (int)(i % plane / (size_t)w);
        int column = (int)(i % (size_t)w);
        int live = row < (int)heights[image] && column < (int)widths[image];
        y[i] = live ? det_normalized(x[i], (int)(i / plane % 3)) : 0.0f;
    });
}
