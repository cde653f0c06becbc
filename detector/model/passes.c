/* The parts of a pass that training and inference share. */
#include "detector/model/model.h"

struct det_images det_model_images(const struct det_model *m, int n)
{
    return (struct det_images){.n = n,
                               .ids = m->d.batch.ids,
                               .heights = m->d.batch.heights,
                               .widths = m->d.batch.widths};
}

void det_model_trunk_forward(struct det_model *m, int n)
{
    const struct det_backend *ops = m->dev->ops;
    int ratios = m->config.model_aspect_ratios.n;
    net_forward(&m->trunk, m->dev, n);
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        const struct net_tensor *logits = &m->trunk.tensors[m->rpn_logits[l]];
        const struct net_tensor *deltas = &m->trunk.tensors[m->rpn_deltas[l]];
        ops->rpn_gather(m->dev, n, ratios, 1, logits->h, logits->w, m->n_anchors,
                        m->level_first[l], logits->value, m->d.logits);
        ops->rpn_gather(m->dev, n, ratios, 4, deltas->h, deltas->w, m->n_anchors,
                        m->level_first[l], deltas->value, m->d.deltas);
    }
}

void det_model_pool_rois(struct det_model *m, const struct det_roi_align *p,
                         const struct det_rois *rois, float *features)
{
    const float *maps[DET_MAX_LEVELS];
    for (int l = 0; l < p->n_levels; l++)
        maps[l] = m->trunk.tensors[m->levels[l]].value;
    m->dev->ops->roi_align_forward(m->dev, p, maps, rois->boxes, rois->image, rois->level,
                                   features);
}

void det_model_pool_rois_backward(struct det_model *m, const struct det_roi_align *p,
                                  const struct det_rois *rois, const float *dfeatures)
{
    float *maps[DET_MAX_LEVELS];
    for (int l = 0; l < p->n_levels; l++)
        maps[l] = m->trunk.tensors[m->levels[l]].grad;
    m->dev->ops->roi_align_backward(m->dev, p, dfeatures, rois->boxes, rois->image, rois->level,
                                    maps);
}
