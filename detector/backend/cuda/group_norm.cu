/* Group norm. A block sums up a group of an image, or a channel of an image, in double; the rest is
 * element-wise. */
#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/launch.cuh"
#include "detector/bodies/affine.h"
#include "detector/bodies/group_norm.h"

struct group_args {
    struct det_norm s;
    const float *x, *weight, *bias;
    float *y, *saved;
};

struct group_shared {
    double sums[DET_WIDE];
};

/* Sum over a block's n elements of x, or of their squared distances from `about`. */
DET_BLOCK_BODY double group_sum(const struct det_block *b, const float *x, size_t n, int squared,
                                double about, struct group_shared *s)
{
    DET_EACH_THREAD(b, t) {
        double sum = 0.0;
        for (size_t i = (size_t)t; i < n; i += (size_t)b->threads) {
            double d = (double)x[i] - about;
            sum += squared ? d * d : d;
        }
        s->sums[t] = sum;
    }
    return det_block_sum(b, s->sums);
}

/* One block a group of an image. */
DET_BLOCK_BODY void normalize_group(const struct det_block *b, const struct group_args *a,
                                    struct group_shared *s)
{
    size_t channels = (size_t)(a->s.c / a->s.groups);
    size_t plane = (size_t)a->s.h * (size_t)a->s.w;
    size_t n = channels * plane;
    size_t first = (size_t)(b->index % a->s.groups) * channels;
    const float *x = a->x + (size_t)b->index * n;
    float *y = a->y + (size_t)b->index * n;
    double mean = group_sum(b, x, n, 0, 0.0, s) / (double)n;
    double var = group_sum(b, x, n, 1, mean, s) / (double)n;
    double rstd = 1.0 / sqrt(var + (double)a->s.eps);
    DET_EACH_THREAD(b, t) {
        for (size_t i = (size_t)t; i < n; i += (size_t)b->threads) {
            size_t c = first + i / plane;
            struct det_group_terms terms = det_group_terms(mean, rstd, a->weight[c], a->bias[c]);
            y[i] = det_scaled(x[i], terms.centre, terms.scale, terms.shift, a->s.relu);
        }
        if (t == 0) {
            a->saved[2 * b->index] = (float)mean;
            a->saved[2 * b->index + 1] = (float)rstd;
        }
    }
}

DET_KERNEL(normalize_group, struct group_args, struct group_shared, DET_WIDE)

void det_cuda_group_norm_forward(struct det_device *dev, const struct det_norm *shape,
                                 const float *x, const float *weight, const float *bias, float *y,
                                 float *saved)
{
    struct group_args a = {*shape, x, weight, bias, y, saved};
    DET_RUN(dev, normalize_group, shape->n * shape->groups, &a);
}

struct channel_sums { /* of one channel of one image: dy, and dy * (x - mean) / std */
    double dy, dy_xhat;
};

struct group_gradient_args {
    struct det_norm s;
    const float *x, *weight, *saved;
    const float *dy;
    struct channel_sums *sums;        /* [n, c] */
    struct det_group_slopes *slopes;  /* [n, groups] */
    float *dweight, *dbias;
};

/* One block a channel of an image; the mask has been applied. */
DET_BLOCK_BODY void sum_channel(const struct det_block *b, const struct group_gradient_args *a,
                                struct group_shared *s)
{
    size_t plane = (size_t)a->s.h * (size_t)a->s.w;
    int image = b->index / a->s.c;
    int group = b->index % a->s.c / (a->s.c / a->s.groups);
    const float *saved = a->saved + 2 * ((size_t)image * (size_t)a->s.groups + (size_t)group);
    const float *x = a->x + (size_t)b->index * plane;
    const float *dy = a->dy + (size_t)b->index * plane;
    double mean = (double)saved[0];
    double sum = group_sum(b, dy, plane, 0, 0.0, s);
    DET_EACH_THREAD(b, t) {
        double dot = 0.0;
        for (size_t i = (size_t)t; i < plane; i += (size_t)b->threads)
            dot += ((double)x[i] - mean) * (double)dy[i];
        s->sums[t] = dot;
    }
    double dot = det_block_sum(b, s->sums);
    DET_EACH_THREAD(b, t)
        if (t == 0) {
            a->sums[b->index].dy = sum;
            a->sums[b->index].dy_xhat = (double)saved[1] * dot;
        }
}

