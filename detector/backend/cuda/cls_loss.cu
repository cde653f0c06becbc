/* rpn_cls_loss and roi_cls_loss (losses/losses.h). One block finds the rows that count, chooses the
 * hard negatives, and adds up losses and monitors in ascending row order, as the CPU does; then a
 * thread a row writes the gradient. */
#include "detector/backend/cuda/block_list.h"
#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/block_select.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/cls_loss.h"
#include "detector/bodies/losses.h"

/* What the first kernel leaves for the second. */
struct cls_decided {
    uint64_t limit; /* negatives with a key below it count */
    float factor;   /* of the gradient */
};

struct cls_args {
    struct det_cls_loss loss;
    struct det_cls_weights weights;
    int rows, classes; /* classes 0: one logit a row, objectness */
    const int32_t *count;
    const float *logits;
    struct det_labels labels;
    double *out;
    float *dlogits;
    struct det_cls_stats *stats; /* may be NULL */
    struct cls_decided *decided;
    int32_t *list;  /* [rows] those with label >= 0 */
    uint64_t *keys; /* [rows] of the list, by hardness; OHEM only */
};

/* One row's loss, and what its gradient is made of. */
struct cls_row {
    float value, slope;
    struct det_softmax softmax; /* not for objectness */
};

DET_BLOCK_BODY const float *logits_at(const struct cls_args *a, int r)
{
    return a->logits + (size_t)r * (size_t)(a->classes ? a->classes : 1);
}

DET_BLOCK_BODY struct cls_row row_loss(const struct cls_args *a, int r)
{
    struct cls_row row;
    int label = det_label_at(&a->labels, r);
    float weight = det_cls_weight(&a->weights, label);
    const float *logits = logits_at(a, r);
    if (!a->classes) {
        struct det_loss_term term = det_binary_loss(*logits, label > 0, weight, a->weights.gamma);
        row.value = term.value;
        row.slope = term.derivative;
        return row;
    }
    row.softmax = det_softmax_row(logits, a->classes);
    row.value = det_softmax_loss(&row.softmax, logits[label], label == row.softmax.arg_max, weight,
                                 a->weights.gamma, &row.slope);
    return row;
}

/* Ascending keys = the hardest negatives first, ties to the lower row. */
DET_BLOCK_BODY uint64_t hardness(float value, int r)
{
    return det_key(~det_ohem_key(value), (uint32_t)r);
}

DET_BLOCK_BODY int row_counts(const struct cls_args *a, int label, float value, int r,
                              uint64_t limit)
{
    return label > 0 ||
           (label == 0 && (a->loss.kind != DET_CLS_OHEM || hardness(value, r) < limit));
}

struct cls_shared {
    struct det_list_shared list;
    struct det_select_shared select;
    float values[DET_WIDE], foreground[DET_WIDE], weights[DET_WIDE];
    int8_t counted[DET_WIDE], positive[DET_WIDE];
    struct det_cls_stats stats;
    struct det_avg_counts counts;
    double sum, foreground_sum;
};

/* The limit of the hard negatives among the n listed rows. */
DET_BLOCK_BODY uint64_t choose_hard(const struct det_block *b, const struct cls_args *a, int n,
                                    struct cls_shared *s)
{
    struct det_keys keys = {a->keys, n, 0, NULL, 0};
    DET_EACH_THREAD(b, t)
        for (int i = t; i < n; i += b->threads) {
            int r = a->list[i];
            a->keys[i] =
                det_label_at(&a->labels, r) == 0 ? hardness(row_loss(a, r).value, r) : DET_NO_KEY;
        }
    int negatives = det_block_available(b, &keys, &s->select);
    int wanted = det_ohem_wanted(&a->loss, negatives, n - negatives);
    return det_block_select(b, &keys, wanted, &s->select);
}

