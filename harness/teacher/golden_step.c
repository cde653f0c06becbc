#include "harness/teacher/golden_step.h"

#include <stdlib.h>
#include <string.h>

const char *const step_loss_names[STEP_LOSSES] = {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls",
                                                  "loss_bbox",    "loss_mask",     "loss"};

void step_losses(const struct det_losses *l, double out[STEP_LOSSES])
{
    const double in_order[STEP_LOSSES] = {l->rpn_cls, l->rpn_bbox, l->cls,
                                          l->bbox,    l->mask,     l->total};
    memcpy(out, in_order, sizeof in_order);
}

/* FNV-1a over 32-bit words. */
static uint64_t hash_words(uint64_t hash, const void *from, size_t words)
{
    const char *at = from;
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, at + 4 * i, sizeof word);
        hash = (hash ^ word) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash;
}

uint64_t batch_hash(const struct det_sample *samples, int n, int canvas_h, int canvas_w)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < n; i++) {
        const struct det_sample *s = &samples[i];
        const int32_t sizes[3] = {s->height, s->width, s->truth.n};
        hash = hash_words(hash, sizes, 3);
        hash = hash_words(hash, s->image, 3 * (size_t)canvas_h * (size_t)canvas_w);
        for (int t = 0; t < s->truth.n; t++) {
            const int32_t object[3] = {s->truth.labels[t], s->truth.crowd && s->truth.crowd[t],
                                       s->truth.annotated && !s->truth.annotated[t]};
            hash = hash_words(hash_words(hash, s->truth.boxes[t], 4), object, 3);
        }
    }
    return hash;
}

enum det_code step_gradients(struct parameter_floats *out, struct det_model *model,
                             struct det_device *dev, struct det_error *err)
{
    enum det_code code = parameter_floats_take(out, model, dev, PART_GRADIENT, err);
    float factor = (float)(1.0 / det_model_counters(model).loss_scale); /* a power of two: exact */
    for (size_t i = 0; code == DET_OK && factor != 1.0f && i < out->n; i++)
        out->at[i] *= factor;
    return code;
}

/* One training pass: losses, decisions, gradients. */
static enum det_code record_pass(struct golden_step *golden, struct det_model *model,
                                 struct det_device *dev, const struct det_sample *samples, int n,
                                 struct det_step_stats *stats, struct det_error *err)
{
    det_model_zero_grad(model);
    enum det_code code = det_model_forward_backward(model, samples, n, (uint32_t)golden->step, 1.0,
                                                    stats, err);
    if (code == DET_OK)
        code = pass_decisions_take_all(&golden->decisions, model, dev, err);
    if (code == DET_OK)
        code = kinks_take(&golden->kinks, model, dev, err);
    if (code == DET_OK)
        code = step_gradients(&golden->gradients, model, dev, err);
    step_losses(&stats->losses, golden->losses);
    return code;
}

enum det_code golden_step_make(struct golden_step *golden, struct det_model *model,
                               struct det_device *dev, const struct det_sample *samples, int n,
                               int64_t step, struct det_error *err)
{
    struct det_step_stats stats = {0};
    golden->step = step;
    enum det_code code = model_state_take(&golden->before, model, dev, err);
    if (code == DET_OK)
        code = record_pass(golden, model, dev, samples, n, &stats, err);
    if (code != DET_OK || (code = det_model_update(model, step, &stats, err)) != DET_OK)
        return code;
    golden->grad_norm = stats.grad_norm;
    golden->clipped = stats.clipped;
    golden->skipped = stats.skipped;
    return model_state_take(&golden->after, model, dev, err);
}

void golden_step_release(struct golden_step *golden)
{
    model_state_release(&golden->before);
    model_state_release(&golden->after);
    free(golden->gradients.at);
    pass_decisions_release(&golden->decisions);
    kinks_release(&golden->kinks);
    memset(golden, 0, sizeof *golden);
}
