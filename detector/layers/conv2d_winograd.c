#include "detector/layers/conv2d_winograd.h"

#include "detector/backend/gemm.h"
#include "detector/layers/winograd_kernels.h"
#include "detector/layers/winograd_tiles.h"

#define BLOCK 32                /* tiles of an item: their points stay in a level 2 cache */
#define BUFFER_FLOATS (8 << 20) /* images are taken in chunks of about this size */
#define MIN_TILES 4             /* in a batch: fewer do not pay for transforming the kernels */
#define KERNELS_PER_TILE 2048   /* nor do fewer than one for so many kernels */

int det_conv2d_winograd_can(const struct det_conv2d *shape)
{
    return shape->kernel == 3 && shape->stride == 1 && shape->pad <= 2 &&
           shape->c_in % DET_WINOGRAD_CHANNELS == 0 && shape->c_out % DET_WINOGRAD_CHANNELS == 0;
}

int det_conv2d_winograd_suits(const struct det_conv2d *shape)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    int tiles = shape->n * grid.down * grid.across;
    return det_conv2d_winograd_can(shape) && tiles >= MIN_TILES &&
           tiles >= shape->c_in * shape->c_out / KERNELS_PER_TILE;
}

/* Images taken at once. */
static int chunk_of(const struct det_conv2d *shape)
{
    struct det_channels_last in = det_winograd_inputs(shape, 1);
    struct det_channels_last out = det_winograd_outputs(shape, 1);
    size_t image = det_channels_last_size(&in) + det_channels_last_size(&out);
    return det_max_int(1, det_min_int(shape->n, (int)(BUFFER_FLOATS / image)));
}

static size_t kernel_floats(const struct det_conv2d *shape)
{
    return DET_WINOGRAD_POINTS * det_winograd_stride(shape->c_in, shape->c_out);
}

void det_conv2d_winograd_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared)
{
    struct det_channels_last in = det_winograd_inputs(shape, chunk_of(shape));
    struct det_channels_last out = det_winograd_outputs(shape, chunk_of(shape));
    *per_worker =
        DET_WINOGRAD_POINTS * sizeof(float) *
        (det_winograd_stride(BLOCK, shape->c_in) + det_winograd_stride(BLOCK, shape->c_out));
    *shared = sizeof(float) *
              (kernel_floats(shape) + det_channels_last_size(&in) + det_channels_last_size(&out));
}

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    struct det_winograd_tiles grid;
    struct det_channels_last in_shape, out_shape;
    int tiles;                 /* of the chunk */
    float *kernels, *in, *out; /* in the shared scratch */
};

static void convolve_block(void *arg, int item, int worker)
{
    const struct job *job = arg;
    int c_in = job->shape.c_in;
    int c_out = job->shape.c_out;
    int first = item * BLOCK;
    int tiles = det_min_int(BLOCK, job->tiles - first);
    size_t in_stride = det_winograd_stride(BLOCK, c_in);
    size_t out_stride = det_winograd_stride(BLOCK, c_out);
    float *v = det_cpu_scratch(job->cpu, worker);
    size_t kernel_stride = det_winograd_stride(c_in, c_out);
    float *m = v + DET_WINOGRAD_POINTS * in_stride;
    det_winograd_transform_inputs(&job->in_shape, &job->grid, job->in, first, tiles, v, in_stride);
    for (int p = 0; p < DET_WINOGRAD_POINTS; p++)
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, tiles, c_out, c_in, 1.0f,
                 v + (size_t)p * in_stride, c_in, job->kernels + (size_t)p * kernel_stride, c_out,
                 0.0f, m + (size_t)p * out_stride, c_out);
    det_winograd_transform_outputs(&job->out_shape, &job->grid, m, out_stride, first, tiles,
                                   job->out);
}

void det_conv2d_winograd(const struct det_cpu *cpu, const struct det_conv2d *shape, const float *x,
                         const float *w, int transposed, const float *bias, int accumulate,
                         float *y)
{
    int live = det_live(shape->count, shape->n);
    int chunk = chunk_of(shape);
    struct job job = {.cpu = cpu, .shape = *shape, .grid = det_winograd_tiles(shape)};
    job.kernels = (float *)cpu->shared;
    job.in = job.kernels + kernel_floats(shape);
    if (live > 0)
        det_winograd_transform_kernels(cpu, shape, w, transposed, job.kernels);
    for (int first = 0; first < live; first += chunk) {
        int n = det_min_int(chunk, live - first);
        job.in_shape = det_winograd_inputs(shape, n);
        job.out_shape = det_winograd_outputs(shape, n);
        job.out = job.in + det_channels_last_size(&job.in_shape);
        job.tiles = n * job.grid.down * job.grid.across;
        size_t in = (size_t)first * (size_t)shape->c_in * (size_t)(shape->h_in * shape->w_in);
        size_t out = (size_t)first * (size_t)shape->c_out * (size_t)(shape->h_out * shape->w_out);
        det_to_channels_last(cpu, &job.in_shape, x + in, job.in);
        det_pool_run(cpu->pool, det_ceil_div(job.tiles, BLOCK), convolve_block, &job);
        det_from_channels_last(cpu, &job.out_shape, job.out, bias, shape->relu, accumulate,
                               y + out);
    }
}
