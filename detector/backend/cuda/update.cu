/* The optimiser's operations: the gradient norm, clipping, updates, rounding. */
#include "detector/backend/cuda/launch.cuh"

#include "detector/backend/cuda/block_reduce.h"
#include "detector/base/blocks.h"
#include "detector/bodies/bf16.h"
#include "detector/bodies/clip.h"
#include "detector/bodies/fp16.h"
#include "detector/bodies/update.h"

struct squares_args {
    size_t n;
    const float *g;
    double *sums, *out; /* of the stretches; of all */
    int stretches;
};

struct squares_shared {
    double sums[DET_NARROW];
};

/* A block adds up one stretch of DET_BLOCK gradients. */
DET_BLOCK_BODY void square_stretch(const struct det_block *b, const struct squares_args *a,
                                   struct squares_shared *s)
{
    size_t first = (size_t)b->index * DET_BLOCK;
    size_t end = first + DET_BLOCK < a->n ? first + DET_BLOCK : a->n;
    DET_EACH_THREAD(b, t) {
        double sum = 0.0;
        for (size_t i = first + (size_t)t; i < end; i += (size_t)b->threads)
            sum += (double)a->g[i] * (double)a->g[i];
        s->sums[t] = sum;
    }
    double sum = det_block_sum(b, s->sums);
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->sums[b->index] = sum;
}

/* One block adds up the stretches. */
DET_BLOCK_BODY void add_stretches(const struct det_block *b, const struct squares_args *a,
                                  struct squares_shared *s)
{
    DET_EACH_THREAD(b, t) {
        double sum = 0.0;
        for (int i = t; i < a->stretches; i += b->threads)
            sum += a->sums[i];
        s->sums[t] = sum;
    }
    double sum = det_block_sum(b, s->sums);
    DET_EACH_THREAD(b, t)
        if (t == 0)
            *a->out += sum;
}

DET_KERNEL(square_stretch, struct squares_args, struct squares_shared, DET_NARROW)
DET_KERNEL(add_stretches, struct squares_args, struct squares_shared, DET_NARROW)

void det_cuda_sum_squares(struct det_device *dev, size_t n, const float *g, double *sum)
{
    struct squares_args a = {n, g, NULL, sum, (int)det_cuda_blocks(n, DET_BLOCK)};
    size_t bytes = (size_t)a.stretches * sizeof *a.sums;
    a.sums = (double *)det_kernel_scratch(dev, "sum_squares", bytes);
    DET_RUN(dev, square_stretch, a.stretches, &a);
    DET_RUN(dev, add_stretches, a.stretches > 0, &a);
}

void det_cuda_clip(struct det_device *dev, double max_norm, const double *sum,
                   struct det_clip *out)
{
    det_cuda_each(det_cuda_of(dev), "clip", 1,
                  [=] __device__(size_t) { *out = det_clip_of(*sum, max_norm); });
}

void det_cuda_scale(struct det_device *dev, size_t n, const float *factor, float *g)
{
    det_cuda_each(det_cuda_of(dev), "scale", n, [=] __device__(size_t i) {
        if (*factor != 1.0f)
            g[i] *= *factor;
    });
}

void det_cuda_check_finite(struct det_device *dev, size_t n, const float *x, int32_t *flag)
{
    det_cuda_each(det_cuda_of(dev), "check_finite", n, [=] __device__(size_t i) {
        if (!isfinite(x[i]))
            *flag = 1; /* whoever writes writes the same */
    });
}

void det_cuda_update(struct det_device *dev, enum det_optimizer_kind kind,
                     const struct det_update_terms *terms, const struct det_clip *clip, size_t n,
                     float *param, const float *grad, float *state1, float *state2)
{
    det_cuda_each(det_cuda_of(dev), "update", n, [=] __device__(size_t i) {
        if (clip && clip->skip)
            return;
        float g = clip ? clip->factor * grad[i] : grad[i];
        if (kind == DET_ADAMW)
            det_adamw_step(terms, &param[i], g, &state1[i], &state2[i]);
        else
            det_sgd_step(terms, &param[i], g, &state1[i]);
    });
}

void det_cuda_round_bf16(struct det_device *dev, size_t n, const float *x, float *y)
{
    det_cuda_each(det_cuda_of(dev), "round_bf16", n,
                  [=] __device__(size_t i) { y[i] = det_bf16(x[i]); });
}

void det_cuda_round_fp16(struct det_device *dev, size_t n, const float *x, float *y)
{
    det_cuda_each(det_cuda_of(dev), "round_fp16", n,
                  [=] __device__(size_t i) { y[i] = det_fp16(x[i]); });
}
