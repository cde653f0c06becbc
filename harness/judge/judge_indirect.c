/* A collapse in a log that counts no detections. Rests on what the head does with foreground, never
 * on total loss or total accuracy: both look best when everything is called background. */
#include "harness/judge/judge_rules.h"

#include <inttypes.h>

/* Foreground whose arg-max is background has every class score at or below 0.5. Below this accuracy
 * and above this share, nothing of note is left above it; a published run that predicted nothing
 * was at 0.01 and 0.99 (docs/verdicts.md). */
#define FG_ACCURACY_COLLAPSED 0.02
#define FALSE_NEGATIVE_COLLAPSED 0.98
/* How much foreground must have been seen: lines that are medians of many steps, with so many
 * samples an image; else logged steps, and their samples. */
#define SMOOTHED_LINES_MIN 3
#define SMOOTHED_SAMPLES_MIN 3
#define LINES_MIN 10
#define SAMPLES_MIN 30

#define AP_ZERO 0.0005 /* mmdetection logs three digits */
#define AP_EVALS_MIN 2 /* one evaluation at 0 may be the evaluator's fault */
#define FG_ACCURACY_ALIVE 0.05

struct judge_foreground judge_foreground(const struct logged_run *run, int64_t first_step)
{
    struct judge_foreground sum = {0};
    int counted = 0;
    for (size_t i = 0; i < run->n_steps; i++) {
        const struct run_log_step *step = &run->steps[i];
        if (step->step < first_step || step->roi_positives == 0 ||
            step->fg_accuracy == RUN_LOG_NONE)
            continue;
        sum.accuracy += step->fg_accuracy;
        sum.missed +=
            step->false_negative == RUN_LOG_NONE ? 1 - step->fg_accuracy : step->false_negative;
        sum.samples += (double)step->roi_positives;
        counted += step->roi_positives != RUN_LOG_UNKNOWN;
        sum.lines++;
    }
    if (sum.lines) {
        sum.accuracy /= sum.lines;
        sum.missed /= sum.lines;
        sum.samples = counted == sum.lines ? sum.samples / sum.lines : RUN_LOG_NONE;
    }
    return sum;
}

/* Whether so much foreground was seen that a detector that finds a third of it would have shown
 * some: a median is 0 as soon as half of its steps have nothing right. */
static int is_enough(const struct logged_run *run, const struct judge_foreground *seen)
{
    if (run->smoothed)
        return seen->lines >= SMOOTHED_LINES_MIN &&
               (seen->samples == RUN_LOG_NONE || seen->samples >= SMOOTHED_SAMPLES_MIN);
    return seen->lines >= LINES_MIN &&
           (seen->samples == RUN_LOG_NONE || seen->samples * seen->lines >= SAMPLES_MIN);
}

/* The first step of the unbroken row, up to the end, of steps without right foreground. */
static int64_t first_missed(const struct logged_run *run)
{
    int64_t first = run->steps_done;
    for (size_t i = run->n_steps; i-- > 0;) {
        const struct run_log_step *step = &run->steps[i];
        if (step->roi_positives == 0 || step->fg_accuracy == RUN_LOG_NONE)
            continue;
        if (!(step->fg_accuracy <= FG_ACCURACY_COLLAPSED))
            break;
        first = step->step;
    }
    return first;
}

/* Foreground is called background, from judge.after on. With 1 - fg_accuracy for a share that is
 * not logged, confused classes count as missed: hence the accuracy's own, stricter bound. */
static int foreground_missed(const struct logged_run *run, const struct judge_rules *rules,
                             struct verdict *out)
{
    int64_t judged = judge_first_step(run, rules);
    struct judge_foreground seen = judge_foreground(run, judged);
    if (!is_enough(run, &seen) || !(seen.accuracy <= FG_ACCURACY_COLLAPSED) ||
        !(seen.missed >= FALSE_NEGATIVE_COLLAPSED))
        return 0;
    return judge_say(out, VERDICT_COLLAPSED, "foreground_missed", first_missed(run),
                     "foreground accuracy %.3f, %.0f %% of the foreground called background, over "
                     "%d logged steps from step %" PRId64 " on: nothing reaches score 0.5",
                     seen.accuracy, 100 * seen.missed, seen.lines, judged);
}

static int ap_zero(const struct logged_run *run, const struct judge_rules *rules, const int *at,
                   int n, struct verdict *out)
{
    struct judge_foreground seen = judge_foreground(run, judge_first_step(run, rules));
    for (int i = 0; i < n; i++)
        if (run->evals[at[i]].box_ap == RUN_LOG_NONE || !(run->evals[at[i]].box_ap <= AP_ZERO))
            return 0;
    int alive = seen.lines > 0 && seen.accuracy >= FG_ACCURACY_ALIVE;
    if (n < AP_EVALS_MIN || alive)
        return 0;
    return judge_say(out, VERDICT_COLLAPSED, "ap_zero", run->evals[at[n - 1]].step,
                     "box AP is 0 at the last %d evaluations, from step %" PRId64
                     " to step %" PRId64 ": nothing is found",
                     n, run->evals[at[n - 1]].step, run->evals[at[0]].step);
}

int judge_indirect(const struct logged_run *run, const struct judge_rules *rules, const int *at,
                   int n, struct verdict *out)
{
    for (int i = 0; i < n; i++)
        if (judge_empty(&run->evals[at[i]], rules) == JUDGE_NOT_EMPTY)
            return 0;
    if (!run->format)
        return 0;
    return foreground_missed(run, rules, out) || ap_zero(run, rules, at, n, out);
}
