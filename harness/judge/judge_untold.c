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

static int any_skipped(const struct logged_run *run)
{
    for (size_t i = 0; i < run->n_steps; i++)
        if (run->steps[i].skipped != RUN_LOG_UNKNOWN)
            return 1;
    return 0;
}

struct eval_tells {
    int emptiness, classes, ap, scores, weights, boxes;
};

static struct eval_tells what_evals_tell(const struct logged_run *run,
                                         const struct judge_rules *rules)
{
    struct eval_tells told = {0};
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct run_log_eval *eval = &run->evals[i];
        told.emptiness |= judge_empty(eval, rules) != JUDGE_UNTOLD;
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
    struct eval_tells told = what_evals_tell(run, rules);
    int skipped = any_skipped(run);
    untold(out, told.emptiness, "no_detections");
    untold(out, told.classes, "class_lost and class_never");
    if (!told.emptiness) {
        untold(out, any_step(run, offsetof(struct run_log_step, fg_accuracy)), "foreground_missed");
        untold(out, told.ap, "ap_zero");
    }
    untold(out,
           any_step(run, offsetof(struct run_log_step, loss)) ||
               any_step(run, offsetof(struct run_log_step, loss_cls)),
           "loss_not_finite and losses_unchanged");
    untold(out, skipped && any_step(run, offsetof(struct run_log_step, grad_norm)),
           "gradient_not_finite");
    untold(out, skipped, "updates_skipped");
    untold(out, told.boxes, "boxes_not_finite");
    untold(out, told.scores, "scores_not_finite");
    untold(out, told.weights, "weights_not_finite and weights_unchanged");
    untold(out, !run->planned_unknown, "ended_early");
}
