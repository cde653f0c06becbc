/* mask_loss (losses/losses.h). A block a row sums its pixels in order and writes its gradient; then
 * one thread adds up the rows, in order. */
#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/losses.h"

struct mask_args {
    const float *loss_scale;
    int rows, classes, plane; /* plane: pixels of a mask */
    const int32_t *count;
    const float *logits, *targets;
    const int32_t *labels;
    double *out;
    float *dlogits; /* may be NULL */
    double *sums;   /* [rows] over the row's pixels */
};

struct mask_shared {
    int32_t positive[DET_NARROW];
    float values[DET_NARROW];
    double sum;
};

/* 1 / pixels of all live positives; 0 without any. */
DET_BLOCK_BODY double pixel_inverse(const struct det_block *b, const struct mask_args *a, int live,
                                    struct mask_shared *s)
{
    DET_EACH_THREAD(b, t) {
        int count = 0;
        for (int r = t; r < live; r += b->threads)
            count += a->labels[r] > 0;
        s->positive[t] = count;
    }
    int positives = det_block_count(b, s->positive);
    return positives > 0 ? 1.0 / ((double)positives * (double)a->plane) : 0.0;
}

/* The label's channel: sum and gradient. */
DET_BLOCK_BODY void own_channel(const struct det_block *b, const struct mask_args *a,
                                size_t channel, float factor, struct mask_shared *s)
{
    const float *targets = a->targets + (size_t)b->index * (size_t)a->plane;
    for (int first = 0; first < a->plane; first += b->threads) {
        int pixels = a->plane - first < b->threads ? a->plane - first : b->threads;
        DET_EACH_THREAD(b, t) {
            if (t >= pixels)
                continue;
            size_t i = (size_t)(first + t);
            struct det_loss_term term = det_soft_bce(a->logits[channel + i], targets[i]);
            s->values[t] = term.value;
            if (a->dlogits)
                a->dlogits[channel + i] = factor * term.derivative;
        }
        DET_EACH_THREAD(b, t)
            for (int i = 0; t == 0 && i < pixels; i++)
                s->sum += (double)s->values[i];
    }
}

/* One block a row. */
DET_BLOCK_BODY void mask_row(const struct det_block *b, const struct mask_args *a,
                             struct mask_shared *s)
{
    int r = b->index;
    int live = det_live_rows(a->count, a->rows);
    int width = a->classes * a->plane;
    size_t row = (size_t)r * (size_t)width;
    if (r >= live)
        return;
    float factor = (float)(pixel_inverse(b, a, live, s) * det_loss_scale(a->loss_scale));
    DET_EACH_THREAD(b, t) {
        if (t == 0)
            s->sum = 0.0;
        for (int i = t; a->dlogits && i < width; i += b->threads)
            a->dlogits[row + (size_t)i] = 0.0f;
    }
    if (a->labels[r] > 0)
        own_channel(b, a, row + (size_t)a->labels[r] * (size_t)a->plane, factor, s);
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->sums[r] = s->sum;
}

DET_BLOCK_BODY void mask_sum(const struct det_block *b, const struct mask_args *a,
                             struct mask_shared *s)
{
    int live = det_live_rows(a->count, a->rows);
    double inverse = pixel_inverse(b, a, live, s);
    DET_EACH_THREAD(b, t) {
        if (t > 0)
            continue;
        double sum = 0.0;
        for (int r = 0; r < live; r++)
            sum += a->sums[r];
        *a->out = sum * inverse;
    }
}

DET_KERNEL(mask_row, struct mask_args, struct mask_shared, DET_NARROW)
DET_KERNEL(mask_sum, struct mask_args, struct mask_shared, DET_NARROW)

void det_cuda_mask_loss(struct det_device *dev, const float *loss_scale, int rows, int classes, int size,
                        const int32_t *count, const float *logits, const float *targets,
                        const int32_t *labels, double *out, float *dlogits)
{
    struct mask_args a = {loss_scale, rows,   classes, size * size, count, logits,
                          targets,    labels, out,     dlogits,     NULL};
    a.sums = (double *)det_kernel_scratch(dev, "mask_loss", (size_t)rows * sizeof *a.sums);
    DET_RUN(dev, mask_row, rows, &a);
    DET_RUN(dev, mask_sum, 1, &a);
}
