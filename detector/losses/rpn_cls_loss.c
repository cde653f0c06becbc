#include "detector/bodies/losses.h"
#include "detector/losses/cls_loss.h"

struct rpn_rows {
    int rows;
    const float *logits;
    const int8_t *labels;
};

static struct det_ohem hard_negatives(struct det_device *dev, const struct det_cls_loss *loss,
                                      const struct rpn_rows *in)
{
    uint32_t *keys = (uint32_t *)det_cpu_of(dev)->shared;
    int negatives = 0;
    int64_t positives = 0;
    for (int r = 0; r < in->rows; r++) {
        positives += in->labels[r] > 0;
        if (in->labels[r] == 0)
            keys[negatives++] = det_ohem_key(det_binary_loss(in->logits[r], 0, 1.0f, 0.0f).value);
    }
    return det_cls_hard_negatives(loss, keys, negatives, positives);
}

/* Loss of each row into losses (if wanted), derivative into dlogits (if wanted, not yet divided),
 * counts of the rows that take part; returns the sum. */
static double each_row(struct det_device *dev, const struct det_cls_loss *loss,
                       const struct rpn_rows *in, float *losses, float *dlogits,
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
        struct det_loss_term term = {0.0f, 0.0f};
        int counted = label >= 0;
        if (counted) {
            term = det_binary_loss(in->logits[r], label > 0, det_cls_weight(&weights, label),
                                   weights.gamma);
            if (ohem && label == 0)
                counted = det_ohem_keep(&hard, det_ohem_key(term.value));
        }
        if (!counted)
            term = (struct det_loss_term){0.0f, 0.0f};
        else
            det_cls_count(counts, &weights, label);
        sum += (double)term.value;
        if (losses)
            losses[r] = term.value;
        if (dlogits)
            dlogits[r] = term.derivative;
    }
    return sum;
}

static void monitor(const struct rpn_rows *in, struct det_cls_stats *stats)
{
    *stats = (struct det_cls_stats){0};
    float highest = -INFINITY;
    double foreground = 0.0;
    for (int r = 0; r < in->rows; r++) {
        float logit = in->logits[r];
        highest = det_max_or_nan(highest, logit);
        if (in->labels[r] < 0)
            continue;
        det_cls_stats_add(stats, in->labels[r], isnan(logit) ? -1 : logit > 0.0f);
        if (in->labels[r] > 0)
            foreground += (double)det_sigmoid(logit);
    }
    stats->max_foreground = det_sigmoid(highest);
    if (stats->positives > 0)
        stats->mean_foreground_at_positives = (float)(foreground / stats->positives);
}

void det_rpn_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                      const float *logits, const int8_t *labels, double *out, float *dlogits,
                      struct det_cls_stats *stats)
{
    struct rpn_rows in = {rows, logits, labels};
    struct det_avg_counts counts = {0};
    double sum = each_row(dev, loss, &in, NULL, dlogits, &counts);
    double inverse =
        det_avg_inverse(loss->reduction, loss->avg_factor, loss->fixed_factor, &counts);
    *out = sum * inverse;
    float factor = (float)(inverse * det_loss_scale(loss->loss_scale));
    for (int r = 0; dlogits && r < rows; r++)
        dlogits[r] *= factor;
    if (stats)
        monitor(&in, stats);
}

void det_rpn_cls_loss_rows(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           const float *logits, const int8_t *labels, float *losses)
{
    struct rpn_rows in = {rows, logits, labels};
    struct det_avg_counts counts = {0};
    each_row(dev, loss, &in, losses, NULL, &counts);
}
