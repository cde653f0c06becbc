/* A candidate's best ground-truth row, and whether it is some row's best candidate: the matcher of
 * boxes/matcher.h, a thread a candidate. */
#ifndef DET_BACKEND_CUDA_MATCHING_H
#define DET_BACKEND_CUDA_MATCHING_H

#include "detector/backend/cuda/kernel.h"
#include "detector/bodies/iou.h"
#include "detector/bodies/matcher.h"

#include <string.h>

/* An IoU's bits: it is never negative, so they have its order. */
DET_BODY uint32_t det_iou_bits(float iou)
{
    uint32_t bits;
    memcpy(&bits, &iou, sizeof bits);
    return bits;
}

/* One image's ground truth. */
struct det_rows {
    int n;
    const float *boxes; /* [n, 4] */
};

/* The match of a box by the thresholds alone; highest[row] (if not NULL) rises to the IoU with it.
 */
DET_BLOCK_BODY int32_t det_match_best(const struct det_rows *truth, float high, float low,
                                      const float *box, uint32_t *highest)
{
    float best = 0.0f;
    int32_t best_row = 0;
    if (truth->n == 0)
        return DET_MATCH_BACKGROUND;
    for (int32_t row = 0; row < truth->n; row++) {
        float iou = det_box_iou(box, truth->boxes + 4 * (size_t)row);
        if (highest && iou > 0.0f)
            det_atomic_max(highest + row, det_iou_bits(iou));
        best_row = iou > best ? row : best_row;
        best = iou > best ? iou : best;
    }
    return det_match_decide(high, low, best, best_row);
}

/* The match once highest[row] is known: a box with the highest IoU of all with some row that meets
 * any goes to its own best row, however low the IoU. Else `match` stands. */
DET_BLOCK_BODY int32_t det_match_low_quality(const struct det_rows *truth, const float *box,
                                             const uint32_t *highest, int32_t match)
{
    float best = 0.0f;
    int32_t best_row = 0;
    int is_highest = 0;
    for (int32_t row = 0; row < truth->n; row++) {
        float iou = det_box_iou(box, truth->boxes + 4 * (size_t)row);
        is_highest |= iou > 0.0f && det_iou_bits(iou) == highest[row];
        best_row = iou > best ? row : best_row;
        best = iou > best ? iou : best;
    }
    return is_highest ? best_row : match;
}

#endif
