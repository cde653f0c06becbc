#include "harness/judge/judge_rules.h"

#include <inttypes.h>

/* A class that was never detected counts as collapsed only with this many objects in every judged
 * evaluation: one or two rare objects that are missed are no collapse. */
#define CLASS_OBJECTS_MIN 5

/* Detections of class k, or of all classes (k < 0), at or above judge.score. */
static int64_t detections_of(const struct run_log_eval *eval, int k)
{
    return k < 0 ? logged_detections(eval) : eval->detections_per_class[k];
}

static int64_t objects_of(const struct run_log_eval *eval, int k)
{
    return k < 0 ? eval->objects : eval->objects_per_class[k];
}

/* Index of the first evaluation of the unbroken row of empty ones that ends at the last one.
 * Evaluations without such objects say nothing and do not break the row. */
static size_t first_empty(const struct logged_run *run, int k)
{
    size_t first = run->n_evals;
    for (size_t i = run->n_evals; i-- > 0;) {
        const struct run_log_eval *eval = &run->evals[i];
        if (objects_of(eval, k) > 0 && detections_of(eval, k) > 0)
            break;
        if (objects_of(eval, k) > 0)
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
        row = detections_of(&run->evals[i], k) > 0 ? row + 1 : 0;
        if (row >= rules->consecutive)
            return 1;
    }
    return 0;
}

static int none_detected(const struct logged_run *run, const struct judge_rules *rules,
                         const int *at, int n, struct verdict *out)
{
    for (int i = 0; i < n; i++)
        if (logged_detections(&run->evals[at[i]]) > 0)
            return 0;
    const struct run_log_eval *last = &run->evals[at[0]];
    int64_t first = run->evals[first_empty(run, -1)].step;
    return judge_say(out, VERDICT_COLLAPSED, "no_detections", first,
                     "no detection at score >= %g on %" PRId64 " objects, from step %" PRId64
                     " to step %" PRId64 "; highest score %.3f, %" PRId64 " detections at >= 0.05",
                     rules->score, last->objects, first, last->step, last->max_score,
                     last->detections[0]);
}

/* Fewest objects of class k in the judged evaluations; -1 where one of them detects the class. */
static int64_t fewest_missed(const struct logged_run *run, const int *at, int n, int k)
{
    int64_t fewest = objects_of(&run->evals[at[0]], k);
    for (int i = 0; i < n; i++) {
        if (detections_of(&run->evals[at[i]], k) > 0)
            return -1;
        if (objects_of(&run->evals[at[i]], k) < fewest)
            fewest = objects_of(&run->evals[at[i]], k);
    }
    return fewest;
}

static int class_empty(const struct logged_run *run, const struct judge_rules *rules, const int *at,
                       int n, int k, struct verdict *out)
{
    int64_t missed = fewest_missed(run, at, n, k);
    if (missed < 1)
        return 0;
    size_t first = first_empty(run, k);
    const struct run_log_eval *last = &run->evals[at[0]];
    if (was_detected(run, rules, k, first))
        return judge_say(out, VERDICT_COLLAPSED, "class_lost", run->evals[first].step,
                         "class %.60s had detections at score >= %g and has none from step %" PRId64
                         " to step %" PRId64 " (%" PRId64 " objects)",
                         logged_class_name(run, k), rules->score, run->evals[first].step,
                         last->step, objects_of(last, k));
    if (missed < CLASS_OBJECTS_MIN)
        return 0;
    return judge_say(out, VERDICT_COLLAPSED, "class_never", run->evals[first].step,
                     "class %.60s has no detection at score >= %g on %" PRId64
                     " objects by step %" PRId64 ", and never learnt to have any",
                     logged_class_name(run, k), rules->score, objects_of(last, k), last->step);
}

int judge_collapsed(const struct logged_run *run, const struct judge_rules *rules,
                    struct verdict *out)
{
    int at[JUDGE_LAST_MAX];
    int n = judge_last_evals(run, rules, at);
    if (n == 0)
        return 0;
    if (none_detected(run, rules, at, n, out))
        return 1;
    for (int k = 0; k < run->n_classes; k++)
        if (class_empty(run, rules, at, n, k, out))
            return 1;
    return 0;
}
