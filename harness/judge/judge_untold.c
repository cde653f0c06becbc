/* Which rules a log says nothing about: what another trainer does not log is not judged. */
#include "harness/judge/judge_rules.h"

#include <stddef.h>

static void untold(struct verdict *out, int told, const char *rule)
{
    if (!told && out->n_untold < VERDICT_UNTOLD_MAX)
        out->untold[out->n_untold++] = rule;
}

/* Whether any step has a number at the offset. */
static int any_step(const struct logged_run *run, size_t offset)
{
    for (size_t i = 0; i < run->n_steps; i++)
        if (*(const double *)((const char *)&run->steps[i] + offset) != RUN_LOG_NONE)
            return 1;
    return 0;
}

/* Whether any step has a loss, or a part of one. */
static int any_loss(const struct logged_run *run)
{
    return any_step(run, offsetof(struct run_log_step, loss)) ||
           any_step(run, offsetof(struct run_log_step, loss_rpn_cls)) ||
           any_step(run, offsetof(struct run_log_step, loss_rpn_bbox)) ||
           any_step(run, offsetof(struct run_log_step, loss_cls)) ||
           any_step(run, offsetof(struct run_log_step, loss_bbox)) ||
           any_step(run, offsetof(struct run_log_step, loss_mask));
}

static int any_skipped(const struct logged_run *run)
{
    for (size_t i = 0; i < run->n_steps; i++)
        if (run->steps[i].skipped != RUN_LOG_UNKNOWN)
            return 1;
    return 0;
}

struct eval_tells {
    int classes, ap, scores, weights, boxes;
};

/* Whether the judged evaluations tell of detections; what earlier ones tell decides nothing. */
static int emptiness_told(const struct logged_run *run, const struct judge_rules *rules)
{
    int at[JUDGE_LAST_MAX];
    int n = judge_last_evals(run, rules, at);
    for (int i = 0; i < n; i++)
        if (judge_empty(&run->evals[at[i]], rules) == JUDGE_UNTOLD)
            return 0;
    return n > 0;
}

static struct eval_tells what_evals_tell(const struct logged_run *run)
{
    struct eval_tells told = {0};
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct run_log_eval *eval = &run->evals[i];
        told.classes |= eval->detections_per_class != NULL;
        told.ap |= eval->box_ap != RUN_LOG_NONE;
        told.scores |= eval->max_score != RUN_LOG_NONE;
        told.weights |= eval->weights_finite != RUN_LOG_UNKNOWN;
        told.boxes |= eval->not_finite != RUN_LOG_UNKNOWN;
    }
    return told;
}

void judge_untold(const struct logged_run *run, const struct judge_rules *rules,
                  struct verdict *out)
{
    if (!run->format)
        return;
    struct eval_tells told = what_evals_tell(run);
    int counted = emptiness_told(run, rules);
    int skipped = any_skipped(run);
    untold(out, counted, "no_detections");
    untold(out, told.classes, "class_lost and class_never");
    if (!counted) {
        untold(out, any_step(run, offsetof(struct run_log_step, fg_accuracy)), "foreground_missed");
        untold(out, told.ap, "ap_zero");
    }
    untold(out, any_loss(run), "loss_not_finite and losses_unchanged");
    untold(out, skipped && any_step(run, offsetof(struct run_log_step, grad_norm)),
           "gradient_not_finite");
    untold(out, skipped, "updates_skipped");
    untold(out, told.boxes, "boxes_not_finite");
    untold(out, told.scores, "scores_not_finite");
    untold(out, told.weights, "weights_not_finite and weights_unchanged");
    untold(out, !run->planned_unknown, "ended_early");
}
