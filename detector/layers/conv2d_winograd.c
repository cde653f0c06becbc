#include "detector/layers/conv2d_winograd.h"

#include "detector/backend/gemm.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/integers.h"
#include "detector/layers/winograd_kernels.h"
#include "detector/layers/winograd_strips.h"

#define BLOCK DET_WINOGRAD_BLOCK
#define MIN_TILES 4           /* in a batch: fewer do not pay for transforming the kernels */
#define KERNELS_PER_TILE 2048 /* nor do fewer than one for so many kernels */

int det_conv2d_winograd_can(const struct det_conv2d *shape)
{
    return shape->kernel == 3 && shape->stride == 1 && shape->pad <= 2 &&
           shape->c_in % DET_WINOGRAD_CHANNELS == 0 && shape->c_out % DET_WINOGRAD_CHANNELS == 0;
}

int det_conv2d_winograd_suits(const struct det_conv2d *shape)
{
    struct det_winograd_strips strips = det_winograd_strips(shape);
    int tiles = shape->n * strips.down * strips.across;
    return det_conv2d_winograd_can(shape) && tiles >= MIN_TILES &&
           tiles >= shape->c_in * shape->c_out / KERNELS_PER_TILE;
}

void det_conv2d_winograd_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared)
{
    struct det_winograd_strips strips = det_winograd_strips(shape);
    struct det_winograd_strip largest = det_winograd_largest_strip(&strips, shape);
    struct det_channels_last in = det_winograd_inputs(shape, &largest, 0);
    size_t points = det_winograd_stride(largest.tiles, shape->c_in) +
                    det_winograd_stride(largest.tiles, shape->c_out);
    struct det_channels_last out = det_winograd_outputs(shape, &largest, 0);
    *per_worker = det_channels_last_size(&in); /* one place for the buffers of both */
    det_at_least(per_worker, det_channels_last_size(&out));
    *per_worker = sizeof(float) * (*per_worker + DET_WINOGRAD_POINTS * points);
    *shared = sizeof(float) * DET_WINOGRAD_POINTS * det_winograd_stride(shape->c_in, shape->c_out);
}

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    struct det_winograd_strips strips;
    int live;
    const float *x, *kernels, *bias;
    int accumulate;
    float *y;
};

/* The points v of a strip's inputs, block by block. */
static void transform_inputs(const struct job *job, const struct det_winograd_strip *strip,
                             const struct det_winograd_points *at, float *buffer, float *v)
{
    const struct det_conv2d *s = &job->shape;
    const float *x = job->x + det_conv2d_input_at(s, strip->image);
    for (int c = 0; c < s->c_in; c += BLOCK, x += BLOCK * s->h_in * s->w_in) {
        struct det_channels_last in = det_winograd_inputs(s, strip, c);
        det_to_channels_last(&in, x, buffer);
        det_winograd_transform_inputs(&in, buffer, at, v + c);
    }
}

/* m = v times the kernels, at every point. */
static void multiply(const struct job *job, int tiles, const struct det_winograd_points *in,
                     const float *v, const struct det_winograd_points *out, float *m)
{
    for (int p = 0; p < DET_WINOGRAD_POINTS; p++, v += in->stride, m += out->stride)
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, tiles, out->channels, in->channels, 1.0f, v,
                 in->channels,
                 job->kernels + (size_t)p * det_winograd_stride(in->channels, out->channels),
                 out->channels, 0.0f, m, out->channels);
}

/* The outputs of a strip from their points m. */
static void transform_outputs(const struct job *job, const struct det_winograd_strip *strip,
                              const struct det_winograd_points *at, const float *m, float *buffer)
{
    const struct det_conv2d *s = &job->shape;
    float *y = job->y + det_conv2d_output_at(s, strip->image);
    for (int c = 0; c < s->c_out; c += BLOCK, y += BLOCK * s->h_out * s->w_out) {
        struct det_channels_last out = det_winograd_outputs(s, strip, c);
        det_winograd_transform_outputs(&out, m + c, at, buffer);
        det_from_channels_last(&out, buffer, job->bias ? job->bias + c : NULL, s->relu,
                               job->accumulate, y);
    }
}

static void convolve_strip(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    struct det_winograd_strip strip = det_winograd_strip_at(&job->strips, job->live, item);
    struct det_winograd_points in = {s->c_in, det_winograd_stride(strip.tiles, s->c_in)};
    struct det_winograd_points out = {s->c_out, det_winograd_stride(strip.tiles, s->c_out)};
    float *v = det_cpu_scratch(job->cpu, worker);
    float *m = v + DET_WINOGRAD_POINTS * in.stride;
    float *buffer = m + DET_WINOGRAD_POINTS * out.stride;
    transform_inputs(job, &strip, &in, buffer, v);
    multiply(job, strip.tiles, &in, v, &out, m);
    transform_outputs(job, &strip, &out, m, buffer);
}

void det_conv2d_winograd(const struct det_cpu *cpu, const struct det_conv2d *shape, const float *x,
                         const float *w, int transposed, const float *bias, int accumulate,
                         float *y)
{
    float *kernels = (float *)cpu->shared;
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .strips = det_winograd_strips(shape),
                      .live = det_live(shape->count, shape->n),
                      .x = x,
                      .kernels = kernels,
                      .bias = bias,
                      .accumulate = accumulate,
                      .y = y};
    if (job.live == 0)
        return;
    det_winograd_transform_kernels(cpu, shape, w, transposed, kernels);
    det_pool_run(cpu->pool, det_winograd_strip_count(&job.strips, job.live), convolve_strip, &job);
}
