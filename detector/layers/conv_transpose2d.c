#include "detector/layers/conv_transpose2d.h"

#include "detector/backend/cpu.h"
#include "detector/backend/gemm.h"
#include "detector/layers/channel_gradient.h"
#include "detector/layers/channels_last.h"
#include "detector/layers/interleave.h"
#include "detector/layers/small_product.h"
#include "detector/layers/transpose.h"

#define TAPS 4     /* of the 2 x 2 kernel; tap = 2 row + column */
#define COLUMNS 64 /* of dw that one item of backward owns */
#define CHUNK_FLOATS                                                                               \
    (1 << 18)       /* of dz that are held at once, about: 1 MiB, within a level 2 cache */
#define MIN_CHUNK 4 /* images */

/* An image's output as z [plane, c_out * TAPS]: the row of a position holds its 2 x 2 block of
 * every channel. */
static size_t z_size(const struct det_conv_transpose2d *s)
{
    return (size_t)s->c_out * TAPS * (size_t)(s->h_in * s->w_in);
}

/* Map rows of a small product of all outputs. */
static int rows_of_product(const struct det_conv_transpose2d *s)
{
    return det_small_rows(s->h_in, (double)s->w_in * s->c_in * s->c_out * TAPS, 1);
}

static int chunk_of(const struct det_conv_transpose2d *s)
{
    int images = (int)det_max_int(MIN_CHUNK, (int)(CHUNK_FLOATS / z_size(s)));
    return det_min_int(s->n, images);
}

/* Floats of the weights, turned. */
static size_t turned_size(const struct det_conv_transpose2d *s)
{
    return (size_t)s->c_in * (size_t)s->c_out * TAPS;
}

void det_conv_transpose2d_scratch(const struct det_conv_transpose2d *shape, size_t *per_worker,
                                  size_t *shared)
{
    size_t dx = (size_t)shape->c_in * (size_t)(shape->h_in * shape->w_in);
    *per_worker = z_size(shape) * sizeof(float);
    det_at_least(per_worker, dx * sizeof(float));
    *shared = (size_t)shape->n * (size_t)shape->c_out * sizeof(double) +
              (turned_size(shape) + (size_t)chunk_of(shape) * z_size(shape)) * sizeof(float);
}

struct job {
    const struct det_cpu *cpu;
    struct det_conv_transpose2d shape;
    int rows;       /* of a product */
    int first, end; /* images */
    const float *x, *w, *bias;
    float *y; /* forward */
    float *dy;
    double *sums;  /* [n, c_out] of dy: dbias is their sum in order of the images */
    float *turned; /* [c_out * TAPS, c_in] */
    float *dz;     /* of images first to end */
    float *dx, *dw, *dbias;
    const float *mask; /* y, or NULL without relu */
    int accumulate;
};

static void forward_image(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int plane = s->h_in * s->w_in;
    int outputs = s->c_out * TAPS;
    float *z = det_cpu_scratch(job->cpu, worker);
    const float *x = job->x + (size_t)item * (size_t)(s->c_in * plane);
    int step = job->rows * s->w_in;
    for (int p = 0; p < plane; p += step)
        det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, det_min_int(step, plane - p), outputs, s->c_in,
                 1.0f, x + p, plane, job->w, outputs, 0.0f, z + p * outputs, outputs);
    det_interleave(z, s->h_in, s->w_in, s->c_out, job->bias, s->relu,
                   job->y + (size_t)item * z_size(s));
}

void det_conv_transpose2d_forward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                  const float *x, const float *w, const float *bias, float *y)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu, .shape = *shape, .x = x, .w = w, .bias = bias, .y = y};
    job.rows = rows_of_product(shape);
    det_pool_run(cpu->pool, det_live(shape->count, shape->n), forward_image, &job);
}

/* relu's mask on an image's dy, and the sums of its channels. */
static void channel_sums(const struct job *job, int image, float *dy)
{
    const struct det_conv_transpose2d *s = &job->shape;
    size_t plane = (size_t)(TAPS * s->h_in * s->w_in);
    const float *y = job->mask ? job->mask + (size_t)image * z_size(s) : NULL;
    double *sums = job->sums + (size_t)image * (size_t)s->c_out;
    for (int c = 0; c < s->c_out; c++, dy += plane)
        sums[c] = det_masked_sum(y ? y + (size_t)c * plane : NULL, plane, dy);
}

