/* Inference: images to detections and their masks' logits. Ground truth never enters. */
#include "detector/inference/monitor.h"
#include "detector/model/model.h"

/* Proposals to class scores and deltas to detections. */
static void detect(struct det_model *m, const struct det_images *images)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_proposal_filter filter = det_model_proposal_filter(m, 0);
    struct det_roi_assign assign = det_model_roi_assign(m);
    struct det_detect detect = det_model_detect(m);
    struct det_roi_align pool =
        det_model_roi_align(m, DET_BOX_CELLS, m->max.rois, m->d.rois.count);
    ops->rpn_propose(m->dev, &filter, m->d.anchors, images, m->d.logits, m->d.deltas,
                     &m->d.proposals);
    ops->roi_collect(m->dev, &assign, &m->d.proposals, images, &m->d.rois);
    det_model_pool_rois(m, &pool, &m->d.rois, m->box_head.tensors[m->box_features].value);
    net_forward(&m->box_head, m->dev, m->max.rois);
    ops->detect(m->dev, &detect, images, &m->d.rois, m->box_head.tensors[m->box_logits].value,
                m->box_head.tensors[m->box_deltas].value, &m->d.detections);
}

/* The detections become RoIs of the mask head. */
static void predict_masks(struct det_model *m, const struct det_images *images)
{
    struct det_roi_assign assign = det_model_roi_assign(m);
    struct det_proposals boxes = {.boxes = m->d.detections.boxes,
                                  .scores = m->d.detections.scores,
                                  .count = m->d.detections.count,
                                  .n_not_finite = m->d.detections.n_not_finite,
                                  .max_per_image = m->d.detections.max_per_image};
    struct det_roi_align pool =
        det_model_roi_align(m, DET_MASK_CELLS, m->max.masks, m->d.mask_rois.count);
    m->dev->ops->roi_collect(m->dev, &assign, &boxes, images, &m->d.mask_rois);
    det_model_pool_rois(m, &pool, &m->d.mask_rois, m->mask_head.tensors[m->mask_features].value);
    net_forward(&m->mask_head, m->dev, m->max.masks);
}

static int read_detections(struct det_model *m, int image, struct det_image_detections *out)
{
    const struct det_backend *ops = m->dev->ops;
    size_t most = (size_t)m->max.detections;
    const struct det_detections *d = &m->d.detections;
    int32_t count;
    ops->download(m->dev, &count, d->count + image, sizeof count);
    float *boxes = m->h.rows;
    float *scores = boxes + 4 * most;
    int32_t *labels = (int32_t *)(void *)(scores + most);
    size_t n = (size_t)count;
    ops->download(m->dev, boxes, d->boxes + 4 * most * (size_t)image, 4 * n * sizeof *boxes);
    ops->download(m->dev, scores, d->scores + most * (size_t)image, n * sizeof *scores);
    ops->download(m->dev, labels, d->labels + most * (size_t)image, n * sizeof *labels);
    for (int i = 0; i < count; i++) {
        struct det_detection *to = &out->at[i];
        for (int k = 0; k < 4; k++)
            to->box[k] = boxes[4 * i + k];
        to->score = scores[i];
        to->label = labels[i];
    }
    out->n = count;
    return count;
}

/* Of each detection's K + 1 predicted masks the one of its class; first: the image's first row. */
static void read_masks(struct det_model *m, int first, struct det_image_detections *out)
{
    const size_t pixels = DET_MASK_SIZE * DET_MASK_SIZE;
    const float *logits = m->mask_head.tensors[m->mask_logits].value;
    for (int i = 0; i < out->n; i++) {
        size_t channel = (size_t)(first + i) * (size_t)(m->n_classes + 1) + (size_t)out->at[i].label;
        m->dev->ops->download(m->dev, out->mask_logits + (size_t)i * pixels,
                              logits + channel * pixels, pixels * sizeof(float));
    }
}

void det_model_launch_inference(struct det_model *m, int n, int masks)
{
    struct det_images images = det_model_images(m, n);
    det_model_trunk_forward(m, n);
    detect(m, &images);
    if (masks)
        predict_masks(m, &images);
}

enum det_code det_model_infer(struct det_model *m, const struct det_sample *samples, int n,
                              struct det_image_detections *out, struct det_infer_stats *stats,
                              struct det_error *err)
{
    enum det_code code = det_model_load_batch(m, &m->to_infer, samples, n, err);
    if (code != DET_OK)
        return code;
    int masks = m->config.mask_enabled && out[0].mask_logits;
    det_model_launch_inference(m, n, masks);
    code = m->dev->ops->synchronize(m->dev, err);
    if (code != DET_OK)
        return code;
    int first = 0;
    for (int i = 0; i < n; i++) {
        int count = read_detections(m, i, &out[i]);
        if (masks)
            read_masks(m, first, &out[i]);
        first += count;
    }
    det_monitor_inference(m, n, stats);
    return m->dev->ops->synchronize(m->dev, err); /* nothing detected, or nothing read? */
}

int det_model_proposals(struct det_model *m, int i, float (*boxes)[4], float *scores)
{
    const struct det_backend *ops = m->dev->ops;
    size_t most = (size_t)m->d.proposals.max_per_image;
    int32_t count;
    ops->download(m->dev, &count, m->d.proposals.count + i, sizeof count);
    ops->download(m->dev, boxes, m->d.proposals.boxes + 4 * most * (size_t)i,
                  4 * (size_t)count * sizeof(float));
    if (scores)
        ops->download(m->dev, scores, m->d.proposals.scores + most * (size_t)i,
                      (size_t)count * sizeof(float));
    return count;
}
