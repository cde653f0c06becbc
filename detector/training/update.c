/* One optimiser step: unscale, norm, clip, update. In that order: clipping scaled gradients would
 * change what the clip means, and a norm per tensor or per pass would change it too. */
#include "detector/model/model.h"
#include "detector/training/gradient_norm.h"

#include <math.h>

void det_model_zero_grad(struct det_model *m)
{
    m->dev->ops->zero(m->dev, m->params.grads, m->params.grad_floats * sizeof(float));
}

static double gradient_norm(struct det_model *m)
{
    const struct det_backend *ops = m->dev->ops;
    double sum = 0.0;
    ops->zero(m->dev, m->d.sum, sizeof *m->d.sum);
    ops->sum_squares(m->dev, m->params.grad_floats, m->params.grads, m->d.sum);
    ops->download(m->dev, &sum, m->d.sum, sizeof sum);
    return sqrt(sum);
}

static struct det_update update_of(const struct det_model *m, double lr)
{
    const struct det_config *c = &m->config;
    return (struct det_update){
        .kind = c->optimizer_kind == DET_CONFIG_ADAMW ? DET_ADAMW : DET_SGD,
        .lr = lr,
        .momentum = c->optimizer_momentum,
        .weight_decay = c->optimizer_weight_decay,
        .beta1 = c->optimizer_beta1,
        .beta2 = c->optimizer_beta2,
        .eps = c->optimizer_eps,
        .step = m->updates,
    };
}

static void update_parameters(struct det_model *m, double lr)
{
    m->updates++;
    struct det_update update = update_of(m, lr);
    for (size_t i = 0; i < m->params.n; i++) {
        struct det_parameter *p = &m->params.slots[i].parameter;
        if (p->trainable)
            m->dev->ops->update(m->dev, &update, p->size, p->value, p->grad, p->state1, p->state2);
    }
    det_parameters_round(&m->params, m->dev);
}

enum det_code det_model_update(struct det_model *m, int64_t step, struct det_step_stats *stats,
                               struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    int mixed = m->config.model_precision == DET_PRECISION_BF16;
    stats->lr = det_learning_rate(&m->config, step);
    stats->loss_scale = m->scaler.scale;
    if (mixed)
        ops->scale(m->dev, m->params.grad_floats, (float)(1.0 / m->scaler.scale), m->params.grads);
    stats->grad_norm = gradient_norm(m);
    stats->skipped = mixed && !isfinite(stats->grad_norm);
    stats->clipped = 0;
    if (mixed)
        det_loss_scaler_update(&m->scaler, stats->skipped);
    if (stats->skipped)
        return DET_OK;
    if (!isfinite(stats->grad_norm))
        return det_fail(err, DET_NOT_FINITE, "step %lld: the gradient norm is not finite",
                        (long long)step);
    double factor = det_clip_factor(stats->grad_norm, m->config.clip_grad_norm);
    stats->clipped = factor < 1.0;
    if (stats->clipped)
        ops->scale(m->dev, m->params.grad_floats, (float)factor, m->params.grads);
    update_parameters(m, stats->lr);
    return ops->synchronize(m->dev, err);
}
