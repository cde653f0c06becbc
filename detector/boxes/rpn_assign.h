/* The RPN's training targets: anchors matched to ground truth and sampled, per image. */
#ifndef DET_BOXES_RPN_ASSIGN_H
#define DET_BOXES_RPN_ASSIGN_H

#include "detector/backend/backend.h"

/* The table's rpn_assign. anchors: [n_anchors, 4], the same for every image. An image without
 * ground truth has only negatives. Parallel over images. */
void det_rpn_assign(struct det_device *dev, const struct det_rpn_assign *assign,
                    const float *anchors, const struct det_images *images,
                    const struct det_truth *truth, const uint32_t *step, struct det_rpn_sampled *out);

/* Bytes of scratch a worker; max_objects: most ground-truth rows of one image. */
size_t det_rpn_assign_scratch(const struct det_rpn_assign *assign, int max_objects);

#endif
