#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <stdio.h>

/* A class that was never detected counts as collapsed only with this many objects in every judged
 * evaluation: one or two rare objects that are missed are no collapse. */
#define CLASS_OBJECTS_MIN 5

/* Whether class k, or every class (k < 0), has no detection at or above judge.score. */
static int is_empty(const struct run_log_eval *eval, const struct judge_rules *rules, int k)
{
    return k < 0 ? judge_empty(eval, rules) == JUDGE_EMPTY : eval->detections_per_class[k] == 0;
}

/* Whether the evaluation had something to detect, and the log tells whether it was. */
static int says_something(const struct run_log_eval *eval, const struct judge_rules *rules, int k)
{
    if (k < 0)
        return judge_has_objects(eval) && judge_empty(eval, rules) != JUDGE_UNTOLD;
    return eval->objects_per_class && eval->objects_per_class[k] > 0;
}

/* Index of the first evaluation of the unbroken row of empty ones that ends at the last one.
 * Evaluations without such objects say nothing and do not break the row. */
static size_t first_empty(const struct logged_run *run, const struct judge_rules *rules, int k)
{
    size_t first = run->n_evals;
    for (size_t i = run->n_evals; i-- > 0;) {
        const struct run_log_eval *eval = &run->evals[i];
        if (!says_something(eval, rules, k))
            continue;
        if (!is_empty(eval, rules, k))
            break;
        first = i;
    }
    return first;
}

/* Whether class k was detected in `consecutive` evaluations in a row before evaluation `end`: the
 * untrained network's noise is gone by then, so this was learnt. */
static int was_detected(const struct logged_run *run, const struct judge_rules *rules, int k,
                        size_t end)
{
    int64_t row = 0;
    for (size_t i = 0; i < end; i++) {
        const int64_t *detections = run->evals[i].detections_per_class;
        if (detections)
            row = detections[k] > 0 ? row + 1 : 0;
        if (row >= rules->consecutive)
            return 1;
    }
    return 0;
}

/* What else the log tells about the evaluation: "; highest score 0.410, 600 detections at >= 0.05".
 */
static void describe(const struct run_log_eval *eval, char *out, size_t size)
{
    int length = 0;
    out[0] = '\0';
    if (eval->max_score != RUN_LOG_NONE)
        length = snprintf(out, size, "; highest score %.3f", eval->max_score);
    if (eval->detections[0] != RUN_LOG_UNKNOWN)
        snprintf(out + length, size - (size_t)length, "%s %" PRId64 " detections at >= 0.05",
                 length ? "," : ";", eval->detections[0]);
}

/* "160 objects"; without their number where it is not known. */
static void describe_objects(const struct run_log_eval *eval, char out[40])
{
    if (eval->objects > 0)
        snprintf(out, 40, "%" PRId64 " objects", eval->objects);
    else
        snprintf(out, 40, "the objects");
}

static int none_detected(const struct logged_run *run, const struct judge_rules *rules,
                         const int *at, int n, struct verdict *out)
{
    for (int i = 0; i < n; i++)
        if (!is_empty(&run->evals[at[i]], rules, -1))
            return 0;
    const struct run_log_eval *last = &run->evals[at[0]];
    int64_t first = run->evals[first_empty(run, rules, -1)].step;
    char objects[40], rest[100];
    describe_objects(last, objects);
    describe(last, rest, sizeof rest);
    return judge_say(out, VERDICT_COLLAPSED, "no_detections", first,
                     "no detection at score >= %g on %s, from step %" PRId64 " to step %" PRId64
                     "%s",
                     rules->score, objects, first, last->step, rest);
}

/* Fewest objects of class k in the judged evaluations; -1 where one of them detects the class. */
static int64_t fewest_missed(const struct logged_run *run, const int *at, int n, int k)
{
    int64_t fewest = run->evals[at[0]].objects_per_class[k];
    for (int i = 0; i < n; i++) {
        const struct run_log_eval *eval = &run->evals[at[i]];
        if (!eval->detections_per_class || eval->detections_per_class[k] > 0)
            return -1;
        if (eval->objects_per_class[k] < fewest)
            fewest = eval->objects_per_class[k];
    }
    return fewest;
}

static int class_empty(const struct logged_run *run, const struct judge_rules *rules, const int *at,
                       int n, int k, struct verdict *out)
{
    int64_t missed = fewest_missed(run, at, n, k);
    if (missed < 1)
        return 0;
    size_t first = first_empty(run, rules, k);
    const struct run_log_eval *last = &run->evals[at[0]];
    if (was_detected(run, rules, k, first))
        return judge_say(out, VERDICT_COLLAPSED, "class_lost", run->evals[first].step,
                         "class %.60s had detections at score >= %g and has none from step %" PRId64
                         " to step %" PRId64 " (%" PRId64 " objects)",
                         logged_class_name(run, k), rules->score, run->evals[first].step,
                         last->step, last->objects_per_class[k]);
    if (missed < CLASS_OBJECTS_MIN)
        return 0;
    return judge_say(out, VERDICT_COLLAPSED, "class_never", run->evals[first].step,
                     "class %.60s has no detection at score >= %g on %" PRId64
                     " objects by step %" PRId64 ", and never learnt to have any",
                     logged_class_name(run, k), rules->score, last->objects_per_class[k],
                     last->step);
}

int judge_collapsed(const struct logged_run *run, const struct judge_rules *rules,
                    struct verdict *out)
{
    int at[JUDGE_LAST_MAX];
    int n = judge_last_evals(run, rules, at);
    if (n > 0 && none_detected(run, rules, at, n, out))
        return 1;
    if (judge_indirect(run, rules, at, n, out))
        return 1;
    for (int k = 0; n > 0 && run->evals[at[0]].detections_per_class && k < run->n_classes; k++)
        if (class_empty(run, rules, at, n, k, out))
            return 1;
    return 0;
}
