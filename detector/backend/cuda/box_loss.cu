/* rpn_box_loss and roi_box_loss (losses/losses.h). One block lists the positive rows and adds up
 * their losses in ascending order, as the CPU does; then a thread a row writes the gradient. */
#include "detector/backend/cuda/block_list.h"
#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/losses.h"

struct box_args {
    struct det_box_loss loss;
    int rows, width; /* deltas a row; of those 4 * label on where there are classes */
    int classes;     /* 0: the RPN's, whose four deltas are the row */
    const int32_t *count;
    const float *deltas, *targets;
    struct det_labels labels;
    double *out;
    float *ddeltas;
    float *factor; /* [1] of the gradient */
    int32_t *list; /* [rows] the positives */
};

/* Where the row's own four deltas are. */
DET_BLOCK_BODY size_t own_deltas(const struct box_args *a, int r)
{
    size_t first = (size_t)r * (size_t)a->width;
    return a->classes ? first + 4 * (size_t)det_label_at(&a->labels, r) : first;
}

struct box_shared {
    struct det_list_shared list;
    double values[DET_WIDE];
    int32_t sampled[DET_WIDE];
    double sum;
};

/* The losses of the n listed rows, a chunk at a time. */
DET_BLOCK_BODY void sum_boxes(const struct det_block *b, const struct box_args *a, int n,
                              struct box_shared *s)
{
    DET_EACH_THREAD(b, t)
        if (t == 0)
            s->sum = 0.0;
    for (int first = 0; first < n; first += b->threads) {
        int rows = n - first < b->threads ? n - first : b->threads;
        DET_EACH_THREAD(b, t) {
            if (t >= rows)
                continue;
            int r = a->list[first + t];
            s->values[t] = det_smooth_l1_box(a->deltas + own_deltas(a, r),
                                             a->targets + 4 * (size_t)r, a->loss.beta, 1.0f, NULL);
        }
        DET_EACH_THREAD(b, t)
            for (int i = 0; t == 0 && i < rows; i++)
                s->sum += s->values[i];
    }
}

/* Rows with label >= 0. */
DET_BLOCK_BODY int count_sampled(const struct det_block *b, const struct box_args *a, int live,
                                 struct box_shared *s)
{
    DET_EACH_THREAD(b, t) {
        int count = 0;
        for (int r = t; r < live; r += b->threads)
            count += det_label_at(&a->labels, r) >= 0;
        s->sampled[t] = count;
    }
    return det_block_count(b, s->sampled);
}

DET_BLOCK_BODY void box_sum(const struct det_block *b, const struct box_args *a,
                            struct box_shared *s)
{
    int live = det_live_rows(a->count, a->rows);
    int positives = det_block_list(b, &a->labels, live, 1, a->list, &s->list);
    int sampled = count_sampled(b, a, live, s);
    struct det_avg_counts counts = {live, sampled, positives, (double)sampled};
    double inverse =
        det_avg_inverse(a->loss.reduction, a->loss.avg_factor, a->loss.fixed_factor, &counts);
    sum_boxes(b, a, positives, s);
    DET_EACH_THREAD(b, t)
        if (t == 0) {
            *a->out = s->sum * inverse;
            *a->factor = (float)(inverse * det_loss_scale(a->loss.loss_scale));
        }
}

/* One live row: its own four deltas where it is positive, 0 elsewhere. */
DET_BLOCK_BODY void box_gradient(const struct det_block *b, const struct box_args *a,
                                 struct det_no_shared *s)
{
    (void)s;
    int live = det_live_rows(a->count, a->rows);
    DET_EACH_THREAD(b, t) {
        int r = b->index * b->threads + t;
        if (r >= live)
            continue;
        for (int j = 0; j < a->width; j++)
            a->ddeltas[(size_t)r * (size_t)a->width + (size_t)j] = 0.0f;
        if (det_label_at(&a->labels, r) <= 0)
            continue;
        size_t own = own_deltas(a, r);
        det_smooth_l1_box(a->deltas + own, a->targets + 4 * (size_t)r, a->loss.beta, *a->factor,
                          a->ddeltas + own);
    }
}

DET_KERNEL(box_sum, struct box_args, struct box_shared, DET_WIDE)
DET_KERNEL(box_gradient, struct box_args, struct det_no_shared, DET_NARROW)

static size_t box_layout(struct box_args *a, void *base)
{
    struct det_cut cut = {(unsigned char *)base, 0};
    a->factor = (float *)det_cut_take(&cut, sizeof *a->factor);
    a->list = (int32_t *)det_cut_take(&cut, (size_t)a->rows * sizeof *a->list);
    return cut.used;
}

static void run_box_loss(struct det_device *dev, const char *op, struct box_args *a)
{
    box_layout(a, det_kernel_scratch(dev, op, box_layout(a, NULL)));
    DET_RUN(dev, box_sum, 1, a);
    if (a->ddeltas)
        DET_RUN(dev, box_gradient, det_blocks_of(a->rows, DET_NARROW), a);
}

void det_cuda_rpn_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           const float *deltas, const float *targets, const int8_t *labels,
                           double *out, float *ddeltas)
{
    struct box_args a = {*loss,   rows,           4,   0,       NULL, deltas,
                         targets, {labels, NULL}, out, ddeltas, NULL, NULL};
    run_box_loss(dev, "rpn_box_loss", &a);
}

void det_cuda_roi_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           int classes, const int32_t *count, const float *deltas,
                           const float *targets, const int32_t *labels, double *out, float *ddeltas)
{
    struct box_args a = {*loss,   rows,           4 * classes, classes, count, deltas,
                         targets, {NULL, labels}, out,         ddeltas, NULL,  NULL};
    run_box_loss(dev, "roi_box_loss", &a);
}
