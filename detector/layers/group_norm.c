#include "detector/bodies/group_norm.h"
#include "detector/backend/cpu.h"
#include "detector/base/vector_targets.h"
#include "detector/layers/norms.h"
#include "detector/layers/planes.h"
#include "detector/layers/sum.h"

#include <math.h>

/* Of one channel of one image: sums of dy and of dy * (x - mean) / std. */
struct channel_sums {
    double dy, dy_xhat;
};

void det_group_norm_scratch(const struct det_norm *shape, size_t *per_worker, size_t *shared)
{
    *per_worker = 0;
    *shared = (size_t)shape->n * (size_t)shape->c * sizeof(struct channel_sums);
}

struct forward_job {
    struct det_norm shape;
    const float *x, *weight, *bias;
    float *y, *saved;
};

/* An item is a group of an image. */
DET_VECTOR_TARGETS static void forward_group(void *arg, int item, int worker)
{
    (void)worker;
    const struct forward_job *job = arg;
    const struct det_norm *s = &job->shape;
    size_t channels = (size_t)(s->c / s->groups);
    size_t plane = (size_t)s->h * (size_t)s->w;
    size_t n = channels * plane;
    const float *x = job->x + (size_t)item * n;
    float *y = job->y + (size_t)item * n;
    double mean = det_sum(x, n) / (double)n;
    double var = det_sum_squares_about(x, mean, n) / (double)n;
    double rstd = 1.0 / sqrt(var + (double)s->eps);
    size_t first = (size_t)(item % s->groups) * channels;
    for (size_t c = 0; c < channels; c++) {
        struct det_group_terms t =
            det_group_terms(mean, rstd, job->weight[first + c], job->bias[first + c]);
        det_scale_plane(x + c * plane, t.centre, t.scale, t.shift, s->relu, plane, y + c * plane);
    }
    job->saved[2 * item] = (float)mean;
    job->saved[2 * item + 1] = (float)rstd;
}

void det_group_norm_forward(struct det_device *dev, const struct det_norm *shape, const float *x,
                            const float *weight, const float *bias, float *y, float *saved)
{
    struct forward_job job = {*shape, x, weight, bias, y, saved};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->groups, forward_group, &job);
}

struct backward_job {
    struct det_norm shape;
    const float *x, *weight, *y, *saved;
    float *dy, *dx;
    int accumulate;
    struct channel_sums *sums; /* [n, c] */
};

static inline void input_gradient(const struct backward_job *job, int item, size_t n)
{
    const struct det_norm *s = &job->shape;
    size_t channels = (size_t)(s->c / s->groups);
    size_t plane = (size_t)s->h * (size_t)s->w;
    const float *weight = job->weight + (size_t)(item % s->groups) * channels;
    const struct channel_sums *sums = job->sums + (size_t)item * channels;
    float mean = job->saved[2 * item];
    double rstd = (double)job->saved[2 * item + 1];
    double g = 0.0;
    double g_xhat = 0.0;
    for (size_t c = 0; c < channels; c++) {
        g += sums[c].dy * (double)weight[c];
        g_xhat += sums[c].dy_xhat * (double)weight[c];
    }
    struct det_group_slopes slopes = det_group_slopes(rstd, g, g_xhat, (double)n);
    for (size_t c = 0; c < channels; c++) {
        size_t first = (size_t)item * n + c * plane;
        float scale = (float)(rstd * (double)weight[c]);
        for (size_t i = first; i < first + plane; i++) {
            float dx = det_group_gradient(job->x[i], job->dy[i], mean, scale, &slopes);
            job->dx[i] = job->accumulate ? job->dx[i] + dx : dx;
        }
    }
}

/* By itself: within a longer function it does not become vectors. */
DET_VECTOR_TARGETS static struct det_sum_dot
sum_dot(const float *x, double mean, const float *dy, size_t n)
{
    return det_sum_dot(x, mean, dy, n);
}

DET_VECTOR_TARGETS static void backward_group(void *arg, int item, int worker)
{
    (void)worker;
    const struct backward_job *job = arg;
    const struct det_norm *s = &job->shape;
    size_t channels = (size_t)(s->c / s->groups);
    size_t plane = (size_t)s->h * (size_t)s->w;
    double mean = (double)job->saved[2 * item];
    double rstd = (double)job->saved[2 * item + 1];
    for (size_t c = 0; c < channels; c++) {
        size_t channel = (size_t)item * channels + c;
        float *dy = job->dy + channel * plane;
        if (s->relu)
            det_relu_mask_plane(job->y + channel * plane, plane, dy);
        struct det_sum_dot sums = sum_dot(job->x + channel * plane, mean, dy, plane);
        job->sums[channel] = (struct channel_sums){sums.sum, rstd * sums.dot};
    }
    if (job->dx)
        input_gradient(job, item, channels * plane);
}

void det_group_norm_backward(struct det_device *dev, const struct det_norm *shape, const float *x,
                             const float *weight, const float *y, const float *saved, float *dy,
                             float *dx, int accumulate, float *dweight, float *dbias)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct channel_sums *sums = (struct channel_sums *)cpu->shared;
    struct backward_job job = {*shape, x, weight, y, saved, dy, dx, accumulate, sums};
    det_pool_run(cpu->pool, shape->n * shape->groups, backward_group, &job);
    for (int c = 0; c < shape->c; c++) {
        struct channel_sums total = {0.0, 0.0};
        for (int i = 0; i < shape->n; i++) {
            total.dy += sums[i * shape->c + c].dy;
            total.dy_xhat += sums[i * shape->c + c].dy_xhat;
        }
        if (dweight)
            dweight[c] += (float)total.dy_xhat;
        if (dbias)
            dbias[c] += (float)total.dy;
    }
}
