/* How far from a tie a matching and sampling of boxes is: an outcome judged by exact IoUs.
 *
 * The matcher and the sampler are functions of IoUs and of Philox's integers. An outcome is legal
 * under the exact IoUs, or it would be if some of them were others; the slack of a candidate is by
 * how much they would have to be. It is judged given all the others: a candidate that was drawn
 * because another one was not has slack 0, and only the one that crossed a limit has more. So a flip
 * counts once, where it began. */
#ifndef HARNESS_DECISIONS_ASSIGN_SLACK_H
#define HARNESS_DECISIONS_ASSIGN_SLACK_H

#include "detector/backend/backend.h"

struct assignment { /* of one image; arrays are host memory, borrowed */
    struct det_matcher matcher;
    struct det_sampler sampler;
    int64_t image_id;
    uint32_t step;
    int n;
    const float *boxes; /* [n, 4] candidates */
    int n_truth;
    const float *truth;     /* [n_truth, 4] */
    const int8_t *drawn;    /* [n] the outcome: 1 drawn as positive, 0 as negative, -1 not drawn */
    const int32_t *matched; /* [n] row of truth of each that is drawn as positive, or NULL: unknown */
};

/* slack[n], IoU; infinite where no IoU makes the outcome legal: more drawn than the sampler may, or
 * one left out whose random number comes before one that was drawn. DET_NO_MEMORY. */
enum det_code assign_slack(const struct assignment *assignment, double *slack,
                           struct det_error *err);

#endif
