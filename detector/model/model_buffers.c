/* The model's device memory beside its nets, and the host memory that is read back into. */
#include "detector/model/model.h"

#include <stdlib.h>

#define WANT(field, count) \
    det_buffers_want(&m->buffers, (void **)&(field), (size_t)(count), sizeof *(field))

static void want_rpn(struct det_model *m)
{
    size_t anchors = (size_t)m->n_anchors * (size_t)m->max.images;
    WANT(m->d.anchors, 4 * m->n_anchors);
    WANT(m->d.logits, anchors);
    WANT(m->d.deltas, 4 * anchors);
    WANT(m->d.dlogits, anchors);
    WANT(m->d.ddeltas, 4 * anchors);
    WANT(m->d.rpn_sampled.labels, anchors);
    WANT(m->d.rpn_sampled.targets, 4 * anchors);
    WANT(m->d.rpn_sampled.n_positive, m->max.images);
    WANT(m->d.rpn_sampled.n_negative, m->max.images);
    WANT(m->d.rpn_sampled.n_candidates, 2 * m->max.images);
    size_t proposals = (size_t)m->max.proposals * (size_t)m->max.images;
    WANT(m->d.proposals.boxes, 4 * proposals);
    WANT(m->d.proposals.scores, proposals);
    m->d.proposals.max_per_image = m->max.proposals;
}

static void want_rois(struct det_model *m, struct det_rois *rois, int max)
{
    rois->max_rois = max;
    WANT(rois->count, 1);
    WANT(rois->boxes, 4 * (size_t)max);
    WANT(rois->image, max);
    WANT(rois->level, max);
    WANT(rois->labels, max);
    WANT(rois->matched, max);
    WANT(rois->targets, 4 * (size_t)max);
    WANT(rois->index, max);
    WANT(rois->n_positive, 1);
}

/* What a pass leaves to be read, side by side: copied away as one piece. */
static void want_pass_results(struct det_model *m)
{
    size_t before = m->buffers.bytes;
    WANT(m->d.losses, DET_LOSSES);
    WANT(m->d.rpn_stats, 1);
    WANT(m->d.roi_stats, 1);
    WANT(m->d.proposals.n_not_finite, 1);
    WANT(m->d.proposals.count, m->max.images);
    m->results_bytes = m->buffers.bytes - before;
    m->max.passes = (int)m->config.train_accumulate;
    det_buffers_want(&m->buffers, &m->d.results, (size_t)m->max.passes, m->results_bytes);
}

static void want_results(struct det_model *m)
{
    size_t detections = (size_t)m->max.detections * (size_t)m->max.infer_images;
    WANT(m->d.mask_index, m->max.rois);
    WANT(m->d.mask_targets, (size_t)m->max.train_masks * DET_MASK_SIZE * DET_MASK_SIZE);
    WANT(m->d.detections.boxes, 4 * detections);
    WANT(m->d.detections.scores, detections);
    WANT(m->d.detections.labels, detections);
    WANT(m->d.detections.count, m->max.infer_images);
    WANT(m->d.detections.n_not_finite, 1);
    m->d.detections.max_per_image = m->max.detections;
    want_pass_results(m);
    WANT(m->d.sum, 1);
    WANT(m->d.control, 1);
    WANT(m->d.flag, 1);
}

size_t det_model_host_rows(const struct det_model *m)
{
    size_t anchors = (size_t)m->n_anchors * (size_t)m->max.images;
    size_t scores = (size_t)m->max.rois * (size_t)(m->n_classes + 1);
    size_t detections = 6 * (size_t)m->max.detections * (size_t)m->max.infer_images;
    size_t rows = anchors > scores ? anchors : scores;
    return rows > detections ? rows : detections;
}

static enum det_code take_host(struct det_model *m, struct det_error *err)
{
    m->h.rows = malloc(det_model_host_rows(m) * sizeof *m->h.rows);
    if (!m->h.rows)
        return det_fail(err, DET_NO_MEMORY, "%zu rows read back", det_model_host_rows(m));
    m->h.results = calloc((size_t)m->max.passes, m->results_bytes);
    if (!m->h.results)
        return det_fail(err, DET_NO_MEMORY, "results of %d passes", m->max.passes);
    return DET_OK;
}

enum det_code det_model_take_buffers(struct det_model *m, struct det_error *err)
{
    want_rpn(m);
    want_rois(m, &m->d.rois, m->max.rois);
    want_rois(m, &m->d.mask_rois, m->max.masks);
    det_buffers_want(&m->buffers, &m->d.batch_block, 1, det_batch_bytes(m));
    want_results(m);
    enum det_code code = det_buffers_take(&m->buffers, m->dev, "proposals and targets", err);
    if (code != DET_OK)
        return code;
    det_batch_place(m);
    code = det_model_open_ways(m, err);
    return code == DET_OK ? take_host(m, err) : code;
}

void det_model_release_buffers(struct det_model *m)
{
    det_model_close_ways(m);
    det_buffers_release(&m->buffers, m->dev);
    free(m->h.rows);
    free(m->h.results);
}
