#include "detector/layers/winograd_kernels.h"

#define CHANNELS DET_WINOGRAD_CHANNELS
#define PATCH DET_WINOGRAD_PATCH
#define TAPS 9

struct job {
    struct det_conv2d shape;
    int transposed;
    const float *from;
    float *to;
};

/* An item is an input channel: a row of each point's matrix. */
static void transform_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    size_t across =
        job->transposed ? TAPS : (size_t)s->c_in * TAPS; /* to the next output channel */
    size_t down = job->transposed ? (size_t)s->c_out * TAPS : TAPS;
    size_t stride = det_winograd_stride(s->c_in, s->c_out);
    float g[TAPS * CHANNELS];
    for (int c0 = 0; c0 < s->c_out; c0 += CHANNELS) {
        const float *w = job->from + (size_t)item * down + (size_t)c0 * across;
        for (int c = 0; c < CHANNELS; c++)
            for (int t = 0; t < TAPS; t++)
                g[t * CHANNELS + c] = w[(size_t)c * across + (size_t)(job->transposed ? 8 - t : t)];
        float *to = job->to + (size_t)item * (size_t)s->c_out + (size_t)c0;
        det_winograd_both_sides(det_winograd_kernel, 3, PATCH, g, 3 * CHANNELS, CHANNELS, to,
                                PATCH * stride, stride);
    }
}

void det_winograd_transform_kernels(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                    const float *w, int transposed, float *points)
{
    struct job job = {*shape, transposed, w, points};
    det_pool_run(cpu->pool, shape->c_in, transform_row, &job);
}

static void add_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    size_t stride = det_winograd_stride(s->c_in, s->c_out);
    float g[TAPS * CHANNELS];
    for (int c0 = 0; c0 < s->c_out; c0 += CHANNELS) {
        const float *u = job->from + (size_t)item * (size_t)s->c_out + (size_t)c0;
        det_winograd_both_sides(det_winograd_kernel_gradient, PATCH, 3, u, PATCH * stride, stride,
                                g, 3 * CHANNELS, CHANNELS);
        float *dw = job->to + ((size_t)c0 * (size_t)s->c_in + (size_t)item) * TAPS;
        for (int c = 0; c < CHANNELS; c++, dw += (size_t)s->c_in * TAPS)
            for (int t = 0; t < TAPS; t++)
                dw[t] += g[t * CHANNELS + c];
    }
}

void det_winograd_add_kernel_gradients(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                       const float *points, float *dw)
{
    struct job job = {*shape, 0, points, dw};
    det_pool_run(cpu->pool, shape->c_in, add_row, &job);
}
