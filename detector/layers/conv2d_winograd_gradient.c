#include "detector/backend/gemm.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/conv2d_winograd.h"
#include "detector/layers/integers.h"
#include "detector/layers/winograd_kernels.h"
#include "detector/layers/winograd_strips.h"

#define BLOCK DET_WINOGRAD_BLOCK
#define CHUNK_TILES 48 /* of strips taken together, about, so that their points stay in a cache; twice   \
                          as many with large kernels */

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    struct det_winograd_strips strips;
    int live;
    int first; /* strip of the chunk */
    int tiles; /* of the chunk */
    struct det_winograd_points in, out;
    const float *x, *dy;
    float *v, *d, *kernels; /* the points of x and dy, and the gradient's; in the shared scratch */
};

/* Tiles of a chunk, at most. */
static int most_tiles(const struct job *job)
{
    struct det_winograd_strip largest = det_winograd_largest_strip(&job->strips, &job->shape);
    int all = job->shape.n * job->strips.down * job->strips.across;
    int chunk = det_winograd_has_small_kernels(&job->shape) ? CHUNK_TILES : 2 * CHUNK_TILES;
    return det_min_int(all, det_max_int(chunk, largest.tiles));
}

/* Lay out the shared scratch; returns the floats taken. */
static size_t lay_out(struct job *job, float *shared)
{
    const struct det_conv2d *s = &job->shape;
    int tiles = most_tiles(job);
    size_t kernels = DET_WINOGRAD_POINTS * det_winograd_stride(s->c_in, s->c_out);
    job->in = (struct det_winograd_points){s->c_in, det_winograd_stride(tiles, s->c_in)};
    job->out = (struct det_winograd_points){s->c_out, det_winograd_stride(tiles, s->c_out)};
    size_t v = DET_WINOGRAD_POINTS * job->in.stride;
    if (shared) {
        job->kernels = shared;
        job->v = shared + kernels;
        job->d = job->v + v;
    }
    return kernels + v + DET_WINOGRAD_POINTS * job->out.stride;
}

void det_conv2d_winograd_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                          size_t *shared)
{
    struct job job = {.shape = *shape, .strips = det_winograd_strips(shape)};
    struct det_winograd_strip largest = det_winograd_largest_strip(&job.strips, shape);
    struct det_channels_last in = det_winograd_inputs(shape, &largest, 0);
    struct det_channels_last out = det_winograd_outputs(shape, &largest, 0);
    *per_worker = det_channels_last_size(&in) * sizeof(float); /* one place for the buffers of both */
    det_at_least(per_worker, det_channels_last_size(&out) * sizeof(float));
    *shared = lay_out(&job, NULL) * sizeof(float);
}

/* Block by block: the points of a strip's inputs, and of its outputs' gradient. */
static void transform_strip(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int index = job->first + item;
    struct det_winograd_strip strip = det_winograd_strip_at(&job->strips, job->live, index);
    float *buffer = det_cpu_scratch(job->cpu, worker);
    int before = det_winograd_tiles_before(&job->strips, index) -
                 det_winograd_tiles_before(&job->strips, job->first);
    const float *x = job->x + det_conv2d_input_at(s, strip.image);
    for (int c = 0; c < s->c_in; c += BLOCK, x += BLOCK * s->h_in * s->w_in) {
        struct det_channels_last in = det_winograd_inputs(s, &strip, c);
        det_to_channels_last(&in, x, buffer);
        det_winograd_transform_inputs(&in, buffer, &job->in, job->v + before * s->c_in + c);
    }
    const float *dy = job->dy + det_conv2d_output_at(s, strip.image);
    for (int c = 0; c < s->c_out; c += BLOCK, dy += BLOCK * s->h_out * s->w_out) {
        struct det_channels_last out = det_winograd_outputs(s, &strip, c);
        det_to_channels_last(&out, dy, buffer);
        det_winograd_transform_gradients(&out, buffer, &job->out, job->d + before * s->c_out + c);
    }
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
             job->v + (size_t)item * job->in.stride, c_in, job->d + (size_t)item * job->out.stride,
             c_out, job->first == 0 ? 0.0f : 1.0f,
             job->kernels + (size_t)item * det_winograd_stride(c_in, c_out), c_out);
}

/* Tiles of the strips [first, end); the batch's last may hold fewer images than the others. */
static int tiles_between(const struct job *job, int first, int end)
{
    struct det_winograd_strip last = det_winograd_strip_at(&job->strips, job->live, end - 1);
    return det_winograd_tiles_before(&job->strips, end - 1) + last.tiles -
           det_winograd_tiles_before(&job->strips, first);
}

/* The end of a chunk that starts with a strip. */
static int chunk_end(const struct job *job, int first, int count)
{
    int most = most_tiles(job);
    int end = first + 1;
    while (end < count && tiles_between(job, first, end + 1) <= most)
        end++;
    return end;
}

void det_conv2d_winograd_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                  const float *x, const float *dy, float *dw)
{
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .strips = det_winograd_strips(shape),
                      .live = det_live(shape->count, shape->n),
                      .x = x,
                      .dy = dy};
    lay_out(&job, (float *)cpu->shared);
    int count = det_winograd_strip_count(&job.strips, job.live);
    for (int end; job.first < count; job.first = end) {
        end = chunk_end(&job, job.first, count);
        job.tiles = tiles_between(&job, job.first, end);
        det_pool_run(cpu->pool, end - job.first, transform_strip, &job);
        det_pool_run(cpu->pool, DET_WINOGRAD_POINTS, multiply_point, &job);
    }
    if (count > 0)
        det_winograd_add_kernel_gradients(cpu, shape, job.kernels, dw);
}
