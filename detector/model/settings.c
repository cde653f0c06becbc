/* From configuration keys to what the backend's operations are told. Constants that are not keys are
 * torchvision's. */
#include "detector/bodies/philox.h"
#include "detector/model/model.h"

#include <string.h>

static const float rpn_coder[4] = {1.0f, 1.0f, 1.0f, 1.0f};
static const float roi_coder[4] = {10.0f, 10.0f, 5.0f, 5.0f};
static const float delta_clip = 4.135166556742356f; /* log(1000 / 16) */

struct det_rpn_assign det_model_rpn_assign(const struct det_model *m)
{
    const struct det_config *c = &m->config;
    struct det_rpn_assign p = {
        .n_anchors = m->n_anchors,
        .matcher = {(float)c->rpn_fg_iou, (float)c->rpn_bg_iou, 1},
        .sampler = {(int)c->rpn_batch_per_image, (float)c->rpn_positive_fraction, (uint64_t)c->seed,
                    DET_PURPOSE_RPN_POSITIVE, DET_PURPOSE_RPN_NEGATIVE},
    };
    memcpy(p.coder_weights, rpn_coder, sizeof rpn_coder);
    return p;
}

struct det_proposal_filter det_model_proposal_filter(const struct det_model *m, int training)
{
    const struct det_config *c = &m->config;
    struct det_proposal_filter p = {
        .n_anchors = m->n_anchors,
        .n_levels = DET_MAX_LEVELS,
        .pre_nms = (int)(training ? c->rpn_pre_nms_train : c->rpn_pre_nms_test),
        .post_nms = (int)(training ? c->rpn_post_nms_train : c->rpn_post_nms_test),
        .nms_iou = (float)c->rpn_nms_iou,
        .min_size = (float)c->rpn_min_size,
        .delta_clip = delta_clip,
    };
    memcpy(p.level_first, m->level_first, sizeof p.level_first);
    memcpy(p.coder_weights, rpn_coder, sizeof rpn_coder);
    return p;
}

struct det_roi_assign det_model_roi_assign(const struct det_model *m)
{
    const struct det_config *c = &m->config;
    struct det_roi_assign p = {
        .matcher = {(float)c->roi_fg_iou, (float)c->roi_bg_iou, 0},
        .sampler = {(int)c->roi_batch_per_image, (float)c->roi_positive_fraction, (uint64_t)c->seed,
                    DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE},
        .append_ground_truth = c->roi_append_ground_truth,
        .n_levels = DET_ROI_LEVELS,
        .finest = 2,
    };
    memcpy(p.coder_weights, roi_coder, sizeof roi_coder);
    return p;
}

struct det_detect det_model_detect(const struct det_model *m)
{
    const struct det_config *c = &m->config;
    struct det_detect p = {
        .n_classes = m->n_classes + 1,
        .score_threshold = (float)c->infer_score_threshold,
        .nms_iou = (float)c->infer_nms_iou,
        .min_size = 1e-2f,
        .max_per_image = (int)c->infer_detections_per_image,
        .delta_clip = delta_clip,
    };
    memcpy(p.coder_weights, roi_coder, sizeof roi_coder);
    return p;
}

static struct det_cls_loss cls_loss(const struct det_config *c, int kind, int reduction,
                                    double pos_weight)
{
    static const enum det_cls_loss_kind kinds[] = {
        [DET_CONFIG_LOSS_PLAIN] = DET_CLS_PLAIN,
        [DET_CONFIG_LOSS_FOCAL] = DET_CLS_FOCAL,
        [DET_CONFIG_LOSS_OHEM] = DET_CLS_OHEM,
    };
    return (struct det_cls_loss){
        .kind = kinds[kind],
        .pos_weight = (float)pos_weight,
        .reduction = reduction == DET_CONFIG_SUM ? DET_REDUCTION_SUM : DET_REDUCTION_MEAN,
        .focal_alpha = (float)c->focal_alpha,
        .focal_gamma = (float)c->focal_gamma,
        .ohem_ratio = (float)c->ohem_neg_pos_ratio,
        .ohem_min_positives = (int)c->ohem_min_positives,
    };
}

struct det_cls_loss det_model_rpn_cls_loss(const struct det_model *m)
{
    static const enum det_avg_factor factors[] = {
        [DET_RPN_AVG_SAMPLED] = DET_AVG_SAMPLED,
        [DET_RPN_AVG_POSITIVES] = DET_AVG_POSITIVES,
        [DET_RPN_AVG_NONE] = DET_AVG_ALL,
    };
    const struct det_config *c = &m->config;
    struct det_cls_loss p =
        cls_loss(c, c->rpn_cls_loss, c->rpn_cls_reduction, c->rpn_cls_pos_weight);
    p.avg_factor = factors[c->rpn_avg_factor];
    return p;
}

struct det_cls_loss det_model_roi_cls_loss(const struct det_model *m)
{
    static const enum det_avg_factor factors[] = {
        [DET_ROI_AVG_WEIGHTS] = DET_AVG_WEIGHTS,
        [DET_ROI_AVG_ROIS] = DET_AVG_SAMPLED,
        [DET_ROI_AVG_POSITIVES] = DET_AVG_POSITIVES,
        [DET_ROI_AVG_NONE] = DET_AVG_ALL,
    };
    const struct det_config *c = &m->config;
    struct det_cls_loss p =
        cls_loss(c, c->roi_cls_loss, c->roi_cls_reduction, c->roi_cls_pos_weight);
    p.avg_factor = factors[c->roi_cls_avg_factor];
    return p;
}

struct det_roi_align det_model_roi_align(const struct det_model *m, int output_size, int max_rois,
                                         const int32_t *count)
{
    struct det_roi_align p = {
        .n_levels = DET_ROI_LEVELS,
        .n_images = m->last_images,
        .channels = (int)m->config.model_fpn_channels,
        .output_size = output_size,
        .sampling_ratio = 2,
        .max_rois = max_rois,
        .count = count,
    };
    for (int l = 0; l < DET_ROI_LEVELS; l++) {
        p.h[l] = m->trunk.tensors[m->levels[l]].h;
        p.w[l] = m->trunk.tensors[m->levels[l]].w;
        p.scale[l] = 1.0f / (float)(4 << l);
    }
    return p;
}
