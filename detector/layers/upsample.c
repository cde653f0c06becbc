#include "detector/layers/upsample.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/nearest.h"

#include <string.h>

struct upsample_job {
    struct det_upsample shape;
    const float *from;
    float *to;
    int accumulate;
};

static void forward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct upsample_job *job = arg;
    const struct det_upsample *s = &job->shape;
    const float *x = job->from + (size_t)item * (size_t)(s->h_in * s->w_in);
    float *y = job->to + (size_t)item * (size_t)(s->h_out * s->w_out);
    for (int i = 0; i < s->h_out; i++) {
        const float *from = x + det_nearest_source(i, s->h_in, s->h_out) * s->w_in;
        float *to = y + i * s->w_out;
        for (int j = 0; j < s->w_out; j++)
            to[j] = from[det_nearest_source(j, s->w_in, s->w_out)];
    }
}

void det_upsample_forward(struct det_device *dev, const struct det_upsample *shape, const float *x,
                          float *y)
{
    struct upsample_job job = {*shape, x, y, 0};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, forward_plane, &job);
}

static void backward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct upsample_job *job = arg;
    const struct det_upsample *s = &job->shape;
    const float *dy = job->from + (size_t)item * (size_t)(s->h_out * s->w_out);
    float *dx = job->to + (size_t)item * (size_t)(s->h_in * s->w_in);
    if (!job->accumulate)
        memset(dx, 0, (size_t)(s->h_in * s->w_in) * sizeof *dx);
    for (int i = 0; i < s->h_out; i++) {
        const float *from = dy + i * s->w_out;
        float *to = dx + det_nearest_source(i, s->h_in, s->h_out) * s->w_in;
        for (int j = 0; j < s->w_out; j++)
            to[det_nearest_source(j, s->w_in, s->w_out)] += from[j];
    }
}

void det_upsample_backward(struct det_device *dev, const struct det_upsample *shape,
                           const float *dy, float *dx, int accumulate)
{
    struct upsample_job job = {*shape, dy, dx, accumulate};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, backward_plane, &job);
}
