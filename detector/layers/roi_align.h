/* RoIAlign (He et al., "Mask R-CNN", ICCV 2017) over the levels of a pyramid, with torchvision's
 * semantics. Table entries roi_align_forward, roi_align_backward. */
#ifndef DET_LAYERS_ROI_ALIGN_H
#define DET_LAYERS_ROI_ALIGN_H

#include "detector/backend/backend.h"

/* Scratch of forward and backward, in bytes. */
void det_roi_align_scratch(const struct det_roi_align *shape, size_t *per_worker, size_t *shared);

/* x[l] [n_images, channels, h[l], w[l]]; boxes [max_rois, 4] in pixels of the padded input; image,
 * level [max_rois] (level may be NULL: all 0) -> y [max_rois, channels, size, size]. RoIs from
 * *count on are left alone. Boxes may lie off the image, be empty or, aligned, turned inside out
 * (their cells are then 0 where sampling is adaptive, as in torchvision). */
void det_roi_align_forward(struct det_device *dev, const struct det_roi_align *shape,
                           const float *const x[], const float *boxes, const int32_t *image,
                           const int32_t *level, float *y);

/* dx[l] += the transpose, RoI by RoI in order; a NULL level is not wanted. */
void det_roi_align_backward(struct det_device *dev, const struct det_roi_align *shape,
                            const float *dy, const float *boxes, const int32_t *image,
                            const int32_t *level, float *const dx[]);

#endif
