/* Scratch for the operations outside the nets. */
#include "detector/boxes/mask_targets.h"
#include "detector/boxes/proposals.h"
#include "detector/boxes/roi_assign.h"
#include "detector/boxes/rpn_assign.h"
#include "detector/inference/detect.h"
#include "detector/layers/roi_align.h"
#include "detector/losses/losses.h"
#include "detector/model/model.h"

struct need {
    size_t per_worker, shared;
};

static void want(struct need *need, size_t per_worker, size_t shared)
{
    need->per_worker = per_worker > need->per_worker ? per_worker : need->per_worker;
    need->shared = shared > need->shared ? shared : need->shared;
}

static void want_pooling(const struct det_model *m, struct need *need, int cells, int max_rois)
{
    size_t worker;
    size_t shared;
    struct det_roi_align p = det_model_roi_align(m, cells, max_rois, NULL);
    p.n_images = m->max.images;
    det_roi_align_scratch(&p, &worker, &shared);
    want(need, worker, shared);
}

enum det_code det_model_settle_scratch(struct det_model *m, struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    if (!ops->measure_begin(m->dev))
        return DET_OK;
    m->last_images = m->max.train_images;
    det_model_launch_pass(m, m->max.train_images);
    det_model_launch_update(m);
    m->last_images = m->max.infer_images;
    det_model_launch_inference(m, m->max.infer_images, m->config.mask_enabled);
    m->last_images = 0;
    return ops->measure_end(m->dev, err);
}

enum det_code det_model_reserve_scratch(struct det_model *m, struct det_error *err)
{
    struct need need = {0};
    struct det_rpn_assign assign = det_model_rpn_assign(m);
    struct det_detect detect = det_model_detect(m);
    struct det_cls_loss rpn = det_model_rpn_cls_loss(m);
    struct det_cls_loss roi = det_model_roi_cls_loss(m);
    for (int training = 0; training < 2; training++) {
        struct det_proposal_filter filter = det_model_proposal_filter(m, training);
        want(&need, det_rpn_propose_scratch(&filter), 0);
    }
    want(&need, det_rpn_assign_scratch(&assign, m->max.max_objects), 0);
    want(&need, det_roi_assign_scratch(m->max.proposals, m->max.max_objects), 0);
    want(&need, det_detect_scratch(&detect, m->max.proposals), 0);
    want(&need, det_mask_targets_scratch(m->canvas_h, m->canvas_w, DET_MASK_SIZE), 0);
    want_pooling(m, &need, DET_BOX_CELLS, m->max.rois);
    want_pooling(m, &need, DET_MASK_CELLS, m->max.masks);
    want(&need, 0, det_cls_loss_scratch(&rpn, m->max.images * m->n_anchors));
    want(&need, 0, det_cls_loss_scratch(&roi, m->max.rois));
    want(&need, 0, det_mask_loss_scratch(m->max.masks));
    return m->dev->ops->reserve_scratch(m->dev, need.per_worker, need.shared, err);
}