/* dx of an image = dz times the turned weights, channels last, then to its place. */
static void input_gradient(const struct job *job, int image, const float *dz, float *product)
{
    const struct det_conv_transpose2d *s = &job->shape;
    int outputs = s->c_out * TAPS;
    int step = job->rows * s->w_in;
    int plane = s->h_in * s->w_in;
    struct det_channels_last map = {.n = 1,
                                    .c = s->c_in,
                                    .h = s->h_in,
                                    .w = s->w_in,
                                    .of = s->c_in,
                                    .rows = s->h_in,
                                    .columns = s->w_in};
    for (int p = 0; p < plane; p += step)
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, det_min_int(step, plane - p), s->c_in, outputs,
                 1.0f, dz + p * outputs, outputs, job->turned, s->c_in, 0.0f, product + p * s->c_in,
                 s->c_in);
    det_from_channels_last(&map, product, NULL, 0, job->accumulate,
                           job->dx + (size_t)image * (size_t)(s->c_in * plane));
}

static void backward_image(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int image = job->first + item;
    float *dy = job->dy + (size_t)image * z_size(s);
    float *dz = job->dz + (size_t)item * z_size(s);
    channel_sums(job, image, dy);
    det_deinterleave(dy, s->h_in, s->w_in, s->c_out, dz);
    if (job->dx)
        input_gradient(job, image, dz, det_cpu_scratch(job->cpu, worker));
}

/* A block of columns of dw [c_in, c_out * TAPS] += x dz, image by image. */
static void weight_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv_transpose2d *s = &job->shape;
    int plane = s->h_in * s->w_in;
    int outputs = s->c_out * TAPS;
    int first = item * COLUMNS;
    int columns = det_min_int(COLUMNS, outputs - first);
    const float *dz = job->dz + first;
    for (int i = job->first; i < job->end; i++, dz += z_size(s))
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, s->c_in, columns, plane, 1.0f,
                 job->x + (size_t)i * (size_t)(s->c_in * plane), plane, dz, outputs, 1.0f,
                 job->dw + first, outputs);
}

static void add_bias_gradient(const struct job *job, int live)
{
    int c_out = job->shape.c_out;
    for (int c = 0; c < c_out; c++) {
        double sum = 0.0;
        for (int i = 0; i < live; i++)
            sum += job->sums[i * c_out + c];
        job->dbias[c] += (float)sum;
    }
}

static void backward_chunks(struct job *job, int live)
{
    const struct det_conv_transpose2d *s = &job->shape;
    int outputs = s->c_out * TAPS;
    det_transpose(s->c_in, outputs, job->w, (size_t)outputs, job->turned, (size_t)s->c_in);
    for (job->first = 0; job->first < live; job->first = job->end) {
        job->end = det_min_int(job->first + chunk_of(s), live);
        det_pool_run(job->cpu->pool, job->end - job->first, backward_image, job);
        if (job->dw)
            det_pool_run(job->cpu->pool, det_ceil_div(outputs, COLUMNS), weight_block, job);
    }
    if (job->dbias)
        add_bias_gradient(job, live);
}

void det_conv_transpose2d_backward(struct det_device *dev, const struct det_conv_transpose2d *shape,
                                   const float *x, const float *w, const float *y, float *dy,
                                   float *dx, int accumulate, float *dw, float *dbias)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    int live = det_live(shape->count, shape->n);
    const float *mask = shape->relu ? y : NULL;
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .rows = rows_of_product(shape),
                      .x = x,
                      .w = w,
                      .dy = dy,
                      .dx = dx,
                      .dw = dw,
                      .dbias = dbias,
                      .mask = mask,
                      .accumulate = accumulate};
    job.sums = (double *)cpu->shared;
    job.turned = (float *)(job.sums + (size_t)shape->n * (size_t)shape->c_out);
    job.dz = job.turned + turned_size(shape);
    if (dx || dw)
        backward_chunks(&job, live);
    else
        det_channel_gradient(cpu, live, shape->c_out, TAPS * shape->h_in * shape->w_in, mask, dy,
                             dbias);
}
