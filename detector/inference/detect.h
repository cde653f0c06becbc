/* Box head output to detections (torchvision's postprocess_detections). */
#ifndef DET_INFERENCE_DETECT_H
#define DET_INFERENCE_DETECT_H

#include "detector/backend/backend.h"

/* The table's detect. Candidates: every (RoI, foreground class) with softmax score above the
 * threshold; decoded with that class's deltas, cut to the image's unpadded size, dropped where a
 * side is under min_size; NMS within a class; the max_per_image best (ties: lower RoI, then lower
 * class).
 *
 * cls_logits: [rois, n_classes], class 0 background; box_deltas: [rois, 4 * n_classes]. RoIs are
 * grouped by image. Counted into *out->n_not_finite (overwritten) and left out before any
 * comparison: candidates whose score is not finite, whatever the threshold, and those above it
 * whose box is not finite before clipping. Parallel over images. */
void det_detect(struct det_device *dev, const struct det_detect *detect,
                const struct det_images *images, const struct det_rois *rois,
                const float *cls_logits, const float *box_deltas, struct det_detections *out);

/* Bytes of scratch a worker; max_rois: most RoIs of one image. */
size_t det_detect_scratch(const struct det_detect *detect, int max_rois);

#endif
