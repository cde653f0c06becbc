/* RPN output to proposals (torchvision's filter_proposals). */
#ifndef DET_BOXES_PROPOSALS_H
#define DET_BOXES_PROPOSALS_H

#include "detector/backend/backend.h"

/* The table's rpn_propose. Per image and level: the pre_nms highest logits, decoded, cut to the
 * image's unpadded size; boxes with a side under min_size or a score under score_threshold go;
 * NMS within the level. Then the post_nms best of all levels.
 *
 * All orders are by logit (ties: the lower anchor): on paper the order of the sigmoid scores, but
 * without the ties that float makes where a sigmoid saturates. A non-finite logit is dropped before
 * any comparison, a selected box that comes out non-finite before clipping; both are counted into
 * *out->n_not_finite, which is overwritten. out->max_per_image >= post_nms. Rows from count on are
 * left as they are. Parallel over images. */
void det_rpn_propose(struct det_device *dev, const struct det_proposal_filter *filter,
                     const float *anchors, const struct det_images *images, const float *logits,
                     const float *deltas, struct det_proposals *out);

/* Bytes of scratch a worker. */
size_t det_rpn_propose_scratch(const struct det_proposal_filter *filter);

#endif
