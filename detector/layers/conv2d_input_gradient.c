#include "detector/backend/gemm.h"
#include "detector/layers/conv2d_gradient.h"
#include "detector/layers/conv2d_product.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/conv2d_winograd.h"
#include "detector/layers/fetch.h"
#include "detector/layers/im2col.h"
#include "detector/layers/integers.h"
#include "detector/layers/transpose.h"

#include <string.h>

#define AHEAD 4     /* output channels whose kernels are on their way */
#define TURNED 16   /* input channels whose kernels one item turns: lines of the cache, whole */
#define CHANNELS 32 /* input channels that one item owns where the stride is not 1 */

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    const float *w, *dy;
    float *dx;
    int accumulate;
};

/* With stride 1 the transpose of a convolution is a convolution: of dy, by the kernel turned by
 * 180 degrees with its channels exchanged. */
static struct det_conv2d mirrored(const struct det_conv2d *s)
{
    return (struct det_conv2d){.n = s->n,
                               .c_in = s->c_out,
                               .h_in = s->h_out,
                               .w_in = s->w_out,
                               .c_out = s->c_in,
                               .kernel = s->kernel,
                               .stride = 1,
                               .pad = s->kernel - 1 - s->pad,
                               .h_out = s->h_in,
                               .w_out = s->w_in,
                               .count = s->count};
}

static int is_mirrored(const struct det_conv2d *s)
{
    return s->stride == 1 && s->pad < s->kernel;
}

void det_conv2d_input_gradient_scratch(const struct det_conv2d *shape, size_t *per_worker,
                                       size_t *shared)
{
    if (!is_mirrored(shape)) {
        int channels = det_min_int(CHANNELS, shape->c_in);
        *per_worker = (size_t)(channels * shape->kernel * shape->kernel) *
                      (size_t)(shape->h_out * shape->w_out) * sizeof(float);
        *shared = 0;
        return;
    }
    struct det_conv2d mirror = mirrored(shape);
    *per_worker = det_conv2d_product_scratch(&mirror);
    *shared = (size_t)shape->c_out * (size_t)det_conv2d_window(shape) * sizeof(float);
    if (det_conv2d_winograd_can(&mirror)) {
        size_t worker, all;
        det_conv2d_winograd_scratch(&mirror, &worker, &all);
        det_at_least(per_worker, worker);
        det_at_least(shared, all);
    }
}

/* Some input channels' kernels, from w [c_out, c_in, taps] to [c_in, c_out, taps], turned. */
static void turn_channels(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int taps = s->kernel * s->kernel;
    int window = det_conv2d_window(s);
    int first = item * TURNED;
    int channels = det_min_int(TURNED, s->c_in - first);
    const float *from = job->w + first * taps;
    float *to = (float *)job->cpu->shared + (size_t)first * (size_t)(s->c_out * taps);
    if (taps == 1) {
        det_transpose(s->c_out, channels, from, (size_t)window, to, (size_t)s->c_out);
        return;
    }
    for (int c = 0; c < s->c_out; c++, from += window, to += taps) {
        det_fetch(from + AHEAD * window, channels * taps);
        for (int k = 0; k < channels; k++)
            for (int t = 0; t < taps; t++)
                to[k * s->c_out * taps + t] = from[(k + 1) * taps - 1 - t];
    }
}

/* A slice of an image's input channels: windows' gradient w^T dy, added onto the slice. */
static void scatter_slice(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int slices = det_ceil_div(s->c_in, CHANNELS);
    int image = item / slices;
    int first = item % slices * CHANNELS;
    int channels = det_min_int(CHANNELS, s->c_in - first);
    int taps = s->kernel * s->kernel;
    int out = s->h_out * s->w_out;
    size_t in = (size_t)(s->h_in * s->w_in);
    float *col = det_cpu_scratch(job->cpu, worker);
    det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, channels * taps, out, s->c_out, 1.0f,
             job->w + first * taps, det_conv2d_window(s),
             job->dy + (size_t)image * (size_t)s->c_out * (size_t)out, out, 0.0f, col, out);
    float *dx = job->dx + ((size_t)image * (size_t)s->c_in + (size_t)first) * in;
    if (!job->accumulate)
        memset(dx, 0, (size_t)channels * in * sizeof *dx);
    det_col2im(s, col, out, channels, dx);
}

void det_conv2d_input_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                               const float *w, const float *dy, float *dx, int accumulate)
{
    struct job job = {cpu, *shape, w, dy, dx, accumulate};
    if (is_mirrored(shape)) {
        struct det_conv2d mirror = mirrored(shape);
        if (det_conv2d_winograd_suits(&mirror)) {
            det_conv2d_winograd(cpu, &mirror, dy, w, 1, NULL, accumulate, dx);
            return;
        }
        det_pool_run(cpu->pool, det_ceil_div(shape->c_in, TURNED), turn_channels, &job);
        det_conv2d_product(cpu, &mirror, dy, (const float *)cpu->shared, NULL, accumulate, dx);
    } else {
        int slices = det_ceil_div(shape->c_in, CHANNELS);
        det_pool_run(cpu->pool, det_live(shape->count, shape->n) * slices, scatter_slice, &job);
    }
}
