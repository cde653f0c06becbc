/* Max pooling; its gradient is gathered, so that no two threads write the same place. */
#include "detector/backend/cuda/launch.cuh"

static __device__ inline int larger_int(int a, int b)
{
    return a > b ? a : b;
}

static __device__ inline int smaller_int(int a, int b)
{
    return a < b ? a : b;
}

/* The window of output (row, column) of a plane: its first maximum; a NaN wins. */
static __device__ inline void pool_window(const struct det_pool2d *s, const float *x, int row,
                                          int column, float *y, int32_t *argmax)
{
    int top = row * s->stride - s->pad;
    int left = column * s->stride - s->pad;
    float best = -INFINITY;
    int at = larger_int(top, 0) * s->w_in + larger_int(left, 0);
    for (int i = larger_int(top, 0); i < smaller_int(top + s->kernel, s->h_in); i++)
        for (int j = larger_int(left, 0); j < smaller_int(left + s->kernel, s->w_in); j++) {
            float value = x[i * s->w_in + j];
            if (value > best || isnan(value)) {
                best = value;
                at = i * s->w_in + j;
            }
        }
    *y = best;
    *argmax = at;
}

void det_cuda_max_pool2d_forward(struct det_device *dev, const struct det_pool2d *shape,
                                 const float *x, float *y, int32_t *argmax)
{
    struct det_pool2d s = *shape;
    size_t in = (size_t)s.h_in * (size_t)s.w_in;
    size_t out = (size_t)s.h_out * (size_t)s.w_out;
    size_t n = (size_t)s.n * (size_t)s.c * out;
    det_cuda_each(det_cuda_of(dev), "max_pool2d_forward", n, [=] __device__(size_t i) {
        int p = (int)(i % out);
        pool_window(&s, x + i / out * in, p / s.w_out, p % s.w_out, &y[i], &argmax[i]);
    });
}

/* What the outputs hand to input `at` (row, column), in ascending order of outputs. */
static __device__ inline float pool_gather(const struct det_pool2d *s, const int32_t *argmax,
                                           const float *dy, int at, float sum)
{
    int row = at / s->w_in + s->pad;
    int column = at % s->w_in + s->pad;
    int first_row = row < s->kernel ? 0 : (row - s->kernel) / s->stride + 1;
    int first_column = column < s->kernel ? 0 : (column - s->kernel) / s->stride + 1;
    for (int i = first_row; i <= row / s->stride && i < s->h_out; i++)
        for (int j = first_column; j <= column / s->stride && j < s->w_out; j++)
            if (argmax[i * s->w_out + j] == at)
                sum += dy[i * s->w_out + j];
    return sum;
}

void det_cuda_max_pool2d_backward(struct det_device *dev, const struct det_pool2d *shape,
                                  const int32_t *argmax, const float *dy, float *dx,
                                  int accumulate)
{
    struct det_pool2d s = *shape;
    size_t in = (size_t)s.h_in * (size_t)s.w_in;
    size_t out = (size_t)s.h_out * (size_t)s.w_out;
    size_t n = (size_t)s.n * (size_t)s.c * in;
    det_cuda_each(det_cuda_of(dev), "max_pool2d_backward", n, [=] __device__(size_t i) {
        size_t plane = i / in;
        dx[i] = pool_gather(&s, argmax + plane * out, dy + plane * out, (int)(i % in),
                            accumulate ? dx[i] : 0.0f);
    });
}
