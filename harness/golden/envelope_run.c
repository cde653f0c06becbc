#include "harness/golden/envelope_run.h"

#include "harness/log/run_log_fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define WINDOWS 3
#define LAST_EVALS 2

struct pick {
    const char *key;
    enum envelope_measure measure;
};

static const struct pick step_picks[] = {
    {"loss_rpn_cls", ENVELOPE_LEVEL},    {"loss_rpn_bbox", ENVELOPE_LEVEL},
    {"loss_cls", ENVELOPE_LEVEL},        {"loss_bbox", ENVELOPE_LEVEL},
    {"loss_mask", ENVELOPE_LEVEL},       {"loss", ENVELOPE_LEVEL},
    {"grad_norm", ENVELOPE_LEVEL},       {"rpn_fg_accuracy", ENVELOPE_SHARE},
    {"fg_accuracy", ENVELOPE_SHARE},
};

static const struct pick eval_picks[] = {
    {"max_score", ENVELOPE_SHARE},      {"mean_object_score", ENVELOPE_SHARE},
    {"max_objectness", ENVELOPE_SHARE}, {"proposal_recall", ENVELOPE_SHARE},
    {"box_ap", ENVELOPE_SHARE},         {"box_ap50", ENVELOPE_SHARE},
    {"mask_ap", ENVELOPE_SHARE},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static double field_value(const struct run_log_field *fields, size_t n, const char *key,
                          const void *record)
{
    const struct run_log_field *field = run_log_find(fields, n, key);
    return *(const double *)((const char *)record + field->offset);
}

static void add(struct envelope_run *out, const char *name, int64_t from, int64_t to,
                enum envelope_measure measure, double value)
{
    struct envelope_metric *m = &out->metrics[out->n];
    *m = (struct envelope_metric){.from = from, .to = to, .measure = measure};
    snprintf(m->name, sizeof m->name, "%s", name);
    out->values[out->n++] = isfinite(value) && value >= 0 ? value : (double)NAN;
}

static void add_window(const struct logged_run *run, const struct pick *pick, int64_t from,
                       int64_t to, struct envelope_run *out)
{
    size_t n_fields;
    const struct run_log_field *fields = run_log_step_fields(&n_fields);
    double sum = 0;
    int n = 0;
    for (size_t i = 0; i < run->n_steps; i++) {
        double value = field_value(fields, n_fields, pick->key, &run->steps[i]);
        int nothing = pick->measure == ENVELOPE_SHARE && value == RUN_LOG_NONE;
        if (run->steps[i].step < from || run->steps[i].step > to || nothing)
            continue;
        sum += value;
        n++;
    }
    add(out, pick->key, from, to, pick->measure, n || pick->measure == ENVELOPE_LEVEL ? sum / n : 0);
}

static void add_evals(const struct logged_run *run, struct envelope_run *out)
{
    size_t n_fields;
    const struct run_log_field *fields = run_log_eval_fields(&n_fields);
    const struct run_log_eval *last = &run->evals[run->n_evals - LAST_EVALS];
    int64_t from = last[0].step, to = last[LAST_EVALS - 1].step;
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        char name[48];
        double sum = 0;
        for (int i = 0; i < LAST_EVALS; i++)
            sum += (double)last[i].detections[t];
        snprintf(name, sizeof name, "detections %g", run_log_thresholds[t]);
        add(out, name, from, to, ENVELOPE_COUNT, sum);
    }
    for (size_t p = 0; p < COUNT(eval_picks); p++) {
        double sum = 0;
        int nothing = 0;
        for (int i = 0; i < LAST_EVALS; i++) {
            double value = field_value(fields, n_fields, eval_picks[p].key, &last[i]);
            nothing |= value == RUN_LOG_NONE;
            sum += value;
        }
        if (!nothing)
            add(out, eval_picks[p].key, from, to, eval_picks[p].measure, sum / LAST_EVALS);
    }
}

enum det_code envelope_measure_run(const struct logged_run *run, struct envelope_run *out,
                                   struct det_error *err)
{
    out->n = 0;
    if (run->planned_steps < WINDOWS || run->steps_done < run->planned_steps)
        return det_fail(err, DET_INVALID, "%s: %" PRId64 " of %" PRId64 " steps: an envelope speaks of "
                        "whole runs", run->path, run->steps_done, run->planned_steps);
    if (run->n_evals < LAST_EVALS)
        return det_fail(err, DET_INVALID, "%s: fewer than %d evaluations", run->path, LAST_EVALS);
    for (int w = 0; w < WINDOWS; w++) {
        int64_t from = run->planned_steps * w / WINDOWS;
        int64_t to = run->planned_steps * (w + 1) / WINDOWS - 1;
        for (size_t p = 0; p < COUNT(step_picks); p++)
            add_window(run, &step_picks[p], from, to, out);
    }
    add_evals(run, out);
    return DET_OK;
}
