/* Proposals to the RoIs that the heads work on: sampled with targets in training, all of them at
 * inference. */
#ifndef DET_BOXES_ROI_ASSIGN_H
#define DET_BOXES_ROI_ASSIGN_H

#include "detector/backend/backend.h"

/* The table's roi_assign. An image's candidates are its proposals, followed by its ground-truth
 * boxes with append_ground_truth; matched (between the thresholds: never sampled), sampled, and
 * written in ascending candidate order, image after image. An image without ground truth has only
 * background. out->max_rois >= images * batch_per_image; rows from *count on are undefined.
 * Parallel over images. */
void det_roi_assign(struct det_device *dev, const struct det_roi_assign *assign,
                    const struct det_proposals *proposals, const struct det_images *images,
                    const struct det_truth *truth, const uint32_t *step, struct det_rois *out);

/* Bytes of scratch a worker; max_proposals and max_objects: of one image. */
size_t det_roi_assign_scratch(int max_proposals, int max_objects);

/* The table's roi_collect: every proposal, whatever the ground truth; fills boxes, image, level and
 * count. out->max_rois >= images * proposals->max_per_image. Needs no scratch. */
void det_roi_collect(struct det_device *dev, const struct det_roi_assign *assign,
                     const struct det_proposals *proposals, const struct det_images *images,
                     struct det_rois *out);

#endif
