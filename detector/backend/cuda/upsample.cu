/* Nearest-neighbour resampling; its gradient is gathered. */
#include "detector/backend/cuda/launch.cuh"
#include "detector/bodies/nearest.h"

void det_cuda_upsample_forward(struct det_device *dev, const struct det_upsample *shape,
                               const float *x, float *y)
{
    struct det_upsample s = *shape;
    size_t in = (size_t)s.h_in * (size_t)s.w_in;
    size_t out = (size_t)s.h_out * (size_t)s.w_out;
    size_t n = (size_t)s.n * (size_t)s.c * out;
    det_cuda_each(det_cuda_of(dev), "upsample_forward", n, [=] __device__(size_t i) {
        int p = (int)(i % out);
        int row = det_nearest_source(p / s.w_out, s.h_in, s.h_out);
        int column = det_nearest_source(p % s.w_out, s.w_in, s.w_out);
        y[i] = x[i / out * in + (size_t)(row * s.w_in + column)];
    });
}

/* The first output whose source is at or behind `source`; out where there is none. Sources ascend, so
 * looking begins two before where the ratio says, which its rounding may be off by. */
static __device__ inline int first_reader(int source, int in, int out)
{
    long long guess = (long long)source * out / in - 2;
    int i = guess < 0 ? 0 : (int)guess;
    while (i < out && det_nearest_source(i, in, out) < source)
        i++;
    return i;
}

void det_cuda_upsample_backward(struct det_device *dev, const struct det_upsample *shape,
                                const float *dy, float *dx, int accumulate)
{
    struct det_upsample s = *shape;
    size_t in = (size_t)s.h_in * (size_t)s.w_in;
    size_t out = (size_t)s.h_out * (size_t)s.w_out;
    size_t n = (size_t)s.n * (size_t)s.c * in;
    det_cuda_each(det_cuda_of(dev), "upsample_backward", n, [=] __device__(size_t i) {
        int row = (int)(i % in) / s.w_in;
        int column = (int)(i % in) % s.w_in;
        int left = first_reader(column, s.w_in, s.w_out);
        int right = first_reader(column + 1, s.w_in, s.w_out);
        int end = first_reader(row + 1, s.h_in, s.h_out);
        const float *from = dy + i / in * out;
        float sum = accumulate ? dx[i] : 0.0f;
        for (int r = first_reader(row, s.h_in, s.h_out); r < end; r++)
            for (int c = left; c < right; c++)
                sum += from[r * s.w_out + c];
        dx[i] = sum;
    });
}
