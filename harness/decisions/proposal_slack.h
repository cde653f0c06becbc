/* How far from a tie a list of proposals is: an outcome of det_backend's rpn_propose judged by given
 * logits and boxes, which need not be those that it was made from.
 *
 * A list is legal where it is sorted by logit, holds no two boxes of a level that overlap beyond the
 * NMS threshold, only boxes among their level's pre_nms best, and where each box that is missing
 * from it has a reason: not among the pre_nms best, suppressed by one of the list, below the last of
 * a full list, or too small. The slack of an anchor is how far the numbers would have to move for
 * its place, or absence, to be legal, given the rest of the list. A box that came in because another
 * went has slack 0, so that a flip counts once, where it began. */
#ifndef HARNESS_DECISIONS_PROPOSAL_SLACK_H
#define HARNESS_DECISIONS_PROPOSAL_SLACK_H

#include "detector/backend/backend.h"
#include "harness/decisions/flip_kind.h"

/* One image's anchors as candidates, best first. */
struct proposal_numbers {
    const struct det_proposal_filter *filter;
    const float *logits; /* [A] borrowed */
    float *boxes;        /* [A, 4] decoded and clipped; owned */
    uint8_t *usable;     /* [A] logit and box are finite; owned */
    int32_t *order;      /* [A] the usable anchors by logit; owned */
    int n_usable;
    double entry[DET_MAX_LEVELS]; /* logit of the last that is among the level's pre_nms best */
    double below[DET_MAX_LEVELS]; /* and of the first that is not; -infinity where all are */
};

/* From an image's logits [A], deltas [A, 4] and the anchors [A, 4]. DET_NO_MEMORY. *out is released
 * by proposal_numbers_release, also on failure. */
enum det_code proposal_numbers_make(const struct det_proposal_filter *filter, const float *anchors,
                                    const float *logits, const float *deltas, float height,
                                    float width, struct proposal_numbers *out,
                                    struct det_error *err);
void proposal_numbers_release(struct proposal_numbers *numbers);

/* Which anchor each of n proposals is, best first: the one with its score whose box is nearest.
 * Returns how many were found, up to the first that is no anchor's: n where all were. */
int proposal_anchors(const struct proposal_numbers *numbers, int n, const float (*boxes)[4],
                     const float *scores, int32_t *anchors);

/* slack[A] of the list of n anchors. DET_NO_MEMORY. */
enum det_code proposal_slack(const struct proposal_numbers *numbers, int n, const int32_t *list,
                             const double limits[FLIP_KINDS], struct slack *slack,
                             struct det_error *err);

#endif
