/* The box head's opinion of given boxes, on the features of the last inference pass. */
#include "detector/bodies/probability.h"
#include "detector/model/model.h"

/* Boxes are handed over as proposals, so that they take the way of any other RoI. */
static enum det_code upload_as_proposals(struct det_model *m, int n, const int32_t *first,
                                         const float *boxes, struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    size_t most = (size_t)m->d.proposals.max_per_image;
    for (int i = 0; i < n; i++) {
        int32_t count = first[i + 1] - first[i];
        if (count > m->config.rpn_post_nms_test)
            return det_fail(err, DET_INVALID, "%d boxes to score in one image: at most %lld fit",
                            count, (long long)m->config.rpn_post_nms_test);
        ops->upload(m->dev, m->d.proposals.boxes + 4 * most * (size_t)i, boxes + 4 * first[i],
                    4 * (size_t)count * sizeof *boxes);
        ops->upload(m->dev, m->d.proposals.count + i, &count, sizeof count);
    }
    return DET_OK;
}

enum det_code det_model_score_boxes(struct det_model *m, int n, const int32_t *first,
                                    const float *boxes, const int32_t *labels, float *scores,
                                    struct det_error *err)
{
    if (n != m->last_images)
        return det_fail(err, DET_INVALID, "boxes of %d images to score, the last pass had %d", n,
                        m->last_images);
    enum det_code code = upload_as_proposals(m, n, first, boxes, err);
    if (code != DET_OK)
        return code;
    const struct det_backend *ops = m->dev->ops;
    struct det_roi_assign assign = det_model_roi_assign(m);
    struct det_roi_align pool = det_model_roi_align(m, DET_BOX_CELLS, m->max.rois, m->d.rois.count);
    struct det_images images = det_model_images(m, n);
    int classes = m->n_classes + 1;
    ops->roi_collect(m->dev, &assign, &m->d.proposals, &images, &m->d.rois);
    det_model_pool_rois(m, &pool, &m->d.rois, m->box_head.tensors[m->box_features].value);
    net_forward(&m->box_head, m->dev, m->max.rois);
    code = ops->synchronize(m->dev, err);
    ops->download(m->dev, m->h.rows, m->box_head.tensors[m->box_logits].value,
                  (size_t)first[n] * (size_t)classes * sizeof(float));
    for (int i = 0; i < first[n]; i++) {
        float *row = m->h.rows + (size_t)i * (size_t)classes;
        det_softmax(classes, row, row);
        scores[i] = row[labels[i]];
    }
    return code;
}
