/* Creating a model: the nets are declared, everything is planned and taken at once. */
#include "detector/model/model.h"

#include "detector/boxes/anchors.h"
#include "detector/losses/losses.h"

#include <stdlib.h>
#include <string.h>

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static struct det_model_limits limits_of(const struct det_model_options *o)
{
    const struct det_config *c = o->config;
    struct det_model_limits max = {
        .train_images = o->batch_size,
        .infer_images = o->infer_batch_size,
        .images = max_int(o->batch_size, o->infer_batch_size),
        .max_objects = max_int(o->max_objects, 1),
        .proposals = max_int((int)c->rpn_post_nms_train, (int)c->rpn_post_nms_test),
        .train_rois = o->batch_size * (int)c->roi_batch_per_image,
        .detections = (int)c->infer_detections_per_image,
    };
    /* With few proposals and much ground truth the sampler can fill a batch with positives only up
     * to its fraction; int() as the sampler takes it. */
    int positives = (int)((double)c->roi_batch_per_image * c->roi_positive_fraction);
    max.train_masks = o->batch_size * max_int(positives, 1);
    max.rois = max_int(max.train_rois, o->infer_batch_size * (int)c->rpn_post_nms_test);
    max.masks = max_int(max.train_masks, o->infer_batch_size * max.detections);
    return max;
}

static void declare_trunk(struct det_model *m, struct det_error *err)
{
    int stages[DET_BODY_STAGES];
    net_begin(&m->trunk, &m->params, m->max.images, m->max.train_images, err);
    m->images = net_input(&m->trunk, 3, m->canvas_h, m->canvas_w, 0);
    det_build_resnet(&m->trunk, &m->config, m->images, stages);
    det_build_fpn(&m->trunk, &m->config, stages, m->levels);
    det_build_rpn_head(&m->trunk, &m->config, m->levels, m->rpn_logits, m->rpn_deltas);
}

static void declare_heads(struct det_model *m, struct det_error *err)
{
    int channels = (int)m->config.model_fpn_channels;
    net_begin(&m->box_head, &m->params, m->max.rois, m->max.train_rois, err);
    m->box_features = net_input(&m->box_head, channels, DET_BOX_CELLS, DET_BOX_CELLS, 1);
    det_build_box_head(&m->box_head, &m->config, m->n_classes, m->box_features, &m->box_logits,
                       &m->box_deltas);
    net_begin(&m->mask_head, &m->params, m->max.masks, m->max.train_masks, err);
    m->mask_features = net_input(&m->mask_head, channels, DET_MASK_CELLS, DET_MASK_CELLS, 1);
    det_build_mask_head(&m->mask_head, &m->config, m->n_classes, m->mask_features, &m->mask_logits);
}

static enum det_code count_anchors(struct det_model *m, struct det_error *err)
{
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        const struct net_tensor *t = &m->trunk.tensors[m->levels[l]];
        m->level_first[l] = m->n_anchors;
        m->n_anchors += t->h * t->w * m->config.model_aspect_ratios.n;
    }
    m->level_first[DET_MAX_LEVELS] = m->n_anchors;
    if ((int64_t)m->n_anchors * m->max.images > INT32_MAX) /* rows of a batch are an int */
        return det_fail(err, DET_INVALID, "%d anchors in each of %d images: too many for a batch",
                        m->n_anchors, m->max.images);
    return DET_OK;
}

/* Anchors are made on the host, once, and copied. */
static enum det_code place_anchors(struct det_model *m, struct det_error *err)
{
    struct det_anchor_level levels[DET_MAX_LEVELS];
    float ratios[DET_CONFIG_LIST_MAX];
    const struct det_config *c = &m->config;
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        const struct net_tensor *t = &m->trunk.tensors[m->levels[l]];
        levels[l] = (struct det_anchor_level){.h = t->h,
                                              .w = t->w,
                                              .stride_h = det_anchor_stride(m->canvas_h, t->h),
                                              .stride_w = det_anchor_stride(m->canvas_w, t->w),
                                              .size = (float)c->model_anchor_sizes.at[l]};
    }
    for (int i = 0; i < c->model_aspect_ratios.n; i++)
        ratios[i] = (float)c->model_aspect_ratios.at[i];
    float *host = malloc((size_t)m->n_anchors * 4 * sizeof *host);
    if (!host)
        return det_fail(err, DET_NO_MEMORY, "%d anchors", m->n_anchors);
    det_anchors(DET_MAX_LEVELS, levels, c->model_aspect_ratios.n, ratios, host);
    m->dev->ops->upload(m->dev, m->d.anchors, host, (size_t)m->n_anchors * 4 * sizeof *host);
    free(host);
    return DET_OK;
}

static enum det_code check_losses(const struct det_model *m, struct det_error *err)
{
    struct det_cls_loss rpn = det_model_rpn_cls_loss(m);
    struct det_cls_loss roi = det_model_roi_cls_loss(m);
    enum det_code code = det_cls_loss_check(&rpn, err);
    if (code != DET_OK)
        return det_fail_in(err, code, "loss_rpn_cls");
    code = det_cls_loss_check(&roi, err);
    return code == DET_OK ? code : det_fail_in(err, code, "loss_cls");
}

