#include "detector/bodies/losses.h"
#include "detector/losses/cls_loss.h"

struct roi_rows {
    int rows, classes; /* live rows */
    const float *logits;
    const int32_t *labels;
};

static const float *row_at(const struct roi_rows *in, int r)
{
    return in->logits + (size_t)r * (size_t)in->classes;
}

static float row_loss(const struct roi_rows *in, int r, const struct det_softmax *row,
                      const struct det_cls_weights *weights, float *slope)
{
    int label = in->labels[r];
    return det_softmax_loss(row, row_at(in, r)[label], label == row->arg_max,
                            det_cls_weight(weights, label), weights->gamma, slope);
}

static struct det_ohem hard_negatives(struct det_device *dev, const struct det_cls_loss *loss,
                                      const struct roi_rows *in)
{
    uint32_t *keys = (uint32_t *)det_cpu_of(dev)->shared;
    struct det_cls_weights weights = det_cls_weights_of(loss);
    int negatives = 0;
    int64_t positives = 0;
    for (int r = 0; r < in->rows; r++) {
        positives += in->labels[r] > 0;
        if (in->labels[r] != 0)
            continue;
        struct det_softmax row = det_softmax_row(row_at(in, r), in->classes);
        float slope;
        keys[negatives++] = det_ohem_key(row_loss(in, r, &row, &weights, &slope));
    }
    return det_cls_hard_negatives(loss, keys, negatives, positives);
}

/* Loss of each row into losses (if wanted), gradient into dlogits (if wanted, not yet divided),
 * counts of the rows that take part; returns the sum. */
static double each_row(struct det_device *dev, const struct det_cls_loss *loss,
                       const struct roi_rows *in, float *losses, float *dlogits,
                       struct det_avg_counts *counts)
{
    struct det_cls_weights weights = det_cls_weights_of(loss);
    int ohem = loss->kind == DET_CLS_OHEM;
    struct det_ohem hard = {0};
    if (ohem)
        hard = hard_negatives(dev, loss, in);
    double sum = 0.0;
    counts->rows = in->rows;
    for (int r = 0; r < in->rows; r++) {
        int label = in->labels[r];
        float *gradient = dlogits ? dlogits + (size_t)r * (size_t)in->classes : NULL;
        struct det_softmax row = {0};
        float value = 0.0f, slope = 0.0f;
        int counted = label >= 0;
        if (counted) {
            row = det_softmax_row(row_at(in, r), in->classes);
            value = row_loss(in, r, &row, &weights, &slope);
            if (ohem && label == 0)
                counted = det_ohem_keep(&hard, det_ohem_key(value));
        }
        if (losses)
            losses[r] = counted ? value : 0.0f;
        if (gradient && !counted)
            memset(gradient, 0, (size_t)in->classes * sizeof *gradient);
        if (!counted)
            continue;
        det_cls_count(counts, &weights, label);
        sum += (double)value;
        if (gradient)
            det_softmax_gradient(&row, row_at(in, r), in->classes, label, slope, 1.0f, gradient);
    }
    return sum;
}

static void monitor(const struct roi_rows *in, struct det_cls_stats *stats)
{
    *stats = (struct det_cls_stats){0};
    double foreground = 0.0;
    for (int r = 0; r < in->rows; r++) {
        const float *logits = row_at(in, r);
        struct det_softmax row = det_softmax_row(logits, in->classes);
        stats->max_foreground = det_max_or_nan(stats->max_foreground,
                                               det_highest_foreground(&row, logits, in->classes));
        if (in->labels[r] < 0)
            continue;
        det_cls_stats_add(stats, in->labels[r], row.arg_max);
        if (in->labels[r] > 0)
            foreground += (double)det_softmax_p(&row, logits[in->labels[r]]);
    }
    if (stats->positives > 0)
        stats->mean_foreground_at_positives = (float)(foreground / stats->positives);
}

void det_roi_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                      int classes, const int32_t *count, const float *logits, const int32_t *labels,
                      double *out, float *dlogits, struct det_cls_stats *stats)
{
    struct roi_rows in = {det_live(count, rows), classes, logits, labels};
    struct det_avg_counts counts = {0};
    double sum = each_row(dev, loss, &in, NULL, dlogits, &counts);
    double inverse =
        det_avg_inverse(loss->reduction, loss->avg_factor, loss->fixed_factor, &counts);
    *out = sum * inverse;
    float factor = (float)(inverse * det_loss_scale(loss->loss_scale));
    size_t n = (size_t)in.rows * (size_t)classes;
    for (size_t i = 0; dlogits && i < n; i++)
        dlogits[i] *= factor;
    if (stats)
        monitor(&in, stats);
}

void det_roi_cls_loss_rows(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           int classes, const int32_t *count, const float *logits,
                           const int32_t *labels, float *losses)
{
    struct roi_rows in = {det_live(count, rows), classes, logits, labels};
    struct det_avg_counts counts = {0};
    each_row(dev, loss, &in, losses, NULL, &counts);
}
