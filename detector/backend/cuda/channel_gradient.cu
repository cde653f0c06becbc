#include "detector/backend/cuda/channel_gradient.cuh"

#include "detector/backend/cuda/block_reduce.h"
#include "detector/bodies/relu.h"

struct channel_args {
    int n, c;
    size_t plane;
    const int32_t *count;
    const float *dy;
    float *dbias;
};

struct channel_shared {
    double sums[DET_NARROW];
};

/* One block a channel. */
DET_BLOCK_BODY void channel_sum(const struct det_block *b, const struct channel_args *a,
                                struct channel_shared *s)
{
    size_t live = (size_t)det_live_rows(a->count, a->n);
    DET_EACH_THREAD(b, t) {
        double sum = 0.0;
        for (size_t i = (size_t)t; i < live * a->plane; i += (size_t)b->threads) {
            size_t row = i / a->plane;
            sum += (double)a->dy[(row * (size_t)a->c + (size_t)b->index) * a->plane + i % a->plane];
        }
        s->sums[t] = sum;
    }
    double sum = det_block_sum(b, s->sums);
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->dbias[b->index] += (float)sum;
}

DET_KERNEL(channel_sum, struct channel_args, struct channel_shared, DET_NARROW)

void det_cuda_channel_gradient(struct det_cuda *cuda, const char *op, int n, int c, int plane,
                               const int32_t *count, const float *y, float *dy, float *dbias)
{
    size_t row = (size_t)c * (size_t)plane;
    if (y)
        det_cuda_each(cuda, op, (size_t)n * row, [=] __device__(size_t i) {
            if (i / row < (size_t)det_live_rows(count, n))
                dy[i] = det_relu_gradient(y[i], dy[i]);
        });
    struct channel_args a = {n, c, (size_t)plane, count, dy, dbias};
    if (dbias)
        DET_RUN(&cuda->device, channel_sum, c, &a);
}