DET_KERNEL(sum_channel, struct group_gradient_args, struct group_shared, DET_NARROW)

static __device__ inline struct det_group_slopes slopes_of(const struct group_gradient_args *a,
                                                           size_t item)
{
    size_t channels = (size_t)(a->s.c / a->s.groups);
    const float *weight = a->weight + item % (size_t)a->s.groups * channels;
    const struct channel_sums *sums = a->sums + item * channels;
    double g = 0.0;
    double g_xhat = 0.0;
    for (size_t c = 0; c < channels; c++) {
        g += sums[c].dy * (double)weight[c];
        g_xhat += sums[c].dy_xhat * (double)weight[c];
    }
    return det_group_slopes((double)a->saved[2 * item + 1], g, g_xhat,
                            (double)(channels * (size_t)a->s.h * (size_t)a->s.w));
}

static void parameter_gradients(struct det_cuda *cuda, const struct group_gradient_args *args)
{
    struct group_gradient_args a = *args;
    if (!a.dweight && !a.dbias)
        return;
    det_cuda_each(cuda, "group_norm_backward", (size_t)a.s.c, [=] __device__(size_t c) {
        struct channel_sums total = {0.0, 0.0};
        for (int i = 0; i < a.s.n; i++) {
            total.dy += a.sums[(size_t)i * (size_t)a.s.c + c].dy;
            total.dy_xhat += a.sums[(size_t)i * (size_t)a.s.c + c].dy_xhat;
        }
        if (a.dweight)
            a.dweight[c] += (float)total.dy_xhat;
        if (a.dbias)
            a.dbias[c] += (float)total.dy;
    });
}

static void input_gradient(struct det_cuda *cuda, const struct group_gradient_args *args,
                           float *dx, int accumulate)
{
    struct group_gradient_args a = *args;
    size_t plane = (size_t)a.s.h * (size_t)a.s.w;
    size_t channels = (size_t)(a.s.c / a.s.groups);
    size_t groups = (size_t)a.s.n * (size_t)a.s.groups;
    const char *op = "group_norm_backward";
    det_cuda_each(cuda, op, groups, [=] __device__(size_t i) { a.slopes[i] = slopes_of(&a, i); });
    det_cuda_each(cuda, op, groups * channels * plane, [=] __device__(size_t i) {
        size_t item = i / (channels * plane);
        float scale = (float)((double)a.saved[2 * item + 1] *
                              (double)a.weight[i / plane % (size_t)a.s.c]);
        float d = det_group_gradient(a.x[i], a.dy[i], a.saved[2 * item], scale, &a.slopes[item]);
        dx[i] = accumulate ? dx[i] + d : d;
    });
}

static size_t layout(struct group_gradient_args *a, void *block)
{
    struct det_cut cut = {(unsigned char *)block, 0};
    size_t n = (size_t)a->s.n;
    a->sums = (struct channel_sums *)det_cut_take(&cut, n * (size_t)a->s.c * sizeof *a->sums);
    a->slopes = (struct det_group_slopes *)det_cut_take(&cut, n * (size_t)a->s.groups *
                                                                   sizeof *a->slopes);
    return cut.used;
}

void det_cuda_group_norm_backward(struct det_device *dev, const struct det_norm *shape,
                                  const float *x, const float *weight, const float *y,
                                  const float *saved, float *dy, float *dx, int accumulate,
                                  float *dweight, float *dbias)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    struct group_gradient_args a = {*shape, x, weight, saved, dy, NULL, NULL, dweight, dbias};
    size_t n = (size_t)shape->n * (size_t)shape->c * (size_t)shape->h * (size_t)shape->w;
    layout(&a, det_kernel_scratch(dev, "group_norm_backward", layout(&a, NULL)));
    if (shape->relu)
        det_cuda_each(cuda, "group_norm_backward", n, [=] __device__(size_t i) {
            dy[i] = det_relu_gradient(y[i], dy[i]);
        });
    DET_RUN(dev, sum_channel, shape->n * shape->c, &a);
    parameter_gradients(cuda, &a);
    if (dx)
        input_gradient(cuda, &a, dx, accumulate);
}
