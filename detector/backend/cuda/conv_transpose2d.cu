/* The transposed convolution of the mask predictor: kernel 2, stride 2, so that every output is one
 * product of a position with one tap. All images' positions stand beside each other. */
#include "detector/backend/cuda/channel_gradient.cuh"
#include "detector/backend/cuda/gemm.cuh"
#include "detector/bodies/affine.h"

#define TAPS 4 /* of the 2 x 2 kernel; tap = 2 row + column */

struct deconv_scratch {
    float *x; /* [c_in, n * plane]: the input, zero in dead images; or its gradient */
    float *z; /* [c_out * TAPS, n * plane]: products, or the output's gradient */
};

static int plane_of(const struct det_conv_transpose2d *s)
{
    return s->h_in * s->w_in;
}

static struct deconv_scratch take_scratch(struct det_cuda *cuda, const char *op,
                                          const struct det_conv_transpose2d *s)
{
    size_t columns = (size_t)s->n * (size_t)plane_of(s);
    size_t x = (size_t)s->c_in * columns * sizeof(float);
    size_t z = (size_t)s->c_out * TAPS * columns * sizeof(float);
    struct det_cut size = {NULL, 0};
    det_cut_take(&size, x);
    det_cut_take(&size, z);
    struct det_cut cut = {(unsigned char *)det_cuda_scratch(cuda, op, size.used), 0};
    struct deconv_scratch room;
    room.x = (float *)det_cut_take(&cut, x);
    room.z = (float *)det_cut_take(&cut, z);
    return room;
}

/* Images side by side: to[channel, image * plane + p] = from[image, channel, p], zero where dead. */
static void gather_images(struct det_cuda *cuda, const char *op,
                          const struct det_conv_transpose2d *shape, const float *from, float *to)
{
    struct det_conv_transpose2d s = *shape;
    size_t plane = (size_t)plane_of(shape);
    size_t columns = (size_t)s.n * plane;
    det_cuda_each(cuda, op, (size_t)s.c_in * columns, [=] __device__(size_t i) {
        size_t image = i % columns / plane;
        size_t at = (image * (size_t)s.c_in + i / columns) * plane + i % plane;
        to[i] = image < (size_t)det_live_rows(s.count, s.n) ? from[at] : 0.0f;
    });
}

/* Where row (channel, tap) and column (image, position) of z lie in y [n, c_out, 2 h, 2 w]. */
static __device__ inline size_t output_at(const struct det_conv_transpose2d *s, size_t row,
                                          size_t column)
{
    size_t plane = (size_t)s->h_in * (size_t)s->w_in;
    size_t w = (size_t)s->w_in;
    size_t p = column % plane;
    size_t tap = row % TAPS;
    size_t channel = column / plane * (size_t)s->c_out + row / TAPS;
    return channel * TAPS * plane + (2 * (p / w) + tap / 2) * 2 * w + 2 * (p % w) + tap % 2;
}

static void write_outputs(struct det_cuda *cuda, const struct det_conv_transpose2d *shape,
                          const float *z, const float *bias, float *y)
{
    struct det_conv_transpose2d s = *shape;
    size_t plane = (size_t)plane_of(shape);
    size_t columns = (size_t)s.n * plane;
    size_t n = (size_t)s.c_out * TAPS * columns;
    det_cuda_each(cuda, "conv_transpose2d_forward", n, [=] __device__(size_t i) {
        size_t row = i / columns;
        if (i % columns / plane < (size_t)det_live_rows(s.count, s.n))
            y[output_at(&s, row, i % columns)] =
                det_biased(z[i], bias ? bias[row / TAPS] : 0.0f, s.relu);
    });
}

void det_cuda_conv_transpose2d_forward(struct det_device *dev,
                                       const struct det_conv_transpose2d *shape, const float *x,
                                       const float *w, const float *bias, float *y)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    const char *op = "conv_transpose2d_forward";
    struct deconv_scratch room = take_scratch(cuda, op, shape);
    int columns = shape->n * plane_of(shape);
    int rows = shape->c_out * TAPS;
    gather_images(cuda, op, shape, x, room.x);
    det_cuda_gemm(cuda, op, 1, 0, rows, columns, shape->c_in, w, rows, room.x, columns, 0.0f,
                  room.z, columns);
    write_outputs(cuda, shape, room.z, bias, y);
}

static void read_output_gradient(struct det_cuda *cuda, const struct det_conv_transpose2d *shape,
                                 const float *dy, float *z)
{
    struct det_conv_transpose2d s = *shape;
    size_t plane = (size_t)plane_of(shape);
    size_t columns = (size_t)s.n * plane;
    size_t n = (size_t)s.c_out * TAPS * columns;
    det_cuda_each(cuda, "conv_transpose2d_backward", n, [=] __device__(size_t i) {
        int live = i % columns / plane < (size_t)det_live_rows(s.count, s.n);
        z[i] = live ? dy[output_at(&s, i / columns, i % columns)] : 0.0f;
    });
}

static void write_input_gradient(struct det_cuda *cuda, const struct det_conv_transpose2d *shape,
                                 const float *from, float *dx, int accumulate)
{
    struct det_conv_transpose2d s = *shape;
    size_t plane = (size_t)plane_of(shape);
    size_t columns = (size_t)s.n * plane;
    size_t n = (size_t)s.c_in * columns;
    det_cuda_each(cuda, "conv_transpose2d_backward", n, [=] __device__(size_t i) {
        size_t image = i % columns / plane;
        size_t at = (image * (size_t)s.c_in + i / columns) * plane + i % plane;
        if (image < (size_t)det_live_rows(s.count, s.n))
            dx[at] = accumulate ? dx[at] + from[i] : from[i];
    });
}

void det_cuda_conv_transpose2d_backward(struct det_device *dev,
                                        const struct det_conv_transpose2d *shape, const float *x,
                                        const float *w, const float *y, float *dy, float *dx,
                                        int accumulate, float *dw, float *dbias)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    const char *op = "conv_transpose2d_backward";
    int columns = shape->n * plane_of(shape);
    int rows = shape->c_out * TAPS;
    det_cuda_channel_gradient(cuda, op, shape->n, shape->c_out, TAPS * plane_of(shape),
                              shape->count, shape->relu ? y : NULL, dy, dbias);
    if (!dx && !dw)
        return;
    struct deconv_scratch room = take_scratch(cuda, op, shape);
    read_output_gradient(cuda, shape, dy, room.z);
    if (dw) {
        gather_images(cuda, op, shape, x, room.x);
        det_cuda_gemm(cuda, op, 0, 1, shape->c_in, rows, columns, room.x, columns, room.z, columns,
                      1.0f, dw, rows);
    }
    if (dx) {
        det_cuda_gemm(cuda, op, 0, 0, shape->c_in, columns, rows, w, rows, room.z, columns, 0.0f,
                      room.x, columns);
        write_input_gradient(cuda, shape, room.x, dx, accumulate);
    }
}