/* A listed row's terms to place t, and its counts to the statistics. */
DET_BLOCK_BODY void put_terms(const struct cls_args *a, int r, uint64_t limit, int t,
                              struct cls_shared *s, struct det_cls_stats *stats)
{
    struct cls_row row = row_loss(a, r);
    const float *logits = logits_at(a, r);
    int label = det_label_at(&a->labels, r);
    int predicted = isnan(*logits) ? -1 : *logits > 0.0f;
    float foreground = 0.0f;
    if (a->classes)
        predicted = row.softmax.arg_max;
    if (label > 0)
        foreground = a->classes ? det_softmax_p(&row.softmax, logits[label]) : det_sigmoid(*logits);
    s->counted[t] = (int8_t)row_counts(a, label, row.value, r, limit);
    s->positive[t] = label > 0;
    s->values[t] = row.value;
    s->weights[t] = det_cls_weight(&a->weights, label);
    s->foreground[t] = foreground;
    det_cls_stats_add(stats, label, predicted);
}

/* By one thread: the terms of n places, in order. */
DET_BLOCK_BODY void add_terms(int n, struct cls_shared *s)
{
    for (int i = 0; i < n; i++) {
        if (s->positive[i])
            s->foreground_sum += (double)s->foreground[i];
        if (!s->counted[i])
            continue;
        s->counts.sampled++;
        s->counts.positives += s->positive[i];
        s->counts.weights += (double)s->weights[i];
        s->sum += (double)s->values[i];
    }
}

DET_BLOCK_BODY void add_stats(const struct det_cls_stats *from, struct det_cls_stats *to)
{
    det_atomic_add(&to->positives, from->positives);
    det_atomic_add(&to->negatives, from->negatives);
    det_atomic_add(&to->positives_right, from->positives_right);
    det_atomic_add(&to->positives_missed, from->positives_missed);
    det_atomic_add(&to->predicted_positive, from->predicted_positive);
    det_atomic_add(&to->rows_right, from->rows_right);
}

/* The n listed rows, a chunk at a time. */
DET_BLOCK_BODY void sum_rows(const struct det_block *b, const struct cls_args *a, int n,
                             uint64_t limit, struct cls_shared *s)
{
    for (int first = 0; first < n; first += b->threads) {
        int rows = n - first < b->threads ? n - first : b->threads;
        DET_EACH_THREAD(b, t) {
            struct det_cls_stats stats = {0, 0, 0, 0, 0, 0, 0.0f, 0.0f};
            if (t >= rows)
                continue;
            put_terms(a, a->list[first + t], limit, t, s, &stats);
            add_stats(&stats, &s->stats);
        }
        DET_EACH_THREAD(b, t)
            if (t == 0)
                add_terms(rows, s);
    }
}

/* Highest foreground probability of all live rows, sampled or not. */
DET_BLOCK_BODY float highest_foreground(const struct det_block *b, const struct cls_args *a,
                                        int live, struct cls_shared *s)
{
    DET_EACH_THREAD(b, t) {
        float highest = a->classes ? 0.0f : -INFINITY;
        for (int r = t; r < live; r += b->threads) {
            const float *logits = logits_at(a, r);
            float foreground = *logits;
            if (a->classes) {
                struct det_softmax row = det_softmax_row(logits, a->classes);
                foreground = det_highest_foreground(&row, logits, a->classes);
            }
            highest = det_max_or_nan(highest, foreground);
        }
        s->values[t] = highest;
    }
    float highest = det_block_max(b, s->values);
    return a->classes ? highest : det_sigmoid(highest);
}

/* By one thread: the results. */
DET_BLOCK_BODY void finish(const struct cls_args *a, uint64_t limit, float highest,
                           struct cls_shared *s)
{
    const struct det_cls_loss *loss = &a->loss;
    double inverse =
        det_avg_inverse(loss->reduction, loss->avg_factor, loss->fixed_factor, &s->counts);
    *a->out = s->sum * inverse;
    a->decided->limit = limit;
    a->decided->factor = (float)(inverse * det_loss_scale(loss->loss_scale));
    if (!a->stats)
        return;
    s->stats.max_foreground = highest;
    if (s->stats.positives > 0)
        s->stats.mean_foreground_at_positives = (float)(s->foreground_sum / s->stats.positives);
    *a->stats = s->stats;
}

