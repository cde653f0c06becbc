#include "detector/layers/winograd_kernels.h"

#define LANES DET_WINOGRAD_LANES
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
    size_t across = job->transposed ? TAPS : (size_t)s->c_in * TAPS; /* to the next output channel */
    size_t down = job->transposed ? (size_t)s->c_out * TAPS : TAPS;
    size_t stride = det_winograd_stride(s->c_in, s->c_out);
    float g[TAPS * LANES];
    float half[PATCH * 3 * LANES];
    for (int c0 = 0; c0 < s->c_out; c0 += LANES) {
        const float *w = job->from + (size_t)item * down + (size_t)c0 * across;
        for (int c = 0; c < LANES; c++)
            for (int t = 0; t < TAPS; t++)
                g[t * LANES + c] = w[(size_t)c * across + (size_t)(job->transposed ? 8 - t : t)];
        float *to = job->to + (size_t)item * (size_t)s->c_out + (size_t)c0;
        for (int j = 0; j < 3; j++)
            det_winograd_kernel(g + j * LANES, 3 * LANES, half + j * LANES, 3 * LANES);
        for (int i = 0; i < PATCH; i++)
            det_winograd_kernel(half + i * 3 * LANES, LANES, to + (size_t)(i * PATCH) * stride,
                                (int)stride);
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
    float half[3 * PATCH * LANES];
    float g[TAPS * LANES];
    for (int c0 = 0; c0 < s->c_out; c0 += LANES) {
        const float *u = job->from + (size_t)item * (size_t)s->c_out + (size_t)c0;
        for (int j = 0; j < PATCH; j++)
            det_winograd_kernel_gradient(u + (size_t)j * stride, PATCH * (int)stride,
                                         half + j * LANES, PATCH * LANES);
        for (int i = 0; i < 3; i++)
            det_winograd_kernel_gradient(half + i * PATCH * LANES, LANES, g + i * 3 * LANES, LANES);
        float *dw = job->to + ((size_t)c0 * (size_t)s->c_in + (size_t)item) * TAPS;
        for (int c = 0; c < LANES; c++, dw += (size_t)s->c_in * TAPS)
            for (int t = 0; t < TAPS; t++)
                dw[t] += g[t * LANES + c];
    }
}

void det_winograd_add_kernel_gradients(const struct det_cpu *cpu, const struct det_conv2d *shape,
                                       const float *points, float *dw)
{
    struct job job = {*shape, 0, points, dw};
    det_pool_run(cpu->pool, shape->c_in, add_row, &job);
}
