/* One training pass: images and ground truth to five losses and every gradient.
 *
 * Proposals are constants to the RoI heads: no gradient flows through box coordinates (torchvision
 * detaches them too; Ren et al., NIPS 2015, "approximate joint training"). */
#include "detector/model/model.h"

static struct det_truth truth_of(const struct det_model *m)
{
    return (struct det_truth){.boxes = m->d.batch.boxes,
                              .labels = m->d.batch.labels,
                              .masks = m->d.batch.masks,
                              .first = m->d.batch.first,
                              .mask_h = m->canvas_h,
                              .mask_w = m->canvas_w,
                              .max_rows = m->max.max_objects * m->max.train_images};
}

static struct det_box_loss box_loss(double beta, enum det_avg_factor avg_factor,
                                    const float *loss_scale)
{
    return (struct det_box_loss){
        .beta = (float)beta, .avg_factor = avg_factor, .loss_scale = loss_scale};
}

static void decided(struct det_model *m, enum det_pass_stage stage)
{
    if (m->hook)
        m->hook(m->hook_arg, stage);
}

/* Anchors assigned and sampled; loss_rpn_cls, loss_rpn_bbox and their gradients as anchor rows. */
static void rpn_losses(struct det_model *m, const struct det_images *images,
                       const struct det_truth *truth)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_rpn_assign assign = det_model_rpn_assign(m);
    const float *scale = &m->d.control->loss_scale;
    struct det_cls_loss cls = det_model_rpn_cls_loss(m);
    struct det_box_loss box = box_loss(m->config.rpn_smooth_l1_beta, cls.avg_factor, scale);
    cls.loss_scale = scale;
    box.reduction = cls.reduction;
    int rows = images->n * m->n_anchors;
    ops->rpn_assign(m->dev, &assign, m->d.anchors, images, truth, &m->d.control->step,
                    &m->d.rpn_sampled);
    decided(m, DET_PASS_ANCHORS);
    ops->rpn_cls_loss(m->dev, &cls, rows, m->d.logits, m->d.rpn_sampled.labels,
                      m->d.losses + DET_LOSS_RPN_CLS, m->d.dlogits, m->d.rpn_stats);
    ops->rpn_box_loss(m->dev, &box, rows, m->d.deltas, m->d.rpn_sampled.targets,
                      m->d.rpn_sampled.labels, m->d.losses + DET_LOSS_RPN_BBOX, m->d.ddeltas);
}

/* The RoI head's forward, losses and backward, down to the pyramid's gradients. */
static void box_losses(struct det_model *m)
{
    const struct det_backend *ops = m->dev->ops;
    const struct det_rois *rois = &m->d.rois;
    struct det_roi_align pool =
        det_model_roi_align(m, DET_BOX_CELLS, m->max.train_rois, rois->count);
    struct net_tensor *features = &m->box_head.tensors[m->box_features];
    struct net_tensor *logits = &m->box_head.tensors[m->box_logits];
    struct net_tensor *deltas = &m->box_head.tensors[m->box_deltas];
    const float *scale = &m->d.control->loss_scale;
    struct det_cls_loss cls = det_model_roi_cls_loss(m);
    struct det_box_loss box = box_loss(m->config.roi_smooth_l1_beta, DET_AVG_SAMPLED, scale);
    cls.loss_scale = scale;

    det_model_pool_rois(m, &pool, rois, features->value);
    net_forward(&m->box_head, m->dev, m->max.train_rois);
    decided(m, DET_PASS_BOX_HEAD);
    ops->roi_cls_loss(m->dev, &cls, m->max.train_rois, m->n_classes + 1, rois->count, logits->value,
                      rois->labels, m->d.losses + DET_LOSS_CLS, logits->grad, m->d.roi_stats);
    ops->roi_box_loss(m->dev, &box, m->max.train_rois, m->n_classes + 1, rois->count, deltas->value,
                      rois->targets, rois->labels, m->d.losses + DET_LOSS_BBOX, deltas->grad);
    net_backward(&m->box_head, m->dev, m->max.train_rois);
    det_model_pool_rois_backward(m, &pool, rois, features->grad);
}

/* The mask head sees the positive RoIs only; without any its loss and gradients are exactly 0. */
static void mask_losses(struct det_model *m, const struct det_truth *truth)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_rois *rois = &m->d.mask_rois;
    struct det_roi_align pool =
        det_model_roi_align(m, DET_MASK_CELLS, m->max.train_masks, rois->count);
    struct net_tensor *features = &m->mask_head.tensors[m->mask_features];
    struct net_tensor *logits = &m->mask_head.tensors[m->mask_logits];

    ops->mask_select(m->dev, &m->d.rois, m->d.mask_index, rois->count, rois);
    det_model_pool_rois(m, &pool, rois, features->value);
    net_forward(&m->mask_head, m->dev, m->max.train_masks);
    decided(m, DET_PASS_MASK_HEAD);
    ops->mask_targets(m->dev, rois, truth, DET_MASK_SIZE, m->d.mask_targets);
    ops->mask_loss(m->dev, &m->d.control->loss_scale, m->max.train_masks, m->n_classes + 1,
                   DET_MASK_SIZE, rois->count, logits->value, m->d.mask_targets, rois->labels,
                   m->d.losses + DET_LOSS_MASK, logits->grad);
    net_backward(&m->mask_head, m->dev, m->max.train_masks);
    det_model_pool_rois_backward(m, &pool, rois, features->grad);
}

/* The RPN's gradients go back into its head's outputs, then through the whole trunk. */
static void trunk_backward(struct det_model *m, int n)
{
    const struct det_backend *ops = m->dev->ops;
    int ratios = m->config.model_aspect_ratios.n;
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        const struct net_tensor *logits = &m->trunk.tensors[m->rpn_logits[l]];
        const struct net_tensor *deltas = &m->trunk.tensors[m->rpn_deltas[l]];
        ops->rpn_scatter(m->dev, n, ratios, 1, logits->h, logits->w, m->n_anchors,
                         m->level_first[l], m->d.dlogits, logits->grad);
        ops->rpn_scatter(m->dev, n, ratios, 4, deltas->h, deltas->w, m->n_anchors,
                         m->level_first[l], m->d.ddeltas, deltas->grad);
    }
    net_backward(&m->trunk, m->dev, n);
}

static void propose_and_assign(struct det_model *m, const struct det_images *images,
                               const struct det_truth *truth)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_proposal_filter filter = det_model_proposal_filter(m, 1);
    struct det_roi_assign assign = det_model_roi_assign(m);
    ops->rpn_propose(m->dev, &filter, m->d.anchors, images, m->d.logits, m->d.deltas,
                     &m->d.proposals);
    decided(m, DET_PASS_PROPOSALS);
    ops->roi_assign(m->dev, &assign, &m->d.proposals, images, truth, &m->d.control->step,
                    &m->d.rois);
    decided(m, DET_PASS_ROIS);
}

void det_model_launch_pass(struct det_model *m, int n)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_images images = det_model_images(m, n);
    struct det_truth truth = truth_of(m);
    ops->zero(m->dev, m->d.losses, m->results_bytes);
    det_model_trunk_forward(m, n);
    decided(m, DET_PASS_TRUNK);
    rpn_losses(m, &images, &truth);
    propose_and_assign(m, &images, &truth);
    net_zero_external(&m->trunk, m->dev);
    box_losses(m);
    if (m->config.mask_enabled)
        mask_losses(m, &truth);
    trunk_backward(m, n);
}
