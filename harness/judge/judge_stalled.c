#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <string.h>

/* Other trainers log every so often, and few digits: two equal lines are chance, these many not. */
#define LINES_MIN 5

/* Equal weights at evaluations that span stall_steps or more. */
static int weights_unchanged(const struct logged_run *run, const struct judge_rules *rules,
                             struct verdict *out)
{
    for (size_t first = 0, i = 1; i < run->n_evals; i++) {
        const struct run_log_eval *from = &run->evals[first], *to = &run->evals[i];
        if (to->weights_finite == RUN_LOG_UNKNOWN || to->weights_hash != from->weights_hash)
            first = i;
        else if (to->step - from->step >= rules->stall_steps)
            return judge_say(out, VERDICT_STALLED, "weights_unchanged", from->step,
                             "the weights did not change in %" PRId64 " steps (hash %016" PRIx64
                             " after step %" PRId64 " and after step %" PRId64 ")",
                             to->step - from->step, to->weights_hash, from->step, to->step);
    }
    return 0;
}

/* Bit-equal, all parts that are logged: a single part may well stay 0 for a while. */
static int losses_equal(const struct run_log_step *a, const struct run_log_step *b)
{
    const double x[] = {a->loss,     a->loss_rpn_cls, a->loss_rpn_bbox,
                        a->loss_cls, a->loss_bbox,    a->loss_mask};
    const double y[] = {b->loss,     b->loss_rpn_cls, b->loss_rpn_bbox,
                        b->loss_cls, b->loss_bbox,    b->loss_mask};
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        if (x[i] != RUN_LOG_NONE)
            return memcmp(x, y, sizeof x) == 0;
    return 0;
}

static int losses_unchanged(const struct logged_run *run, const struct judge_rules *rules,
                            struct verdict *out)
{
    for (size_t first = 0, i = 1; i < run->n_steps; i++) {
        const struct run_log_step *from = &run->steps[first], *to = &run->steps[i];
        if (!losses_equal(from, to))
            first = i;
        else if (to->step - from->step >= rules->stall_steps &&
                 (!run->format || i - first + 1 >= LINES_MIN))
            return judge_say(out, VERDICT_STALLED, "losses_unchanged", from->step,
                             "all losses are bit-equal from step %" PRId64 " to step %" PRId64
                             " (total %.6g)",
                             from->step, to->step, to->loss);
    }
    return 0;
}

static int updates_skipped(const struct logged_run *run, const struct judge_rules *rules,
                           struct verdict *out)
{
    int64_t first = -1;
    for (size_t i = 0; i < run->n_steps; i++) {
        const struct run_log_step *step = &run->steps[i];
        if (step->skipped != 1)
            first = -1;
        else if (first < 0)
            first = step->step;
        else if (step->step - first >= rules->stall_steps)
            return judge_say(out, VERDICT_STALLED, "updates_skipped", first,
                             "the loss scaler skipped every update from step %" PRId64
                             " to step %" PRId64 " (scale %g)",
                             first, step->step, step->loss_scale);
    }
    return 0;
}

int judge_stalled(const struct logged_run *run, const struct judge_rules *rules,
                  struct verdict *out)
{
    return weights_unchanged(run, rules, out) || losses_unchanged(run, rules, out) ||
           updates_skipped(run, rules, out);
}
