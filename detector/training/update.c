/* One optimiser step: unscale, norm, clip, update. In that order: clipping scaled gradients would
 * change what the clip means, and a norm per tensor or per pass would change it too. The update reads
 * its gradients times the clip's factor; where they lie they stay unclipped. */
#include "detector/model/model.h"
#include "detector/training/optimizer.h"

void det_model_zero_grad(struct det_model *m)
{
    m->dev->ops->zero(m->dev, m->params.grads, m->params.grad_floats * sizeof(float));
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
        .step = m->updates + 1,
    };
}

void det_model_upload_control(struct det_model *m, int64_t step, double weight)
{
    double lr = det_learning_rate(&m->config, step);
    struct det_update update = update_of(m, lr);
    struct det_step_control control = {.step = (uint32_t)step,
                                       .loss_scale = (float)(weight * m->scaler.scale),
                                       .unscale = (float)(1.0 / m->scaler.scale),
                                       .terms = det_update_terms_of(&update)};
    m->dev->ops->upload(m->dev, m->d.control, &control, sizeof control);
    m->under_way.lr = lr;
}

/* The whole of it, decided on the device: the host reads what came of it afterwards. */
void det_model_launch_update(struct det_model *m)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_step_control *control = m->d.control;
    enum det_optimizer_kind kind = update_of(m, 0.0).kind;
    if (m->params.round)
        ops->scale(m->dev, m->params.grad_floats, &control->unscale, m->params.grads);
    ops->zero(m->dev, m->d.sum, sizeof *m->d.sum);
    ops->sum_squares(m->dev, m->params.grad_floats, m->params.grads, m->d.sum);
    ops->clip(m->dev, m->config.clip_grad_norm, m->d.sum, &control->clip);
    for (size_t i = 0; i < m->params.n; i++) {
        struct det_parameter *p = &m->params.slots[i].parameter;
        if (p->trainable)
            ops->update(m->dev, kind, &control->terms, &control->clip, p->size, p->value,
                        p->grad, p->state1, p->state2);
    }
    det_parameters_round(&m->params, m->dev);
}

enum det_code det_model_settle_update(struct det_model *m, int64_t step,
                                      struct det_step_stats *stats, struct det_error *err)
{
    int mixed = m->params.round != NULL;
    struct det_clip clip;
    m->dev->ops->download(m->dev, &clip, &m->d.control->clip, sizeof clip);
    enum det_code code = m->dev->ops->synchronize(m->dev, err);
    if (code != DET_OK)
        return code;
    stats->lr = m->under_way.lr;
    stats->loss_scale = m->scaler.scale;
    stats->grad_norm = clip.norm;
    stats->clipped = clip.clipped;
    stats->skipped = mixed && clip.skip;
    if (mixed)
        det_loss_scaler_update(&m->scaler, clip.skip);
    if (!clip.skip)
        m->updates++;
    else if (!mixed)
        return det_fail(err, DET_NOT_FINITE, "step %lld: the gradient norm is not finite",
                        (long long)step);
    return DET_OK;
}

enum det_code det_model_update(struct det_model *m, int64_t step, struct det_step_stats *stats,
                               struct det_error *err)
{
    det_model_upload_control(m, step, 1.0);
    det_model_run_update(m);
    return det_model_settle_update(m, step, stats, err);
}
