#include "detector/layers/pooling.h"

#include "detector/backend/cpu.h"
#include "detector/layers/integers.h"

#include <math.h>
#include <string.h>

struct forward_job {
    struct det_pool2d shape;
    const float *x;
    float *y;
    int32_t *argmax;
};

/* Outputs [*first, *end) along one side whose window's tap `tap` falls on the map. */
static void inside(int tap, int stride, int pad, int size, int out, int *first, int *end)
{
    *first = tap >= pad ? 0 : det_ceil_div(pad - tap, stride);
    *end = det_min_int(size + pad > tap ? (size + pad - tap - 1) / stride + 1 : 0, out);
}

/* One tap of a row of windows: `at` is its index for output 0. */
static inline void take_larger(const float *x, int at, int stride, int first, int end, float *y,
                               int32_t *argmax)
{
    for (int j = first; j < end; j++) {
        float value = x[at + j * stride];
        int larger = value > y[j] || isnan(value);
        y[j] = larger ? value : y[j];
        argmax[j] = larger ? at + j * stride : argmax[j];
    }
}

static void forward_row(const struct det_pool2d *s, const float *x, int i, float *y,
                        int32_t *argmax)
{
    int top = i * s->stride - s->pad;
    for (int j = 0; j < s->w_out; j++) {
        int left = det_max_int(j * s->stride - s->pad, 0);
        y[j] = -INFINITY;
        argmax[j] = det_max_int(top, 0) * s->w_in + left;
    }
    for (int h = det_max_int(top, 0); h < det_min_int(top + s->kernel, s->h_in); h++)
        for (int tap = 0; tap < s->kernel; tap++) {
            int first, end;
            inside(tap, s->stride, s->pad, s->w_in, s->w_out, &first, &end);
            int at = h * s->w_in + tap - s->pad;
            if (s->stride == 2) /* a constant: the compiler can use vectors */
                take_larger(x, at, 2, first, end, y, argmax);
            else
                take_larger(x, at, s->stride, first, end, y, argmax);
        }
}

static void forward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct forward_job *job = arg;
    const struct det_pool2d *s = &job->shape;
    const float *x = job->x + (size_t)item * (size_t)(s->h_in * s->w_in);
    size_t out = (size_t)item * (size_t)(s->h_out * s->w_out);
    for (int i = 0; i < s->h_out; i++, out += (size_t)s->w_out)
        forward_row(s, x, i, job->y + out, job->argmax + out);
}

void det_max_pool2d_forward(struct det_device *dev, const struct det_pool2d *shape, const float *x,
                            float *y, int32_t *argmax)
{
    struct forward_job job = {*shape, x, y, argmax};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, forward_plane, &job);
}

struct backward_job {
    struct det_pool2d shape;
    const int32_t *argmax;
    const float *dy;
    float *dx;
    int accumulate;
};

static void backward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct backward_job *job = arg;
    size_t in = (size_t)(job->shape.h_in * job->shape.w_in);
    size_t out = (size_t)(job->shape.h_out * job->shape.w_out);
    const float *dy = job->dy + (size_t)item * out;
    const int32_t *argmax = job->argmax + (size_t)item * out;
    float *dx = job->dx + (size_t)item * in;
    if (!job->accumulate)
        memset(dx, 0, in * sizeof *dx);
    for (size_t i = 0; i < out; i++)
        dx[argmax[i]] += dy[i];
}

void det_max_pool2d_backward(struct det_device *dev, const struct det_pool2d *shape,
                             const int32_t *argmax, const float *dy, float *dx, int accumulate)
{
    struct backward_job job = {*shape, argmax, dy, dx, accumulate};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, backward_plane, &job);
}
