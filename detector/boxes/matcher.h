/* The matcher: which ground-truth box each candidate (anchor or proposal) stands for, with
 * torchvision's semantics.
 *
 * A candidate takes its best ground-truth row (ties: the lower row) if that IoU reaches `high`,
 * becomes background (-1) below `low`, is ignored (-2) between. With allow_low_quality every
 * ground-truth row also keeps each candidate whose IoU with it equals that row's maximum, however
 * low: these candidates go to *their* best row, which need not be the one that kept them. */
#ifndef DET_BOXES_MATCHER_H
#define DET_BOXES_MATCHER_H

#include "detector/backend/backend.h"
#include "detector/bodies/matcher.h"

/* matches[n] of a given IoU matrix iou[n_rows, n]; scratch: det_match_scratch bytes. No rows: all
 * background. */
void det_match(const struct det_matcher *matcher, int n_rows, int n, const float *iou,
               int32_t *matches, void *scratch);

/* matches[n] of boxes[n, 4] with truth[n_rows, 4] by IoU, block by block without storing the
 * matrix. All boxes finite. A row that meets no box at all keeps none (torchvision would keep every
 * box that has IoU 0 with it; it refuses the boxes without area that lead there). */
void det_match_boxes(const struct det_matcher *matcher, int n_rows, const float *truth, int n,
                     const float *boxes, int32_t *matches, void *scratch);

/* Bytes of scratch for both: at most n candidates and n_rows rows. */
size_t det_match_scratch(int n_rows, int n);

#endif
