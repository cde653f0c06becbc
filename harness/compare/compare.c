#include "harness/compare/compare.h"

#include "harness/compare/compare_metric.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One kind of line: its fields, and a slot of the comparison for each metric. */
struct side {
    const char *prefix;
    const struct run_log_field *fields;
    size_t n_fields;
    int n_metrics;
    struct metric_difference *slots; /* [n_metrics], steps == 0: no difference so far */
};

struct pass {
    const struct logged_run *a, *b;
    const struct compare_options *options;
    struct comparison *out;
};

static int count_metrics(const struct run_log_field *fields, size_t n, int n_classes)
{
    int metrics = 0;
    for (size_t i = 0; i < n; i++)
        metrics += metric_elements(&fields[i], n_classes);
    return metrics;
}

static int is_loss_part(const char *key)
{
    return strncmp(key, "loss_", 5) == 0 && strcmp(key, "loss_scale") != 0;
}

void compare_note(struct metric_difference *slot, const char *name, const struct metric_value *a,
                  const struct metric_value *b, int64_t step)
{
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->is_loss = is_loss_part(name);
    slot->step = step;
    metric_print(a, slot->a);
    metric_print(b, slot->b);
    slot->relative = metric_relative(a, b);
    slot->absolute = isnan(slot->relative) ? (double)NAN : fabs(a->number - b->number);
    slot->ulps = metric_ulps(a, b, &slot->single);
    slot->worst = -1;
}

static void note(struct metric_difference *slot, const struct metric_value *a,
                 const struct metric_value *b, int64_t step)
{
    slot->steps++;
    double relative = metric_relative(a, b);
    if (!isnan(slot->worst) && !(relative <= slot->worst)) {
        slot->worst = relative;
        slot->worst_step = step;
    }
}

static void compare_records(const struct pass *pass, const struct side *side, const void *a,
                            const void *b, int64_t step)
{
    struct metric_difference *slot = side->slots;
    for (size_t f = 0; f < side->n_fields; f++) {
        const struct run_log_field *field = &side->fields[f];
        int n = metric_elements(field, pass->a->n_classes);
        for (int e = 0; e < n; e++, slot++) {
            struct metric_value x = metric_value(field, a, e), y = metric_value(field, b, e);
            if (metric_same(&x, &y, pass->options))
                continue;
            if (slot->steps == 0) {
                char name[sizeof slot->name];
                metric_name(field, e, side->prefix, pass->a, name, sizeof name);
                compare_note(slot, name, &x, &y, step);
            }
            note(slot, &x, &y, step);
        }
    }
}

static void note_unmatched(struct comparison *out, const char *what, int64_t step, const char *run)
{
    if (out->unmatched++ == 0)
        snprintf(out->first_unmatched, sizeof out->first_unmatched, "%s %" PRId64 " is only in %s",
                 what, step, run);
}

static int beyond(const struct pass *pass, int64_t step)
{
    return pass->options->steps > 0 && step > pass->options->steps;
}

static void compare_steps(const struct pass *pass, const struct side *side)
{
    const struct logged_run *a = pass->a, *b = pass->b;
    size_t i = 0, j = 0;
    while (i < a->n_steps || j < b->n_steps) {
        int64_t x = i < a->n_steps ? a->steps[i].step : INT64_MAX;
        int64_t y = j < b->n_steps ? b->steps[j].step : INT64_MAX;
        if (beyond(pass, (x < y ? x : y) + 1))
            return;
        if (x == y) {
            compare_records(pass, side, &a->steps[i++], &b->steps[j++], x);
            pass->out->steps++;
        } else if (x < y) {
            note_unmatched(pass->out, "step", a->steps[i++].step, "A");
        } else {
            note_unmatched(pass->out, "step", b->steps[j++].step, "B");
        }
    }
}

static void compare_evals(const struct pass *pass, const struct side *side)
{
    const struct logged_run *a = pass->a, *b = pass->b;
    size_t i = 0, j = 0;
    while (i < a->n_evals || j < b->n_evals) {
        int64_t x = i < a->n_evals ? a->evals[i].step : INT64_MAX;
        int64_t y = j < b->n_evals ? b->evals[j].step : INT64_MAX;
        if (beyond(pass, x < y ? x : y))
            return;
        if (x == y) {
            compare_records(pass, side, &a->evals[i++], &b->evals[j++], x);
            pass->out->evals++;
        } else if (x < y) {
            note_unmatched(pass->out, "the evaluation at step", a->evals[i++].step, "A");
        } else {
            note_unmatched(pass->out, "the evaluation at step", b->evals[j++].step, "B");
        }
    }
}

/* Close up the slots that hold a difference, ordered by first step; equal steps keep their order.
 */
static void gather(struct comparison *out, int n_slots)
{
    out->n = 0;
    for (int i = 0; i < n_slots; i++) {
        struct metric_difference difference = out->at[i];
        if (difference.steps == 0)
            continue;
        int to = out->n++;
        while (to > 0 && out->at[to - 1].step > difference.step) {
            out->at[to] = out->at[to - 1];
            to--;
        }
        out->at[to] = difference;
    }
}

enum det_code compare_runs(const struct logged_run *a, const struct logged_run *b,
                           const struct compare_options *options, struct comparison *out,
                           struct det_error *err)
{
    *out = (struct comparison){0};
    if (a->n_classes != b->n_classes)
        return det_fail(err, DET_INVALID, "%s has %d classes, %s has %d: not comparable", a->path,
                        a->n_classes, b->path, b->n_classes);
    struct side steps = {.prefix = ""}, evals = {.prefix = "eval "};
    steps.fields = run_log_step_fields(&steps.n_fields);
    evals.fields = run_log_eval_fields(&evals.n_fields);
    steps.n_metrics = count_metrics(steps.fields, steps.n_fields, a->n_classes);
    evals.n_metrics = count_metrics(evals.fields, evals.n_fields, a->n_classes);
    int n = steps.n_metrics + evals.n_metrics;
    out->at = calloc((size_t)n, sizeof *out->at);
    if (!out->at)
        return det_fail(err, DET_NO_MEMORY, "no memory to compare %d metrics", n);
    steps.slots = out->at;
    evals.slots = out->at + steps.n_metrics;
    struct pass pass = {a, b, options, out};
    compare_steps(&pass, &steps);
    compare_evals(&pass, &evals);
    gather(out, n);
    return DET_OK;
}

void compare_release(struct comparison *comparison)
{
    free(comparison->at);
    *comparison = (struct comparison){0};
}

int compare_equal(const struct comparison *comparison)
{
    return comparison->n == 0 && comparison->unmatched == 0 &&
           comparison->steps + comparison->evals > 0;
}

const struct metric_difference *compare_first_loss(const struct comparison *comparison)
{
    for (int i = 0; i < comparison->n; i++)
        if (comparison->at[i].is_loss)
            return &comparison->at[i];
    return NULL;
}
