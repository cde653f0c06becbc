/* Convolution as a matrix product over columns: every output position of some images beside each
 * other, [c_in kernel^2, images * h_out * w_out], so that one product serves many small images
 * (RoIs). Images are taken a chunk at a time, which bounds the scratch and fixes the order in which
 * chunks add to dw. Gradients are gathered, in a fixed order. */
#include "detector/backend/cuda/channel_gradient.cuh"
#include "detector/backend/cuda/gemm.cuh"
#include "detector/bodies/affine.h"

#define CHUNK_FLOATS ((size_t)64 << 20) /* of columns: 256 MiB, or one image */

/* Some images of a convolution. */
struct chunk {
    struct det_conv2d s;
    int first, images;
    size_t taps, plane, columns; /* rows of the columns; an output plane; images * plane */
};

static struct chunk first_chunk(const struct det_conv2d *s)
{
    struct chunk c = {*s, 0, 0, 0, 0, 0};
    c.taps = (size_t)s->c_in * (size_t)s->kernel * (size_t)s->kernel;
    c.plane = (size_t)s->h_out * (size_t)s->w_out;
    size_t images = CHUNK_FLOATS / (c.taps * c.plane);
    c.images = images < 1 ? 1 : images < (size_t)s->n ? (int)images : s->n;
    c.columns = (size_t)c.images * c.plane;
    return c;
}

/* Go on to the next images; 0 behind the last. */
static int next_chunk(struct chunk *c)
{
    c->first += c->images;
    int left = c->s.n - c->first;
    if (left <= 0)
        return 0;
    c->images = left < c->images ? left : c->images;
    c->columns = (size_t)c->images * c->plane;
    return 1;
}

struct conv_scratch {
    float *columns; /* [taps, columns] of x, or their gradients */
    float *outputs; /* [c_out, columns] */
};

static struct conv_scratch take_scratch(struct det_cuda *cuda, const char *op,
                                        const struct chunk *c)
{
    struct conv_scratch room;
    struct det_cut size = {NULL, 0};
    det_cut_take(&size, c->taps * c->columns * sizeof(float));
    det_cut_take(&size, (size_t)c->s.c_out * c->columns * sizeof(float));
    struct det_cut cut = {(unsigned char *)det_cuda_scratch(cuda, op, size.used), 0};
    room.columns = (float *)det_cut_take(&cut, c->taps * c->columns * sizeof(float));
    room.outputs = (float *)det_cut_take(&cut, (size_t)c->s.c_out * c->columns * sizeof(float));
    return room;
}

/* x under tap `tap` of the output position `column`; 0 off the map and in dead images. */
static __device__ inline float column_value(const struct chunk *c, const float *x, size_t tap,
                                            size_t column)
{
    const struct det_conv2d *s = &c->s;
    int image = c->first + (int)(column / c->plane);
    int p = (int)(column % c->plane);
    int k = (int)(tap % (size_t)(s->kernel * s->kernel));
    int row = p / s->w_out * s->stride - s->pad + k / s->kernel;
    int at = p % s->w_out * s->stride - s->pad + k % s->kernel;
    if (image >= det_live_rows(s->count, s->n) || row < 0 || row >= s->h_in || at < 0 ||
        at >= s->w_in)
        return 0.0f;
    size_t channel = tap / (size_t)(s->kernel * s->kernel);
    return x[(((size_t)image * (size_t)s->c_in + channel) * (size_t)s->h_in + (size_t)row) *
                 (size_t)s->w_in +
             (size_t)at];
}

static void fill_columns(struct det_cuda *cuda, const char *op, const struct chunk *chunk,
                         const float *x, float *columns)
{
    struct chunk c = *chunk;
    det_cuda_each(cuda, op, c.taps * c.columns, [=] __device__(size_t i) {
        columns[i] = column_value(&c, x, i / c.columns, i % c.columns);
    });
}

/* Where output (channel, column) of a chunk lies in y [n, c_out, plane]; -1 in a dead image. */
static __device__ inline long long output_at(const struct chunk *c, size_t channel, size_t column)
{
    size_t image = (size_t)c->first + column / c->plane;
    if (image >= (size_t)det_live_rows(c->s.count, c->s.n))
        return -1;
    return (long long)((image * (size_t)c->s.c_out + channel) * c->plane + column % c->plane);
}

static void write_outputs(struct det_cuda *cuda, const struct chunk *chunk, const float *outputs,
                          const float *bias, float *y)
{
    struct chunk c = *chunk;
    size_t n = (size_t)c.s.c_out * c.columns;
    det_cuda_each(cuda, "conv2d_forward", n, [=] __device__(size_t i) {
        size_t channel = i / c.columns;
        long long at = output_at(&c, channel, i % c.columns);
        if (at >= 0)
            y[at] = det_biased(outputs[i], bias ? bias[channel] : 0.0f, c.s.relu);
    });
}

