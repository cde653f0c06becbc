/* Training passes and whole optimiser steps: what is launched, and what is read once it is over. */
#include "detector/model/model.h"

#include <string.h>

/* The host's copy of something among the results of a pass. */
static const void *result(const struct det_model *m, int pass, const void *device)
{
    size_t offset = (size_t)((const char *)device - (const char *)m->d.losses);
    return m->h.results + (size_t)pass * m->results_bytes + offset;
}

static void read_pass(const struct det_model *m, int pass, struct det_step_stats *stats)
{
    const double *losses = result(m, pass, m->d.losses);
    const int32_t *counts = result(m, pass, m->d.proposals.count);
    const int32_t *not_finite = result(m, pass, m->d.proposals.n_not_finite);
    memset(stats, 0, sizeof *stats);
    memcpy(&stats->rpn, result(m, pass, m->d.rpn_stats), sizeof stats->rpn);
    memcpy(&stats->roi, result(m, pass, m->d.roi_stats), sizeof stats->roi);
    stats->not_finite = *not_finite;
    stats->losses = (struct det_losses){.rpn_cls = losses[DET_LOSS_RPN_CLS],
                                        .rpn_bbox = losses[DET_LOSS_RPN_BBOX],
                                        .cls = losses[DET_LOSS_CLS],
                                        .bbox = losses[DET_LOSS_BBOX],
                                        .mask = losses[DET_LOSS_MASK]};
    for (int i = 0; i < DET_LOSSES; i++)
        stats->losses.total += losses[i];
    for (int i = 0; i < m->max.images; i++)
        stats->proposals += counts[i];
}

static void add_cls_stats(struct det_cls_stats *sum, const struct det_cls_stats *x)
{
    int32_t positives = sum->positives + x->positives;
    if (positives > 0)
        sum->mean_foreground_at_positives =
            (sum->mean_foreground_at_positives * (float)sum->positives +
             x->mean_foreground_at_positives * (float)x->positives) /
            (float)positives;
    sum->positives = positives;
    sum->negatives += x->negatives;
    sum->positives_right += x->positives_right;
    sum->positives_missed += x->positives_missed;
    sum->predicted_positive += x->predicted_positive;
    sum->rows_right += x->rows_right;
    if (!(x->max_foreground <= sum->max_foreground)) /* NaN stays visible */
        sum->max_foreground = x->max_foreground;
}

/* Losses are averaged over the passes of a step, counts are added. */
static void add_stats(struct det_step_stats *sum, const struct det_step_stats *x, double weight)
{
    sum->losses.rpn_cls += weight * x->losses.rpn_cls;
    sum->losses.rpn_bbox += weight * x->losses.rpn_bbox;
    sum->losses.cls += weight * x->losses.cls;
    sum->losses.bbox += weight * x->losses.bbox;
    sum->losses.mask += weight * x->losses.mask;
    sum->losses.total += weight * x->losses.total;
    add_cls_stats(&sum->rpn, &x->rpn);
    add_cls_stats(&sum->roi, &x->roi);
    sum->proposals += x->proposals;
    sum->not_finite += x->not_finite;
}

enum det_code det_model_forward_backward(struct det_model *m, const struct det_sample *samples,
                                         int n, uint32_t step, double gradient_weight,
                                         struct det_step_stats *stats, struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    enum det_code code = det_model_load_batch(m, &m->to_train, samples, n, err);
    if (code != DET_OK)
        return code;
    const float scale = (float)(gradient_weight * m->scaler.scale);
    ops->upload(m->dev, &m->d.control->step, &step, sizeof step);
    ops->upload(m->dev, &m->d.control->loss_scale, &scale, sizeof scale);
    det_model_run_pass(m, n);
    ops->download(m->dev, m->h.results, m->d.losses, m->results_bytes);
    if ((code = ops->synchronize(m->dev, err)) != DET_OK)
        return code;
    read_pass(m, 0, stats);
    stats->objects = m->to_train.objects;
    return DET_OK;
}

void det_model_begin_step(struct det_model *m, int64_t step, double gradient_weight)
{
    m->under_way = (struct det_model_step){.step = step, .weight = gradient_weight};
    det_model_upload_control(m, step, gradient_weight);
    det_model_zero_grad(m);
}

enum det_code det_model_add_pass(struct det_model *m, struct det_error *err)
{
    int pass = m->under_way.passes;
    if (pass == m->max.passes)
        return det_fail(err, DET_INVALID, "step %lld: more than the %d passes planned for",
                        (long long)m->under_way.step, m->max.passes);
    if (m->to_train.n == 0)
        return det_fail(err, DET_INVALID, "step %lld: no batch was brought for pass %d",
                        (long long)m->under_way.step, pass);
    det_model_receive_batch(m, &m->to_train);
    det_model_run_pass(m, m->last_images);
    m->dev->ops->copy(m->dev, (char *)m->d.results + (size_t)pass * m->results_bytes, m->d.losses,
                      m->results_bytes);
    m->under_way.objects += m->to_train.objects;
    m->under_way.passes++;
    return DET_OK;
}

void det_model_end_step(struct det_model *m)
{
    det_model_run_update(m);
}

enum det_code det_model_wait(struct det_model *m, struct det_step_stats *stats,
                             struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    const struct det_model_step *s = &m->under_way;
    memset(stats, 0, sizeof *stats);
    ops->download(m->dev, m->h.results, m->d.results, (size_t)s->passes * m->results_bytes);
    enum det_code code = ops->synchronize(m->dev, err);
    if (code != DET_OK)
        return code;
    for (int p = 0; p < s->passes; p++) {
        struct det_step_stats pass;
        read_pass(m, p, &pass);
        add_stats(stats, &pass, s->weight);
    }
    stats->objects = s->objects;
    return det_model_settle_update(m, s->step, stats, err);
}
