#include "harness/log/run_log_fields.h"

#include "harness/log/run_log.h"

const double run_log_thresholds[RUN_LOG_THRESHOLDS] = {0.05, 0.1, 0.3, 0.5, 0.7, 0.9};

/* clang-format off */
#define STEP(type, name) {#name, type, offsetof(struct run_log_step, name), 0}
#define STEP_OPTIONAL(type, name) {#name, type, offsetof(struct run_log_step, name), 1}
#define EVAL(type, name) {#name, type, offsetof(struct run_log_eval, name), 0}
#define EVAL_OPTIONAL(type, name) {#name, type, offsetof(struct run_log_eval, name), 1}
/* clang-format on */

/* Parts before their sum: where two runs differ, the part is named first. */
static const struct run_log_field step_fields[] = {
    STEP(RUN_LOG_INT, step),
    STEP(RUN_LOG_NUMBER, lr),
    STEP(RUN_LOG_NUMBER, loss_rpn_cls),
    STEP(RUN_LOG_NUMBER, loss_rpn_bbox),
    STEP(RUN_LOG_NUMBER, loss_cls),
    STEP(RUN_LOG_NUMBER, loss_bbox),
    STEP(RUN_LOG_NUMBER, loss_mask),
    STEP(RUN_LOG_NUMBER, loss),
    STEP(RUN_LOG_NUMBER, grad_norm),
    STEP(RUN_LOG_FLAG, clipped),
    STEP(RUN_LOG_FLAG, skipped),
    STEP_OPTIONAL(RUN_LOG_NUMBER, loss_scale),
    STEP(RUN_LOG_INT, rpn_positives),
    STEP(RUN_LOG_INT, rpn_negatives),
    STEP(RUN_LOG_INT, roi_positives),
    STEP(RUN_LOG_INT, roi_negatives),
    STEP(RUN_LOG_INT, objects),
    STEP(RUN_LOG_SHARE, rpn_fg_accuracy),
    STEP(RUN_LOG_SHARE, fg_accuracy),
    STEP(RUN_LOG_SHARE, rpn_false_negative),
    STEP(RUN_LOG_SHARE, false_negative),
    STEP(RUN_LOG_SHARE, rpn_fg_share),
    STEP(RUN_LOG_SHARE, fg_share),
    STEP(RUN_LOG_NUMBER, max_objectness),
    STEP(RUN_LOG_NUMBER, max_score),
    STEP(RUN_LOG_INT, proposals),
    STEP(RUN_LOG_INT, not_finite),
    STEP_OPTIONAL(RUN_LOG_NUMBER, images_per_second),
};

static const struct run_log_field eval_fields[] = {
    EVAL(RUN_LOG_INT, step),
    EVAL(RUN_LOG_INT, images),
    EVAL(RUN_LOG_INT, objects),
    EVAL(RUN_LOG_LADDER, detections),
    EVAL(RUN_LOG_LADDER, objects_found),
    EVAL(RUN_LOG_CLASS_COUNTS, detections_per_class),
    EVAL(RUN_LOG_CLASS_COUNTS, objects_per_class),
    EVAL_OPTIONAL(RUN_LOG_CLASS_LADDERS, ladder_per_class),
    EVAL(RUN_LOG_NUMBER, max_score),
    EVAL(RUN_LOG_SHARE, mean_object_score),
    EVAL(RUN_LOG_NUMBER, max_objectness),
    EVAL(RUN_LOG_SHARE, rpn_fg_bg_ratio),
    EVAL(RUN_LOG_SHARE, roi_fg_bg_ratio),
    EVAL(RUN_LOG_SHARE, proposal_recall),
    EVAL(RUN_LOG_SHARE, box_ap),
    EVAL(RUN_LOG_SHARE, box_ap50),
    EVAL(RUN_LOG_SHARE, mask_ap),
    EVAL(RUN_LOG_SHARE, mask_ap50),
    EVAL(RUN_LOG_CLASS_SHARES, box_ap_per_class),
    EVAL(RUN_LOG_INT, not_finite),
    EVAL(RUN_LOG_HASH, weights_hash),
    EVAL(RUN_LOG_FLAG, weights_finite),
};

const struct run_log_field *run_log_step_fields(size_t *n)
{
    *n = sizeof step_fields / sizeof step_fields[0];
    return step_fields;
}

const struct run_log_field *run_log_eval_fields(size_t *n)
{
    *n = sizeof eval_fields / sizeof eval_fields[0];
    return eval_fields;
}
