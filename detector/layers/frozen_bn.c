#include "detector/backend/cpu.h"
#include "detector/layers/norms.h"
#include "detector/layers/planes.h"

struct frozen_job {
    struct det_norm shape;
    const float *x, *weight, *bias, *mean, *var;
    float *y;
};

static void forward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct frozen_job *job = arg;
    const struct det_norm *s = &job->shape;
    size_t plane = (size_t)s->h * (size_t)s->w;
    size_t first = (size_t)item * plane;
    int c = item % s->c;
    float scale = det_frozen_scale(job->weight[c], job->var[c], s->eps);
    det_scale_plane(job->x + first, job->mean[c], scale, job->bias[c], s->relu, plane,
                    job->y + first);
}

void det_frozen_bn_forward(struct det_device *dev, const struct det_norm *shape, const float *x,
                           const float *weight, const float *bias, const float *mean,
                           const float *var, float *y)
{
    struct frozen_job job = {*shape, x, weight, bias, mean, var, y};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, forward_plane, &job);
}

struct frozen_backward_job {
    struct det_norm shape;
    const float *weight, *var, *y;
    float *dy, *dx;
    int accumulate;
};

static void backward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct frozen_backward_job *job = arg;
    const struct det_norm *s = &job->shape;
    size_t plane = (size_t)s->h * (size_t)s->w;
    size_t first = (size_t)item * plane;
    float *dy = job->dy + first;
    if (s->relu)
        det_relu_mask_plane(job->y + first, plane, dy);
    if (!job->dx)
        return;
    float *dx = job->dx + first;
    int c = item % s->c;
    float scale = det_frozen_scale(job->weight[c], job->var[c], s->eps);
    for (size_t i = 0; i < plane; i++)
        dx[i] = job->accumulate ? dx[i] + dy[i] * scale : dy[i] * scale;
}

void det_frozen_bn_backward(struct det_device *dev, const struct det_norm *shape,
                            const float *weight, const float *var, const float *y, float *dy,
                            float *dx, int accumulate)
{
    struct frozen_backward_job job = {*shape, weight, var, y, dy, dx, accumulate};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, backward_plane, &job);
}
