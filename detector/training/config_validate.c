/* Contradictions between keys, one function a family; the message says which keys and the way out. */
#include "detector/training/training_config.h"

#include <math.h>
#include <stddef.h>

static enum det_code check_reductions(const struct det_config *c, struct det_error *err)
{
    if (c->roi_cls_reduction == DET_CONFIG_SUM && c->roi_cls_avg_factor != DET_ROI_AVG_NONE)
        return det_fail(err, DET_INVALID,
                        "roi_cls_reduction: a sum is not divided by anything; set "
                        "roi_cls_avg_factor to none");
    if (c->roi_cls_reduction == DET_CONFIG_MEAN && c->roi_cls_avg_factor == DET_ROI_AVG_NONE)
        return det_fail(err, DET_INVALID,
                        "roi_cls_avg_factor: a mean must be divided by something; none goes with "
                        "roi_cls_reduction sum");
    if (c->rpn_cls_reduction == DET_CONFIG_SUM && c->rpn_avg_factor != DET_RPN_AVG_NONE)
        return det_fail(err, DET_INVALID,
                        "rpn_cls_reduction: a sum is not divided by anything; set rpn_avg_factor "
                        "to none");
    return DET_OK;
}

/* GroupNorm cuts a layer's channels into equal groups: width, 2 width, ... as stages go up. */
static enum det_code check_groups(const struct det_config *c, struct det_error *err)
{
    int stages = c->model_block == DET_BLOCK_BOTTLENECK ? 6 : 4; /* bottlenecks put out 4 times */
    if (c->model_norm != DET_NORM_GN)
        return DET_OK;
    for (int i = 0; i < stages; i++) {
        int64_t channels = c->model_width << i;
        int64_t groups = c->model_groups < channels ? c->model_groups : channels;
        if (channels % groups)
            return det_fail(err, DET_INVALID,
                            "model.groups: %lld groups do not divide the %lld channels of a stage "
                            "evenly",
                            (long long)groups, (long long)channels);
    }
    return DET_OK;
}

static enum det_code check_model(const struct det_config *c, struct det_error *err)
{
    if (c->model_layers.n != 4)
        return det_fail(err, DET_INVALID, "model.layers: %d stages given, a ResNet has 4",
                        c->model_layers.n);
    for (int i = 0; i < 4; i++)
        if (c->model_layers.at[i] != floor(c->model_layers.at[i]))
            return det_fail(err, DET_INVALID, "model.layers: %g blocks; whole numbers only",
                            c->model_layers.at[i]);
    if (c->model_anchor_sizes.n != 5)
        return det_fail(err, DET_INVALID, "model.anchor_sizes: %d given, one for each of 5 levels",
                        c->model_anchor_sizes.n);
    if (c->model_aspect_ratios.n < 1)
        return det_fail(err, DET_INVALID, "model.aspect_ratios: at least one");
    return check_groups(c, err);
}

static enum det_code check_matchers(const struct det_config *c, struct det_error *err)
{
    if (c->rpn_fg_iou < c->rpn_bg_iou)
        return det_fail(err, DET_INVALID,
                        "rpn.fg_iou: %g is below rpn.bg_iou %g: an anchor would be both",
                        c->rpn_fg_iou, c->rpn_bg_iou);
    if (c->roi_fg_iou < c->roi_bg_iou)
        return det_fail(err, DET_INVALID,
                        "roi.fg_iou: %g is below roi.bg_iou %g: a RoI would be both",
                        c->roi_fg_iou, c->roi_bg_iou);
    return DET_OK;
}

static enum det_code check_optimizer(const struct det_config *c, struct det_error *err)
{
    if (c->optimizer_kind == DET_CONFIG_ADAMW && (c->optimizer_beta1 >= 1 || c->optimizer_beta2 >= 1))
        return det_fail(err, DET_INVALID,
                        "optimizer.beta1, optimizer.beta2: must be below 1 (the bias correction "
                        "divides by 1 - beta^t)");
    return DET_OK;
}

static enum det_code check_schedule(const struct det_config *c, struct det_error *err)
{
    const struct det_config_list *milestones = &c->schedule_milestones;
    if (c->schedule_warmup_steps > c->schedule_steps)
        return det_fail(err, DET_INVALID,
                        "schedule.warmup_steps: %lld is longer than the run, schedule.steps %lld",
                        (long long)c->schedule_warmup_steps, (long long)c->schedule_steps);
    for (int i = 1; i < milestones->n; i++)
        if (milestones->at[i] <= milestones->at[i - 1])
            return det_fail(err, DET_INVALID, "schedule.milestones: %g after %g; must ascend",
                            milestones->at[i], milestones->at[i - 1]);
    return DET_OK;
}

enum det_code det_config_validate(const struct det_config *config, struct det_error *err)
{
    static enum det_code (*const checks[])(const struct det_config *, struct det_error *) = {
        check_reductions, check_model, check_matchers, check_optimizer, check_schedule,
    };
    if (!config->data[0])
        return det_fail(err, DET_INVALID, "data: empty; name a recipe or coco:ANN.json,IMAGE_DIR");
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        enum det_code code = checks[i](config, err);
        if (code != DET_OK)
            return code;
    }
    return DET_OK;
}
