/* What one training pass decided, and the numbers that it decided by, copied to the host: which
 * anchors were sampled, which proposals were kept and in which order, which RoIs were drawn and what
 * they stand for. Recorded after a pass or, stage by stage, in the middle of it; given to another
 * pass in the place of its own (teacher forcing). */
#ifndef HARNESS_DECISIONS_PASS_DECISIONS_H
#define HARNESS_DECISIONS_PASS_DECISIONS_H

#include "detector/detector.h"

/* Each is the tap of that name (detector.h), all rows of it; rows that are not live are 0. */
enum decision_array {
    DECISION_LOGITS,           /* float [n, A] */
    DECISION_DELTAS,           /* float [n, A, 4] */
    DECISION_SAMPLED,          /* int8 [n, A] */
    DECISION_ANCHOR_TARGETS,   /* float [n, A, 4] */
    DECISION_PROPOSAL_COUNT,   /* int32 [n] */
    DECISION_PROPOSAL_BOXES,   /* float [n, most, 4] */
    DECISION_PROPOSAL_SCORES,  /* float [n, most] */
    DECISION_ROI_COUNT,        /* int32 [1] */
    DECISION_ROI_BOXES,        /* float [max, 4] */
    DECISION_ROI_IMAGE,        /* int32 [max], as all that follow but the targets */
    DECISION_ROI_LEVEL,
    DECISION_ROI_LABELS,
    DECISION_ROI_MATCHED,
    DECISION_ROI_INDEX,
    DECISION_ROI_TARGETS,      /* float [max, 4] */
    DECISION_ARRAYS
};

struct decision_data {
    void *at; /* owned */
    int type; /* DET_TAP_* */
    int rows, columns;
    size_t bytes;
};

struct pass_decisions {
    struct decision_data array[DECISION_ARRAYS];
};

const char *decision_name(enum decision_array array);

/* Copy what was decided in `stage` from the model's taps (with the proposals also the logits and
 * deltas). Memory is taken at the first call for a stage and kept. DET_NO_MEMORY. */
enum det_code pass_decisions_take(struct pass_decisions *d, struct det_model *model,
                                  struct det_device *dev, enum det_pass_stage stage,
                                  struct det_error *err);
enum det_code pass_decisions_take_all(struct pass_decisions *d, struct det_model *model,
                                      struct det_device *dev, struct det_error *err);
/* Put what was decided in `stage` in the place of the model's own: from a det_pass_hook. */
void pass_decisions_force(const struct pass_decisions *d, struct det_model *model,
                          struct det_device *dev, enum det_pass_stage stage);

/* Do decisions that came from elsewhere fit the model's last pass: the same types and sizes, counts
 * and indices within them, truth rows below n_truth? DET_INVALID names the array. */
enum det_code pass_decisions_check(const struct pass_decisions *d, struct det_model *model,
                                   int n_classes, int n_truth, struct det_error *err);
void pass_decisions_release(struct pass_decisions *d);

static inline float *decision_floats(const struct pass_decisions *d, enum decision_array array)
{
    return d->array[array].at;
}

static inline int32_t *decision_ints(const struct pass_decisions *d, enum decision_array array)
{
    return d->array[array].at;
}

/* Rows an image: anchors, or the most proposals. */
static inline int decision_anchors(const struct pass_decisions *d)
{
    return d->array[DECISION_LOGITS].columns;
}

static inline int decision_most_proposals(const struct pass_decisions *d)
{
    return d->array[DECISION_PROPOSAL_SCORES].columns;
}

#endif
