/* Warnings: the monitors that explain a verdict or come before one. Total loss and total accuracy
 * are not among them: both look best when everything is called background. */
#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define STEPS_WITHOUT_POSITIVES 20
#define FG_ACCURACY_MIN 0.05
#define FG_STEPS_MIN 5 /* with foreground, among the last ones: fewer say nothing */
#define PROPOSAL_RECALL_MIN 0.3
#define CLIPPED_SHARE_MAX 0.5
#define LAST_STEPS_SHARE 0.1 /* of the logged steps: what "at the end" means */

__attribute__((format(printf, 4, 5))) static void warn(struct verdict *out, const char *rule,
                                                       int64_t step, const char *format, ...)
{
    if (out->n_warnings == VERDICT_WARNINGS_MAX)
        return;
    struct verdict_warning *warning = &out->warnings[out->n_warnings++];
    warning->rule = rule;
    warning->step = step;
    va_list args;
    va_start(args, format);
    vsnprintf(warning->why, sizeof warning->why, format, args);
    va_end(args);
}

static int64_t roi_positives(const struct run_log_step *step)
{
    return step->roi_positives;
}

static int64_t rpn_positives(const struct run_log_step *step)
{
    return step->rpn_positives;
}

static void no_positives(const struct logged_run *run, const char *rule, const char *what,
                         int64_t (*count)(const struct run_log_step *), struct verdict *out)
{
    int row = 0;
    int64_t objects = 0;
    for (size_t i = 0; i < run->n_steps; i++) {
        row = count(&run->steps[i]) == 0 ? row + 1 : 0;
        objects = row && run->steps[i].objects > 0 ? objects + run->steps[i].objects : 0;
        if (row < STEPS_WITHOUT_POSITIVES)
            continue;
        int64_t first = run->steps[i + 1 - STEPS_WITHOUT_POSITIVES].step;
        warn(out, rule, first,
             "no positive %s in %d steps from step %" PRId64 " on, which held %" PRId64 " objects",
             what, row, first, objects);
        return;
    }
}

/* How many of the last logged steps make "the end": a tenth, but 10 where there are so many. */
static size_t last_steps(const struct logged_run *run)
{
    size_t n = (size_t)(LAST_STEPS_SHARE * (double)run->n_steps);
    if (n < 10)
        n = run->n_steps < 10 ? run->n_steps : 10;
    return n;
}

static void fg_accuracy_low(const struct logged_run *run, struct verdict *out)
{
    size_t first = run->n_steps - last_steps(run);
    if (run->n_steps == 0)
        return;
    struct judge_foreground seen = judge_foreground(run, run->steps[first].step);
    if (seen.lines >= FG_STEPS_MIN && seen.accuracy < FG_ACCURACY_MIN)
        warn(out, "fg_accuracy_low", run->steps[first].step,
             "foreground accuracy is %.3f over the last %d steps with foreground, %.0f %% of it is "
             "called background",
             seen.accuracy, seen.lines, 100 * seen.missed);
}

static void proposal_recall_low(const struct logged_run *run, struct verdict *out)
{
    if (!run->n_evals)
        return;
    const struct run_log_eval *last = &run->evals[run->n_evals - 1];
    if (last->proposal_recall != RUN_LOG_NONE && last->proposal_recall < PROPOSAL_RECALL_MIN)
        warn(out, "proposal_recall_low", last->step,
             "only %.0f %% of %" PRId64 " objects have a proposal at IoU >= 0.5",
             100 * last->proposal_recall, last->objects);
}

static void clipping(const struct logged_run *run, struct verdict *out)
{
    size_t clipped = 0;
    int64_t first = -1;
    for (size_t i = 0; i < run->n_steps; i++)
        if (run->steps[i].clipped > 0 && clipped++ == 0)
            first = run->steps[i].step;
    if ((double)clipped > CLIPPED_SHARE_MAX * (double)run->n_steps)
        warn(out, "clipping", first, "%zu of %zu steps were clipped to norm %g", clipped,
             run->n_steps, logged_config_number(run, "clip_grad_norm", 0));
}

static void last_evaluation_empty(const struct logged_run *run, const struct judge_rules *rules,
                                  struct verdict *out)
{
    if (!run->n_evals)
        return;
    const struct run_log_eval *last = &run->evals[run->n_evals - 1];
    if (judge_has_objects(last) && judge_empty(last, rules) == JUDGE_EMPTY)
        warn(out, "last_evaluation_empty", last->step,
             "the last evaluation has no detection at score >= %g; %" PRId64
             " empty ones in a row would be a collapse",
             rules->score, rules->consecutive);
}

/* Detections that hit nothing: boxes in the wrong place or classes mixed up. */
static void nothing_found(const struct logged_run *run, struct verdict *out)
{
    if (!run->n_evals)
        return;
    const struct run_log_eval *last = &run->evals[run->n_evals - 1];
    if (last->objects > 0 && last->detections[0] > 0 && last->objects_found[0] == 0)
        warn(out, "nothing_found", last->step,
             "%" PRId64 " detections at score >= 0.05, but none of %" PRId64
             " objects is found at IoU >= 0.5 with the right class",
             last->detections[0], last->objects);
}

static void class_empty(const struct logged_run *run, const struct judge_rules *rules,
                        struct verdict *out)
{
    if (!run->n_evals)
        return;
    const struct run_log_eval *last = &run->evals[run->n_evals - 1];
    if (logged_detections(last) <= 0)
        return; /* said already, or not in this log */
    for (int k = 0; k < run->n_classes; k++)
        if (last->objects_per_class[k] > 0 && last->detections_per_class[k] == 0)
            warn(out, "class_empty", last->step,
                 "class %.60s has no detection at score >= %g on %" PRId64 " objects",
                 logged_class_name(run, k), rules->score, last->objects_per_class[k]);
}

/* RUN_LOG_NONE where a step does not tell its loss. */
static double mean_loss(const struct logged_run *run, size_t first, size_t n)
{
    double sum = 0;
    for (size_t i = first; i < first + n; i++) {
        if (run->steps[i].loss == RUN_LOG_NONE)
            return RUN_LOG_NONE;
        sum += run->steps[i].loss;
    }
    return sum / (double)n;
}

static void loss_rose(const struct logged_run *run, struct verdict *out)
{
    size_t n = last_steps(run);
    if (n == 0 || 2 * n > run->n_steps)
        return;
    double first = mean_loss(run, 0, n), last = mean_loss(run, run->n_steps - n, n);
    if (first != RUN_LOG_NONE && last > first)
        warn(out, "loss_rose", run->steps[run->n_steps - n].step,
             "the mean loss of the last %zu steps, %.4g, is above that of the first ones, %.4g", n,
             last, first);
}

void judge_warn(const struct logged_run *run, const struct judge_rules *rules, struct verdict *out)
{
    out->n_warnings = 0;
    no_positives(run, "no_rpn_positives", "anchor", rpn_positives, out);
    no_positives(run, "no_roi_positives", "RoI", roi_positives, out);
    fg_accuracy_low(run, out);
    proposal_recall_low(run, out);
    clipping(run, out);
    loss_rose(run, out);
    nothing_found(run, out);
    if (out->kind == VERDICT_HEALTHY || out->kind == VERDICT_INCOMPLETE) {
        last_evaluation_empty(run, rules, out);
        class_empty(run, rules, out);
    }
}
