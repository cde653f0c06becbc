#include "harness/verify/model_case.h"

#include <stdio.h>
#include <string.h>

/* ---- configuration ---- */

static int choose(struct verify_case *c, const char *name, const char *first, const char *second)
{
    const char *text = case_text(c, name);
    int is_second = !strcmp(text, second);
    if (!is_second && strcmp(text, first) != 0 && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s: %s is neither %s nor %s", name, text, first,
                 second);
    return is_second;
}

static void read_list(struct verify_case *c, const char *name, struct det_config_list *list)
{
    list->n = case_numbers(c, name, DET_CONFIG_LIST_MAX, list->at);
}

static int64_t int_or(struct verify_case *c, const char *name, int64_t otherwise)
{
    return case_has_param(c, name) ? (int64_t)case_number(c, name) : otherwise;
}

static double number_or(struct verify_case *c, const char *name, double otherwise)
{
    return case_has_param(c, name) ? case_number(c, name) : otherwise;
}

static void read_model(struct verify_case *c, struct det_config *config)
{
    config->model_preset = DET_PRESET_CUSTOM;
    config->model_block =
        choose(c, "block", "basic", "bottleneck") ? DET_BLOCK_BOTTLENECK : DET_BLOCK_BASIC;
    read_list(c, "layers", &config->model_layers);
    config->model_width = case_int(c, "width");
    config->model_norm = choose(c, "norm", "gn", "frozen_bn") ? DET_NORM_FROZEN_BN : DET_NORM_GN;
    config->model_groups = int_or(c, "gn_groups", config->model_groups);
    config->model_fpn_channels = case_int(c, "fpn");
    config->model_fc_dim = case_int(c, "fc");
    config->model_mask_convs = case_int(c, "mask_convs");
    config->model_mask_channels = case_int(c, "mask_ch");
    read_list(c, "anchors", &config->model_anchor_sizes);
    if (case_has_param(c, "aspect_ratios"))
        read_list(c, "aspect_ratios", &config->model_aspect_ratios);
}

/* What the vectors take as given (oracle/README.md), whatever our own defaults are. */
static void set_constants(struct det_config *config)
{
    config->model_precision = DET_PRECISION_FP32;
    config->model_groups = 8;
    config->model_aspect_ratios = (struct det_config_list){3, {0.5, 1.0, 2.0}};
    config->rpn_fg_iou = 0.7;
    config->rpn_bg_iou = 0.3;
    config->rpn_positive_fraction = 0.5;
    config->rpn_nms_iou = 0.7;
    config->rpn_min_size = 1e-3;
    config->rpn_smooth_l1_beta = 1.0 / 9.0;
    config->rpn_cls_loss = DET_CONFIG_LOSS_PLAIN;
    config->rpn_cls_reduction = DET_CONFIG_MEAN;
    config->rpn_avg_factor = DET_RPN_AVG_SAMPLED;
    config->roi_fg_iou = config->roi_bg_iou = 0.5;
    config->roi_positive_fraction = 0.25;
    config->roi_append_ground_truth = 1;
    config->roi_smooth_l1_beta = 1.0 / 9.0;
    config->roi_cls_loss = DET_CONFIG_LOSS_PLAIN;
    config->roi_cls_reduction = DET_CONFIG_MEAN;
    config->roi_cls_avg_factor = DET_ROI_AVG_WEIGHTS;
    config->mask_enabled = 1;
    config->train_accumulate = 1;
    config->train_freeze_stages = 0;
}

void model_config(struct verify_case *c, struct det_config *config)
{
    det_config_defaults(config);
    set_constants(config);
    read_model(c, config);
    config->seed = (int64_t)case_number(c, "seed");
    config->rpn_batch_per_image = case_int(c, "rpn_batch");
    config->roi_batch_per_image = case_int(c, "roi_batch");
    config->rpn_pre_nms_train = case_int(c, "pre_nms");
    config->rpn_post_nms_train = case_int(c, "post_nms");
    config->rpn_pre_nms_test = int_or(c, "pre_nms_test", config->rpn_pre_nms_train);
    config->rpn_post_nms_test = int_or(c, "post_nms_test", config->rpn_post_nms_train);
    config->rpn_cls_pos_weight = case_number(c, "rpn_cls_pos_weight");
    config->roi_cls_pos_weight = case_number(c, "roi_cls_pos_weight");
    config->infer_score_threshold = number_or(c, "score_threshold", 0.05);
    config->infer_nms_iou = number_or(c, "detection_nms", 0.5);
    config->infer_detections_per_image = int_or(c, "detections", 100);
}

