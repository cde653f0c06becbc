#include "detector/backend/gemm.h"
#include "detector/base/vector_targets.h"
#include "detector/layers/conv2d_gradient.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/conv2d_winograd.h"
#include "detector/layers/fetch.h"
#include "detector/layers/im2col.h"
#include "detector/layers/integers.h"
#include "detector/layers/transpose.h"

#define AHEAD 4     /* rows of dw that are on their way */
#define COLUMNS 160 /* columns of dw that one item owns, about: whole input channels */

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    struct det_conv2d_tiles tiles;
    int live;
    int channels; /* input channels that one item owns */
    const float *x, *dy;
    float *dw;
};

static int owned_channels(const struct det_conv2d *s)
{
    return det_min_int(det_max_int(COLUMNS / (s->kernel * s->kernel), 1), s->c_in);
}

void det_conv2d_weight_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                        size_t *shared)
{
    struct det_conv2d_tiles tiles = det_conv2d_tiles(shape);
    size_t rows = (size_t)(owned_channels(shape) * shape->kernel * shape->kernel);
    size_t columns = (size_t)det_conv2d_tile_columns(&tiles, shape);
    size_t sum = rows * (size_t)shape->c_out * sizeof(float);
    *per_worker = (rows + (size_t)shape->c_out) * columns * sizeof(float);
    det_at_least(per_worker, sum); /* the same place holds the sum, turned */
    *per_worker += sum;
    *shared = 0;
    if (det_conv2d_winograd_can(shape)) {
        size_t worker, all;
        det_conv2d_winograd_gradient_scratch(shape, &worker, &all);
        det_at_least(per_worker, worker);
        det_at_least(shared, all);
    }
}

/* A tile's gradients, turned: [columns, c_out]. */
static void turn_gradients(const struct job *job, const struct det_conv2d_tile *tile, float *to)
{
    const struct det_conv2d *s = &job->shape;
    int plane = s->h_out * s->w_out;
    int columns = tile->rows * s->w_out;
    const float *dy = job->dy + det_conv2d_output_at(s, tile->image) + tile->row * s->w_out;
    for (int i = 0; i < tile->images; i++, dy += s->c_out * plane, to += columns * s->c_out)
        det_transpose(s->c_out, columns, dy, (size_t)plane, to, (size_t)s->c_out);
}

/* sum [channels * taps, c_out] = (or +=) a tile's windows times its turned gradients. */
static void add_tile(const struct job *job, const struct det_conv2d_tile *tile, int first,
                     int channels, float *scratch, int add, float *sum)
{
    const struct det_conv2d *s = &job->shape;
    int rows = channels * s->kernel * s->kernel;
    int plane = s->h_out * s->w_out;
    size_t in = (size_t)(s->h_in * s->w_in);
    const float *x = job->x + det_conv2d_input_at(s, tile->image) + (size_t)first * in;
    float *gradients = scratch + (size_t)rows * (size_t)tile->columns;
    const float *windows = scratch;
    int ld = tile->columns;
    if (det_conv2d_is_pointwise(s)) {
        windows = x + tile->row * s->w_out;
        ld = plane;
    } else {
        for (int i = 0; i < tile->images; i++)
            det_im2col(s, x + (size_t)i * (size_t)s->c_in * in, channels, tile->row, tile->rows,
                       scratch + i * plane, ld);
    }
    turn_gradients(job, tile, gradients);
    det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, rows, s->c_out, tile->columns, 1.0f, windows, ld,
             gradients, s->c_out, add ? 1.0f : 0.0f, sum, s->c_out);
}

/* A slice of the input channels: the transpose of its part of dw, in which form the products of few
 * output channels are faster. */
DET_VECTOR_TARGETS static void weight_slice(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int first = item * job->channels;
    int channels = det_min_int(job->channels, s->c_in - first);
    int taps = s->kernel * s->kernel;
    int count = det_conv2d_tile_count(&job->tiles, job->live);
    float *sum = det_cpu_scratch(job->cpu, worker);
    float *scratch = sum + channels * taps * s->c_out;
    for (int t = 0; t < count; t++) {
        struct det_conv2d_tile tile = det_conv2d_tile_at(&job->tiles, s, job->live, t);
        add_tile(job, &tile, first, channels, scratch, t > 0, sum);
    }
    if (count == 0)
        return;
    int rows = channels * taps;
    float *dw = job->dw + first * taps;
    det_transpose(rows, s->c_out, sum, (size_t)s->c_out, scratch, (size_t)rows);
    for (int c = 0; c < s->c_out; c++, dw += det_conv2d_window(s), scratch += rows) {
        det_fetch(dw + AHEAD * det_conv2d_window(s), rows);
        for (int i = 0; i < rows; i++)
            dw[i] += scratch[i];
    }
}

void det_conv2d_weight_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                const float *x, const float *dy, float *dw)
{
    if (det_conv2d_winograd_suits(shape)) {
        det_conv2d_winograd_gradient(cpu, shape, x, dy, dw);
        return;
    }
    struct job job = {
        .cpu = cpu, .shape = *shape, .tiles = det_conv2d_tiles(shape), .x = x, .dy = dy, .dw = dw};
    job.live = det_live(shape->count, shape->n);
    job.channels = owned_channels(shape);
    det_pool_run(cpu->pool, det_ceil_div(shape->c_in, job.channels), weight_slice, &job);
}
