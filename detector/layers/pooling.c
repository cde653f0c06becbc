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

/* The part of a window that lies on the map: [*first, *end) along one side. */
static void window(int out, int stride, int pad, int kernel, int size, int *first, int *end)
{
    *first = det_max_int(out * stride - pad, 0);
    *end = det_min_int(out * stride - pad + kernel, size);
}

static void forward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct forward_job *job = arg;
    const struct det_pool2d *s = &job->shape;
    const float *x = job->x + (size_t)item * (size_t)(s->h_in * s->w_in);
    size_t out = (size_t)item * (size_t)(s->h_out * s->w_out);
    for (int i = 0; i < s->h_out; i++) {
        int h0, h1;
        window(i, s->stride, s->pad, s->kernel, s->h_in, &h0, &h1);
        for (int j = 0; j < s->w_out; j++, out++) {
            int w0, w1;
            window(j, s->stride, s->pad, s->kernel, s->w_in, &w0, &w1);
            int best = h0 * s->w_in + w0;
            for (int h = h0; h < h1; h++)
                for (int w = w0; w < w1; w++) {
                    float value = x[h * s->w_in + w];
                    if (value > x[best] || (isnan(value) && !isnan(x[best])))
                        best = h * s->w_in + w;
                }
            job->y[out] = x[best];
            job->argmax[out] = best;
        }
    }
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