/* What mixed precision rounds with; NULL: nothing is rounded. */
static det_round *rounding_of(const struct det_model *m)
{
    switch (m->config.model_precision) {
    case DET_PRECISION_BF16:
        return m->dev->ops->round_bf16;
    case DET_PRECISION_FP16:
        return m->dev->ops->round_fp16;
    default:
        return NULL;
    }
}

static enum det_code set_products(const struct det_model *m, struct det_error *err)
{
    static const enum det_products products[] = {
        [DET_PRECISION_FP32] = DET_PRODUCTS_FP32,
        [DET_PRECISION_BF16] = DET_PRODUCTS_BF16,
        [DET_PRECISION_FP16] = DET_PRODUCTS_FP16,
        [DET_PRECISION_TF32] = DET_PRODUCTS_TF32,
    };
    enum det_code code =
        m->dev->ops->set_products(m->dev, products[m->config.model_precision], err);
    return code == DET_OK ? code : det_fail_in(err, code, "model.precision");
}

static enum det_code plan(struct det_model *m, struct det_error *err)
{
    enum det_code code;
    int states = m->config.optimizer_kind == DET_CONFIG_ADAMW ? 2 : 1;
    det_round *round = rounding_of(m);
    m->trunk.round = m->box_head.round = m->mask_head.round = round;
    if ((code = set_products(m, err)) != DET_OK || (code = det_model_take_buffers(m, err)) != DET_OK)
        return code;
    m->box_head.count = m->d.rois.count;
    m->mask_head.count = m->d.mask_rois.count;
    if ((code = det_parameters_plan(&m->params, m->dev, states, round, err)) != DET_OK ||
        (code = net_plan(&m->trunk, m->dev, err)) != DET_OK ||
        (code = net_plan(&m->box_head, m->dev, err)) != DET_OK ||
        (code = net_plan(&m->mask_head, m->dev, err)) != DET_OK ||
        (code = det_model_reserve_scratch(m, err)) != DET_OK ||
        (code = place_anchors(m, err)) != DET_OK)
        return code;
    code = det_parameters_initialize(&m->params, m->dev, (uint64_t)m->config.seed, err);
    return code == DET_OK ? det_model_settle_scratch(m, err) : code;
}

static enum det_code check_options(const struct det_model_options *o, struct det_error *err)
{
    if (o->canvas_h < 32 || o->canvas_w < 32 || o->canvas_h % 32 || o->canvas_w % 32)
        return det_fail(err, DET_INVALID, "canvas %d x %d: sides must be multiples of 32",
                        o->canvas_h, o->canvas_w);
    if (o->n_classes < 1)
        return det_fail(err, DET_INVALID, "%d classes: at least one is needed", o->n_classes);
    if (o->batch_size < 1 || o->infer_batch_size < 1)
        return det_fail(err, DET_INVALID, "batch of %d, inference batch of %d images: at least one",
                        o->batch_size, o->infer_batch_size);
    if (o->config->model_anchor_sizes.n != DET_MAX_LEVELS ||
        o->config->model_layers.n != DET_BODY_STAGES)
        return det_fail(err, DET_INVALID, "model.anchor_sizes has %d numbers (%d levels), "
                        "model.layers %d (%d stages)", o->config->model_anchor_sizes.n,
                        DET_MAX_LEVELS, o->config->model_layers.n, DET_BODY_STAGES);
    return DET_OK;
}

enum det_code det_model_create(struct det_device *dev, const struct det_model_options *options,
                               struct det_model **out, struct det_error *err)
{
    *out = NULL;
    enum det_code code = check_options(options, err);
    if (code != DET_OK)
        return code;
    struct det_model *m = calloc(1, sizeof *m);
    if (!m)
        return det_fail(err, DET_NO_MEMORY, "model");
    m->dev = dev;
    m->config = *options->config;
    m->n_classes = options->n_classes;
    m->canvas_h = options->canvas_h;
    m->canvas_w = options->canvas_w;
    m->max = limits_of(options);
    m->scaler = det_loss_scaler_default();
    m->records = m->config.backend_graph;
    if (!rounding_of(m))
        m->scaler.scale = 1.0;
    declare_trunk(m, err);
    declare_heads(m, err);
    code = m->trunk.code != DET_OK ? m->trunk.code
           : m->box_head.code != DET_OK ? m->box_head.code : m->mask_head.code;
    if (code == DET_OK)
        code = check_losses(m, err);
    if (code == DET_OK)
        code = count_anchors(m, err);
    if (code == DET_OK)
        code = plan(m, err);
    if (code != DET_OK) {
        det_model_destroy(m);
        return code;
    }
    *out = m;
    return DET_OK;
}

void det_model_destroy(struct det_model *m)
{
    if (!m)
        return;
    det_model_release_recordings(m);
    net_release(&m->trunk, m->dev);
    net_release(&m->box_head, m->dev);
    net_release(&m->mask_head, m->dev);
    det_parameters_release(&m->params, m->dev);
    det_model_release_buffers(m);
    free(m);
}

size_t det_model_memory(const struct det_model *m)
{
    int states = m->config.optimizer_kind == DET_CONFIG_ADAMW ? 2 : 1;
    return m->trunk.bytes + m->box_head.bytes + m->mask_head.bytes + m->buffers.bytes +
           m->ways_bytes +
           det_parameters_bytes(&m->params, states);
}
