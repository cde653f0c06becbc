#include "harness/log/run_log_fields.h"

#include "harness/log/run_log.h"

#include <string.h>

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

static void clear_field(enum run_log_type type, void *at)
{
    switch (type) {
    case RUN_LOG_INT:
        *(int64_t *)at = RUN_LOG_UNKNOWN;
        return;
    case RUN_LOG_FLAG:
        *(int *)at = RUN_LOG_UNKNOWN;
        return;
    case RUN_LOG_NUMBER:
    case RUN_LOG_SHARE:
        *(double *)at = RUN_LOG_NONE;
        return;
    case RUN_LOG_HASH:
        *(uint64_t *)at = 0;
        return;
    case RUN_LOG_LADDER:
        for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
            ((int64_t *)at)[t] = RUN_LOG_UNKNOWN;
        return;
    case RUN_LOG_CLASS_COUNTS:
    case RUN_LOG_CLASS_SHARES:
    case RUN_LOG_CLASS_LADDERS:
        *(void **)at = NULL;
        return;
    }
}

const struct run_log_field *run_log_find(const struct run_log_field *fields, size_t n,
                                         const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

void run_log_clear(const struct run_log_field *fields, size_t n, void *record)
{
    for (size_t i = 0; i < n; i++)
        clear_field(fields[i].type, (char *)record + fields[i].offset);
}

int run_log_has(const struct run_log_field *field, const void *record)
{
    const void *at = (const char *)record + field->offset;
    switch (field->type) {
    case RUN_LOG_INT:
        return *(const int64_t *)at != RUN_LOG_UNKNOWN;
    case RUN_LOG_FLAG:
        return *(const int *)at != RUN_LOG_UNKNOWN;
    case RUN_LOG_NUMBER:
    case RUN_LOG_SHARE:
        return *(const double *)at != RUN_LOG_NONE;
    case RUN_LOG_HASH:
        return *(const uint64_t *)at != 0;
    case RUN_LOG_LADDER:
        for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
            if (((const int64_t *)at)[t] != RUN_LOG_UNKNOWN)
                return 1;
        return 0;
    case RUN_LOG_CLASS_COUNTS:
    case RUN_LOG_CLASS_SHARES:
    case RUN_LOG_CLASS_LADDERS:
        break;
    }
    return *(void *const *)at != NULL;
}

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
