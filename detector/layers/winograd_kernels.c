#include "detector/layers/winograd_kernels.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/fetch.h"
#include "detector/layers/transpose.h"

#include <string.h>

#define CHANNELS DET_WINOGRAD_CHANNELS
#define PATCH DET_WINOGRAD_PATCH
#define TAPS 9
#define ROWS 4 /* input channels of an item: their taps are whole 4 x 4 blocks to be turned */

struct job {
    struct det_conv2d shape;
    int transposed;
    const float *from;
    float *to;
};

/* ROWS input channels' kernels of CHANNELS output channels, `row` floats apart. */
static void fetch_rows(const float *kernels, size_t row)
{
    for (int c = 0; c < CHANNELS; c++)
        det_fetch(kernels + (size_t)c * row, ROWS * TAPS);
}

/* Some input channels' kernels of CHANNELS output channels, from c0 on: g [n][9][CHANNELS]. */
static void collect(const struct job *job, int c_in, int n, int c0, float *g)
{
    const struct det_conv2d *s = &job->shape;
    size_t row = (size_t)s->c_in * TAPS;
    fetch_rows(job->from + (size_t)(c0 + CHANNELS) * row + (size_t)c_in * TAPS, row);
    det_transpose(CHANNELS, n * TAPS, job->from + (size_t)c0 * row + (size_t)c_in * TAPS, row, g,
                  CHANNELS);
}

/* The same of w [c_in, c_out, 3, 3], turned. */
static void collect_turned(const struct job *job, int c_in, int n, int c0, float *g)
{
    const struct det_conv2d *s = &job->shape;
    float straight[TAPS * CHANNELS];
    for (int i = 0; i < n; i++) {
        size_t first = ((size_t)(c_in + i) * (size_t)s->c_out + (size_t)c0) * TAPS;
        det_transpose(CHANNELS, TAPS, job->from + first, TAPS, straight, CHANNELS);
        for (int t = 0; t < TAPS; t++, g += CHANNELS)
            memcpy(g, straight + (TAPS - 1 - t) * CHANNELS, CHANNELS * sizeof *g);
    }
}

/* An item is ROWS input channels: as many rows of each point's matrix. */
DET_VECTOR_TARGETS static void transform_rows(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    size_t stride = det_winograd_stride(s->c_in, s->c_out);
    float g[ROWS * TAPS * CHANNELS];
    for (int c0 = 0; c0 < s->c_out; c0 += CHANNELS) {
        (job->transposed ? collect_turned : collect)(job, item * ROWS, ROWS, c0, g);
        for (int i = 0; i < ROWS; i++)
            det_winograd_both_sides(
                det_winograd_kernel, 3, PATCH, g + i * TAPS * CHANNELS, 3 * CHANNELS, CHANNELS,
                job->to + (item * ROWS + i) * s->c_out + c0, PATCH * stride, stride);
    }
}

void det_winograd_transform_kernels(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                    const float *w, int transposed, float *points)
{
    struct job job = {*shape, transposed, w, points};
    det_pool_run(cpu->pool, shape->c_in / ROWS, transform_rows, &job);
}

DET_VECTOR_TARGETS static void add_rows(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    size_t stride = det_winograd_stride(s->c_in, s->c_out);
    float g[ROWS * TAPS * CHANNELS], turned[CHANNELS * ROWS * TAPS];
    for (int c0 = 0; c0 < s->c_out; c0 += CHANNELS) {
        float *dw = job->to + (c0 * s->c_in + item * ROWS) * TAPS;
        fetch_rows(dw, (size_t)(s->c_in * TAPS));
        for (int i = 0; i < ROWS; i++)
            det_winograd_both_sides(det_winograd_kernel_gradient, PATCH, 3,
                                    job->from + (item * ROWS + i) * s->c_out + c0, PATCH * stride,
                                    stride, g + i * TAPS * CHANNELS, 3 * CHANNELS, CHANNELS);
        det_transpose(ROWS * TAPS, CHANNELS, g, CHANNELS, turned, ROWS * TAPS);
        for (int c = 0; c < CHANNELS; c++, dw += s->c_in * TAPS)
            for (int t = 0; t < ROWS * TAPS; t++)
                dw[t] += turned[c * ROWS * TAPS + t];
    }
}

void det_winograd_add_kernel_gradients(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                       const float *points, float *dw)
{
    struct job job = {*shape, 0, points, dw};
    det_pool_run(cpu->pool, shape->c_in / ROWS, add_rows, &job);
}
