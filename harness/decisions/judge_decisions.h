/* The decisions of a pupil's pass beside its teacher's: which fell to the other side, and how far
 * from a tie, in the teacher's numbers, each of them was.
 *
 * Every decision was made from the teacher's: anchors are the same, RoIs were drawn from the
 * teacher's proposals. Only the proposals come from the pupil's own logits and deltas; these are
 * compared as numbers elsewhere. */
#ifndef HARNESS_DECISIONS_JUDGE_DECISIONS_H
#define HARNESS_DECISIONS_JUDGE_DECISIONS_H

#include "harness/decisions/flip_log.h"
#include "harness/decisions/pass_decisions.h"

struct decision_case { /* what both passes had before them */
    const struct det_config *config;  /* borrowed */
    const struct det_sample *samples; /* borrowed */
    int n_images, n_anchors;
    uint32_t step;
    float *anchors;        /* [A, 4]; owned, as all arrays are */
    float *truth;          /* [total, 4] what is trained on, image by image */
    int32_t *truth_labels; /* [total] */
    int *first;            /* [n_images + 1] */
    struct det_proposal_filter filter;
};

/* Of the model's pass over n samples that is running or has just run. DET_NO_MEMORY. *out is
 * released by decision_case_release, also on failure. */
enum det_code decision_case_make(struct det_model *model, struct det_device *dev,
                                 const struct det_config *config, const struct det_sample *samples,
                                 int n, uint32_t step, struct decision_case *out,
                                 struct det_error *err);
void decision_case_release(struct decision_case *c);

/* Both must have passed pass_decisions_check. Flips, and decisions of either side that no tie
 * explains, into *log. `limits`: the margin that each kind of flip may have. */
enum det_code judge_decisions(const struct decision_case *c, const double limits[FLIP_KINDS],
                              const struct pass_decisions *golden, const struct pass_decisions *own,
                              struct flip_log *log, struct det_error *err);

#endif
