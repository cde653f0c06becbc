/* The mask head's RoIs and targets (torchvision's project_masks_on_boxes). */
#ifndef DET_BOXES_MASK_TARGETS_H
#define DET_BOXES_MASK_TARGETS_H

#include "detector/backend/backend.h"

/* The table's mask_select: the rows of `rois` with a label > 0, in order: their row numbers to
 * index, their number to *count and *out->count, and boxes, image, level, labels, matched to out.
 * At most out->max_rois. out's other arrays are not touched. */
void det_mask_select(struct det_device *dev, const struct det_rois *rois, int32_t *index,
                     int32_t *count, struct det_rois *out);

/* The table's mask_targets: targets[count, size, size] = RoIAlign (scale 1, adaptive sampling, not
 * aligned) of the ground-truth mask in truth row matched[r] over box r. Every matched >= 0.
 * Parallel over RoIs. */
void det_mask_targets(struct det_device *dev, const struct det_rois *rois,
                      const struct det_truth *truth, int size, float *targets);

/* Bytes of scratch a worker. */
size_t det_mask_targets_scratch(int mask_h, int mask_w, int size);

#endif