/* ---- images and ground truth ---- */

static void read_truth(struct verify_case *c, struct model_case *m, int image)
{
    char boxes[48], labels[48], masks[48];
    snprintf(boxes, sizeof boxes, "in.gt_boxes.%d", image);
    snprintf(labels, sizeof labels, "in.gt_labels.%d", image);
    snprintf(masks, sizeof masks, "in.gt_masks.%d", image);
    int dims[2];
    case_shape(c, boxes, 2, dims);
    size_t n = (size_t)dims[0], pixels = n * (size_t)m->height * (size_t)m->width;
    struct det_annotations *truth = &m->samples[image].truth;
    const int64_t *classes = case_host_int64s(c, labels, n);
    const int64_t *bits = case_host_int64s(c, masks, pixels);
    truth->n = dims[0];
    truth->boxes = (float(*)[4])case_host_floats(c, boxes, n * 4);
    truth->labels = case_host(c, n * sizeof *truth->labels);
    truth->crowd = case_host(c, n);
    truth->annotated = case_host(c, n);
    truth->areas = case_host(c, n * sizeof *truth->areas);
    truth->masks = case_host(c, pixels);
    for (size_t i = 0; i < n && !case_failed(c); i++) {
        truth->labels[i] = (int32_t)classes[i];
        truth->annotated[i] = 1;
    }
    for (size_t i = 0; i < pixels && !case_failed(c); i++)
        truth->masks[i] = bits[i] != 0;
}

void model_samples(struct verify_case *c, struct model_case *m)
{
    int dims[4];
    case_shape(c, "in.images", 4, dims);
    if (!case_failed(c) && (dims[0] < 1 || dims[1] != 3 || dims[2] % 32 || dims[3] % 32))
        det_fail(&c->err, DET_INVALID, "in.images: not RGB with sides that are multiples of 32");
    m->n_images = dims[0];
    m->height = dims[2];
    m->width = dims[3];
    size_t n = (size_t)dims[0], image = 3 * (size_t)dims[2] * (size_t)dims[3];
    float *pixels = case_host_floats(c, "in.images", n * image);
    const int64_t *ids =
        case_has(c, "in.image_ids") ? case_host_int64s(c, "in.image_ids", n) : NULL;
    m->samples = case_host(c, n * sizeof *m->samples);
    for (int i = 0; i < dims[0] && !case_failed(c); i++) {
        m->samples[i] = (struct det_sample){.image = pixels + (size_t)i * image,
                                            .id = ids ? ids[i] : i,
                                            .height = dims[2],
                                            .width = dims[3],
                                            .resize = 1.0f};
        read_truth(c, m, i);
    }
}

/* ---- the model ---- */

static void load_parameters(struct verify_case *c, struct det_model *model)
{
    char name[256];
    for (size_t i = 0; i < det_model_parameter_count(model) && !case_failed(c); i++) {
        const struct det_parameter *parameter = det_model_parameter(model, i);
        snprintf(name, sizeof name, "param.%s", parameter->name);
        const float *values = case_host_floats(c, name, parameter->size);
        if (values)
            c->dev->ops->upload(c->dev, parameter->value, values, parameter->size * sizeof *values);
    }
    for (size_t i = 0; i < det_safetensors_count(c->file) && !case_failed(c); i++) {
        const char *tensor = det_safetensors_at(c->file, i)->name;
        if (strncmp(tensor, "param.", 6) == 0 && !det_model_find(model, tensor + 6))
            det_fail(&c->err, DET_INVALID, "%s: the model of params has no such parameter", tensor);
    }
}

void model_create(struct verify_case *c, struct model_case *m, int batch)
{
    m->n_classes = case_int(c, "classes");
    int most = 1;
    for (int i = 0; i < m->n_images && !case_failed(c); i++)
        most = m->samples[i].truth.n > most ? m->samples[i].truth.n : most;
    struct det_model_options options = {.config = &m->config,
                                        .n_classes = m->n_classes,
                                        .canvas_h = m->height,
                                        .canvas_w = m->width,
                                        .max_objects = most,
                                        .batch_size = batch,
                                        .infer_batch_size = batch};
    m->config.train_batch_size = batch;
    if (case_failed(c) || det_config_validate(&m->config, &c->err) ||
        det_model_create(c->dev, &options, &m->model, &c->err))
        return;
    load_parameters(c, m->model);
}

void model_release(struct model_case *m)
{
    det_model_destroy(m->model);
    m->model = NULL;
}
