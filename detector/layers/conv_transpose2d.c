#include "detector/layers/conv_transpose2d.h"

#include "detector/backend/cpu.h"
#include "detector/backend/gemm.h"
#include "detector/bodies/affine.h"
#include "detector/layers/channel_gradient.h"
#include "detector/layers/integers.h"

#define TAPS 4     /* of the 2 x 2 kernel; tap = 2 row + column */
#define OUTPUTS 64 /* output channels whose part of dw one item of backward owns */
#define CHUNK 16   /* images whose dz is held at once: bounds the memory */

/* z[c_out * TAPS, plane]: an image's output, one row a channel and tap. */
static size_t z_size(const struct det_conv_transpose2d *s)
{
    return (size_t)s->c_out * TAPS * (size_t)(s->h_in * s->w_in);
}

void det_conv_transpose2d_scratch(const struct det_conv_transpose2d *shape, size_t *per_worker,
                                  size_t *shared)
{
    *per_worker = z_size(shape) * sizeof(float);
    *shared = (size_t)det_min_int(shape->n, CHUNK) * z_size(shape) * sizeof(float);
}

struct job {
    const struct det_cpu *cpu;
    struct det_conv_transpose2d shape;
    int first, end; /* images */
    const float *x, *w, *bias;
    float *y;  /* forward: the output; backward: its gradient */
    float *dz; /* of images first to end: [end - first, c_out * TAPS, plane] */
    float *dx, *dw;
    int accumulate;
};

/* One channel's taps [TAPS, h, w] to its map [2 h, 2 w]. */
static void interleave(const float *z, int h, int w, float bias, int relu, float *y)
{
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < h; i++) {
            const float *left = z + (size_t)((2 * row * h + i) * w);
            const float *right = left + (size_t)h * (size_t)w;
            float *to = y + (size_t)((2 * i + row) * 2 * w);
            for (int j = 0; j < w; j++) {
                to[2 * j] = det_biased(left[j], bias, relu);
                to[2 * j + 1] = det_biased(right[j], bias, relu);
            }
        }
}

/* And back. */
static void deinterleave(const float *y, int h, int w, float *z)
{
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < h; i++) {
            float *left = z + (size_t)((2 * row * h + i) * w);
            float *right = left + (size_t)h * (size_t)w;
            const float *from = y + (size_t)((2 * i + row) * 2 * w);
            for (int j = 0; j < w; j++) {
                left[j] = from[2 * j];
                right[j] = from[2 * j + 1];
            }
        }
}

static void forward_image(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int plane = s->h_in * s->w_in;
    float *z = det_cpu_scratch(job->cpu, worker);
    det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, s->c_out * TAPS, plane, s->c_in, 1.0f, job->w,
             s->c_out * TAPS, job->x + (size_t)item * (size_t)(s->c_in * plane), plane, 0.0f, z,
             plane);
    float *y = job->y + (size_t)item * z_size(s);
    for (int c = 0; c < s->c_out; c++) {
        size_t first = (size_t)c * TAPS * (size_t)plane;
        interleave(z + first, s->h_in, s->w_in, job->bias ? job->bias[c] : 0.0f, s->relu,
                   y + first);
    }
}

void det_conv_transpose2d_forward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                  const float *x, const float *w, const float *bias, float *y)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu, .shape = *shape, .x = x, .w = w, .bias = bias, .y = y};
    det_pool_run(cpu->pool, det_live(shape->count, shape->n), forward_image, &job);
}

/* dz of an image, and dx = w dz. */
static void backward_image(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int plane = s->h_in * s->w_in;
    int image = job->first + item;
    const float *dy = job->y + (size_t)image * z_size(s);
    float *dz = job->dz + (size_t)item * z_size(s);
    for (int c = 0; c < s->c_out; c++) {
        size_t first = (size_t)c * TAPS * (size_t)plane;
        deinterleave(dy + first, s->h_in, s->w_in, dz + first);
    }
    if (job->dx)
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, s->c_in, plane, s->c_out * TAPS, 1.0f, job->w,
                 s->c_out * TAPS, dz, plane, job->accumulate ? 1.0f : 0.0f,
                 job->dx + (size_t)image * (size_t)(s->c_in * plane), plane);
}

/* A block of columns of dw[c_in, c_out * TAPS] += x dz^T, image by image. */
static void weight_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int plane = s->h_in * s->w_in;
    int first = item * OUTPUTS;
    int outputs = det_min_int(OUTPUTS, s->c_out - first);
    const float *dz = job->dz + (size_t)first * TAPS * (size_t)plane;
    for (int i = job->first; i < job->end; i++, dz += z_size(s))
        det_gemm(DET_NO_TRANSPOSE, DET_TRANSPOSE, s->c_in, outputs * TAPS, plane, 1.0f,
                 job->x + (size_t)i * (size_t)(s->c_in * plane), plane, dz, plane, 1.0f,
                 job->dw + first * TAPS, s->c_out * TAPS);
}

void det_conv_transpose2d_backward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                   const float *x, const float *w, const float *y, float *dy,
                                   float *dx, int accumulate, float *dw, float *dbias)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    int live = det_live(shape->count, shape->n);
    det_channel_gradient(cpu, live, shape->c_out, 4 * shape->h_in * shape->w_in,
                         shape->relu ? y : NULL, dy, dbias);
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .x = x,
                      .w = w,
                      .y = dy,
                      .dz = (float *)cpu->shared,
                      .dx = dx,
                      .dw = dw,
                      .accumulate = accumulate};
    if (!dx && !dw)
        return;
    for (job.first = 0; job.first < live; job.first = job.end) {
        job.end = det_min_int(job.first + CHUNK, live);
        det_pool_run(cpu->pool, job.end - job.first, backward_image, &job);
        if (dw)
            det_pool_run(cpu->pool, det_ceil_div(shape->c_out, OUTPUTS), weight_block, &job);
    }
}