void det_cuda_conv2d_forward(struct det_device *dev, const struct det_conv2d *shape,
                             const float *x, const float *w, const float *bias, float *y)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    const char *op = "conv2d_forward";
    if (shape->n == 0)
        return;
    struct chunk c = first_chunk(shape);
    struct conv_scratch room = take_scratch(cuda, op, &c);
    do {
        int columns = (int)c.columns;
        fill_columns(cuda, op, &c, x, room.columns);
        det_cuda_gemm(cuda, op, 0, 0, shape->c_out, columns, (int)c.taps, w, (int)c.taps,
                      room.columns, columns, 0.0f, room.outputs, columns);
        write_outputs(cuda, &c, room.outputs, bias, y);
    } while (next_chunk(&c));
}

/* The gradient of input (image, channel, row, at): of the taps that read it, in order. */
static __device__ inline float gather_taps(const struct chunk *c, const float *columns, int image,
                                           int channel, int row, int at)
{
    const struct det_conv2d *s = &c->s;
    float sum = 0.0f;
    for (int i = 0; i < s->kernel; i++)
        for (int j = 0; j < s->kernel; j++) {
            int r = row + s->pad - i;
            int q = at + s->pad - j;
            if (r < 0 || q < 0 || r % s->stride || q % s->stride)
                continue;
            r /= s->stride;
            q /= s->stride;
            if (r >= s->h_out || q >= s->w_out)
                continue;
            size_t tap = (size_t)((channel * s->kernel + i) * s->kernel + j);
            sum += columns[tap * c->columns + (size_t)(image - c->first) * c->plane +
                           (size_t)(r * s->w_out + q)];
        }
    return sum;
}

static void write_input_gradient(struct det_cuda *cuda, const struct chunk *chunk,
                                 const float *columns, float *dx, int accumulate)
{
    struct chunk c = *chunk;
    size_t plane = (size_t)c.s.h_in * (size_t)c.s.w_in;
    size_t row = (size_t)c.s.c_in * plane;
    size_t first = (size_t)c.first * row;
    det_cuda_each(cuda, "conv2d_backward", (size_t)c.images * row, [=] __device__(size_t i) {
        int image = c.first + (int)(i / row);
        int p = (int)(i % plane);
        if (image >= det_live_rows(c.s.count, c.s.n))
            return;
        float sum = gather_taps(&c, columns, image, (int)(i / plane % (size_t)c.s.c_in),
                                p / c.s.w_in, p % c.s.w_in);
        dx[first + i] = accumulate ? dx[first + i] + sum : sum;
    });
}

static void read_output_gradient(struct det_cuda *cuda, const struct chunk *chunk, const float *dy,
                                 float *outputs)
{
    struct chunk c = *chunk;
    size_t n = (size_t)c.s.c_out * c.columns;
    det_cuda_each(cuda, "conv2d_backward", n, [=] __device__(size_t i) {
        long long at = output_at(&c, i / c.columns, i % c.columns);
        outputs[i] = at >= 0 ? dy[at] : 0.0f;
    });
}

void det_cuda_conv2d_backward(struct det_device *dev, const struct det_conv2d *shape,
                              const float *x, const float *w, const float *y, float *dy, float *dx,
                              int accumulate, float *dw, float *dbias)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    const char *op = "conv2d_backward";
    det_cuda_channel_gradient(cuda, op, shape->n, shape->c_out, shape->h_out * shape->w_out,
                              shape->count, shape->relu ? y : NULL, dy, dbias);
    if (shape->n == 0 || (!dx && !dw))
        return;
    struct chunk c = first_chunk(shape);
    struct conv_scratch room = take_scratch(cuda, op, &c);
    do {
        int columns = (int)c.columns;
        int taps = (int)c.taps;
        read_output_gradient(cuda, &c, dy, room.outputs);
        if (dw) {
            fill_columns(cuda, op, &c, x, room.columns);
            det_cuda_gemm(cuda, op, 0, 1, shape->c_out, taps, columns, room.outputs, columns,
                          room.columns, columns, 1.0f, dw, taps);
        }
        if (dx) {
            det_cuda_gemm(cuda, op, 1, 0, taps, columns, shape->c_out, w, taps, room.outputs,
                          columns, 0.0f, room.columns, columns);
            write_input_gradient(cuda, &c, room.columns, dx, accumulate);
        }
    } while (next_chunk(&c));
}
