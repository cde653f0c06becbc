#include "detector/backend/gemm.h"
#include "detector/layers/conv2d_winograd.h"
#include "detector/layers/winograd_kernels.h"
#include "detector/layers/winograd_tiles.h"

#define BLOCK 16        /* tiles whose points one item computes */
#define CHUNK_TILES 512 /* images are taken in chunks of about as many tiles: bounds the memory */

struct job {
    struct det_conv2d shape;
    struct det_winograd_tiles grid;
    struct det_channels_last in_shape, out_shape;
    int tiles; /* of the chunk */
    int first; /* is it the first chunk? */
    size_t in_stride, out_stride;
    float *in, *out;        /* x and dy, channels last */
    float *v, *d, *kernels; /* their points, and the gradient's */
};

static int chunk_of(const struct det_conv2d *shape)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    return det_max_int(1, det_min_int(shape->n, CHUNK_TILES / (grid.down * grid.across)));
}

/* Lay the job's arrays out for chunks of at most n images from `base`; returns the floats taken. */
static size_t lay_out(struct job *job, int n, float *base)
{
    const struct det_conv2d *s = &job->shape;
    int tiles = n * job->grid.down * job->grid.across;
    struct det_channels_last in = det_winograd_inputs(s, n);
    struct det_channels_last out = det_winograd_outputs(s, n);
    size_t kernels = DET_WINOGRAD_POINTS * det_winograd_stride(s->c_in, s->c_out);
    size_t in_at = kernels;
    size_t out_at = in_at + det_channels_last_size(&in);
    size_t v_at = out_at + det_channels_last_size(&out);
    job->in_stride = det_winograd_stride(tiles, s->c_in);
    job->out_stride = det_winograd_stride(tiles, s->c_out);
    size_t d_at = v_at + DET_WINOGRAD_POINTS * job->in_stride;
    if (base) {
        job->kernels = base;
        job->in = base + in_at;
        job->out = base + out_at;
        job->v = base + v_at;
        job->d = base + d_at;
    }
    return d_at + DET_WINOGRAD_POINTS * job->out_stride;
}

size_t det_conv2d_winograd_gradient_scratch(const struct det_conv2d *shape)
{
    struct job job = {.shape = *shape, .grid = det_winograd_tiles(shape)};
    return lay_out(&job, chunk_of(shape), NULL) * sizeof(float);
}

static void transform_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    int first = item * BLOCK;
    int tiles = det_min_int(BLOCK, job->tiles - first);
    det_winograd_transform_inputs(&job->in_shape, &job->grid, job->in, first, tiles,
                                  job->v + first * job->shape.c_in, job->in_stride);
    det_winograd_transform_gradients(&job->out_shape, &job->grid, job->out, first, tiles,
                                     job->d + first * job->shape.c_out, job->out_stride);
}

/* An item is a point: kernels[c_in, c_out] = (or, from the second chunk on, +=) v^T d, over the
 * chunk's tiles. */
static void multiply_point(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    int c_in = job->shape.c_in;
    int c_out = job->shape.c_out;
    det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, c_in, c_out, job->tiles, 1.0f,
             job->v + (size_t)item * job->in_stride, c_in, job->d + (size_t)item * job->out_stride,
             c_out, job->first ? 0.0f : 1.0f,
             job->kernels + (size_t)item * det_winograd_stride(c_in, c_out), c_out);
}

void det_conv2d_winograd_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                  const float *x, const float *dy, float *dw)
{
    int live = det_live(shape->count, shape->n);
    int chunk = chunk_of(shape);
    struct job job = {.shape = *shape, .grid = det_winograd_tiles(shape)};
    lay_out(&job, chunk, (float *)cpu->shared);
    for (int first = 0; first < live; first += chunk) {
        int n = det_min_int(chunk, live - first);
        job.in_shape = det_winograd_inputs(shape, n);
        job.out_shape = det_winograd_outputs(shape, n);
        job.tiles = n * job.grid.down * job.grid.across;
        job.first = first == 0;
        size_t in = (size_t)first * (size_t)shape->c_in * (size_t)(shape->h_in * shape->w_in);
        size_t out = (size_t)first * (size_t)shape->c_out * (size_t)(shape->h_out * shape->w_out);
        det_to_channels_last(cpu, &job.in_shape, x + in, job.in);
        det_to_channels_last(cpu, &job.out_shape, dy + out, job.out);
        det_pool_run(cpu->pool, det_ceil_div(job.tiles, BLOCK), transform_block, &job);
        det_pool_run(cpu->pool, DET_WINOGRAD_POINTS, multiply_point, &job);
    }
    if (live > 0)
        det_winograd_add_kernel_gradients(cpu, shape, job.kernels, dw);
}
