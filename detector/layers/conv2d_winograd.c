#include "detector/layers/conv2d_winograd.h"

#include "detector/backend/gemm.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/integers.h"
#include "detector/layers/winograd_kernels.h"
#include "detector/layers/winograd_strips.h"

#define BLOCK 32              /* tiles whose points are held at once */
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
    struct det_channels_last in = det_winograd_inputs(shape, &largest);
    struct det_channels_last out = det_winograd_outputs(shape, &largest);
    size_t points =
        det_winograd_stride(BLOCK, shape->c_in) + det_winograd_stride(BLOCK, shape->c_out);
    *per_worker = sizeof(float) * (det_channels_last_size(&in) + det_channels_last_size(&out) +
                                   DET_WINOGRAD_POINTS * points);
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

/* m = v times the kernels, at every point. */
static void multiply(const struct job *job, int tiles, const float *v, float *m)
{
    int c_in = job->shape.c_in;
    int c_out = job->shape.c_out;
    for (int p = 0; p < DET_WINOGRAD_POINTS; p++) {
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, tiles, c_out, c_in, 1.0f, v, c_in,
                 job->kernels + (size_t)p * det_winograd_stride(c_in, c_out), c_out, 0.0f, m,
                 c_out);
        v += det_winograd_stride(BLOCK, c_in);
        m += det_winograd_stride(BLOCK, c_out);
    }
}

static void convolve_strip(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    struct det_winograd_strip strip = det_winograd_strip_at(&job->strips, job->live, item);
    struct det_channels_last in = det_winograd_inputs(s, &strip);
    struct det_channels_last out = det_winograd_outputs(s, &strip);
    size_t in_stride = det_winograd_stride(BLOCK, s->c_in);
    float *v = det_cpu_scratch(job->cpu, worker);
    float *m = v + DET_WINOGRAD_POINTS * in_stride;
    float *x = m + DET_WINOGRAD_POINTS * det_winograd_stride(BLOCK, s->c_out);
    float *y = x + det_channels_last_size(&in);
    det_to_channels_last(&in, job->x + det_conv2d_input_at(s, strip.image), x);
    for (int first = 0; first < strip.tiles; first += BLOCK) {
        int tiles = det_min_int(BLOCK, strip.tiles - first);
        det_winograd_transform_inputs(&in, x, first, tiles, v, in_stride);
        multiply(job, tiles, v, m);
        det_winograd_transform_outputs(&out, m, det_winograd_stride(BLOCK, s->c_out), first, tiles,
                                       y);
    }
    det_from_channels_last(&out, y, job->bias, s->relu, job->accumulate,
                           job->y + det_conv2d_output_at(s, strip.image));
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