DET_BLOCK_BODY void cls_sum(const struct det_block *b, const struct cls_args *a,
                            struct cls_shared *s)
{
    int live = det_live_rows(a->count, a->rows);
    DET_EACH_THREAD(b, t)
        if (t == 0) {
            struct det_avg_counts counts = {live, 0, 0, 0.0};
            struct det_cls_stats stats = {0, 0, 0, 0, 0, 0, 0.0f, 0.0f};
            s->counts = counts;
            s->stats = stats;
            s->sum = s->foreground_sum = 0.0;
        }
    int n = det_block_list(b, &a->labels, live, 0, a->list, &s->list);
    uint64_t limit = a->loss.kind == DET_CLS_OHEM ? choose_hard(b, a, n, s) : DET_NO_KEY;
    sum_rows(b, a, n, limit, s);
    float highest = a->stats ? highest_foreground(b, a, live, s) : 0.0f;
    DET_EACH_THREAD(b, t)
        if (t == 0)
            finish(a, limit, highest, s);
}

/* The gradient of one live row: of the counted ones, else 0. */
DET_BLOCK_BODY void cls_gradient(const struct det_block *b, const struct cls_args *a,
                                 struct det_no_shared *s)
{
    (void)s;
    int live = det_live_rows(a->count, a->rows);
    DET_EACH_THREAD(b, t) {
        int r = b->index * b->threads + t;
        if (r >= live)
            continue;
        int width = a->classes ? a->classes : 1;
        float *to = a->dlogits + (size_t)r * (size_t)width;
        int label = det_label_at(&a->labels, r);
        struct cls_row row;
        int counted = 0;
        if (label >= 0) {
            row = row_loss(a, r);
            counted = row_counts(a, label, row.value, r, a->decided->limit);
        }
        for (int j = 0; j < width && !counted; j++)
            to[j] = 0.0f * a->decided->factor;
        if (counted && a->classes)
            det_softmax_gradient(&row.softmax, logits_at(a, r), width, label, row.slope,
                                 a->decided->factor, to);
        else if (counted)
            *to = row.slope * a->decided->factor;
    }
}

DET_KERNEL(cls_sum, struct cls_args, struct cls_shared, DET_WIDE)
DET_KERNEL(cls_gradient, struct cls_args, struct det_no_shared, DET_NARROW)

static size_t cls_layout(struct cls_args *a, void *base)
{
    struct det_cut cut = {(unsigned char *)base, 0};
    size_t keys = a->loss.kind == DET_CLS_OHEM ? (size_t)a->rows : 0;
    a->decided = (struct cls_decided *)det_cut_take(&cut, sizeof *a->decided);
    a->list = (int32_t *)det_cut_take(&cut, (size_t)a->rows * sizeof *a->list);
    a->keys = (uint64_t *)det_cut_take(&cut, keys * sizeof *a->keys);
    return cut.used;
}

static void run_cls_loss(struct det_device *dev, const char *op, struct cls_args *a)
{
    a->weights = det_cls_weights_of(&a->loss);
    cls_layout(a, det_kernel_scratch(dev, op, cls_layout(a, NULL)));
    DET_RUN(dev, cls_sum, 1, a);
    if (a->dlogits)
        DET_RUN(dev, cls_gradient, det_blocks_of(a->rows, DET_NARROW), a);
}

void det_cuda_rpn_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           const float *logits, const int8_t *labels, double *out, float *dlogits,
                           struct det_cls_stats *stats)
{
    struct cls_args a = {*loss,
                         {0.0f, 0.0f, 0.0f},
                         rows,
                         0,
                         NULL,
                         logits,
                         {labels, NULL},
                         out,
                         dlogits,
                         stats,
                         NULL,
                         NULL,
                         NULL};
    run_cls_loss(dev, "rpn_cls_loss", &a);
}

void det_cuda_roi_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           int classes, const int32_t *count, const float *logits,
                           const int32_t *labels, double *out, float *dlogits,
                           struct det_cls_stats *stats)
{
    struct cls_args a = {*loss,
                         {0.0f, 0.0f, 0.0f},
                         rows,
                         classes,
                         count,
                         logits,
                         {NULL, labels},
                         out,
                         dlogits,
                         stats,
                         NULL,
                         NULL,
                         NULL};
    run_cls_loss(dev, "roi_cls_loss", &a);
}
