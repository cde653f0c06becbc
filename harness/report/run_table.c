#include "harness/report/run_table.h"

#include "harness/compare/compare_config.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define LOSS_STEPS 10 /* first and last losses are means over so many logged steps */

struct column_set {
    struct table *table;
    const struct logged_run *const *runs;
    int n;
};

static const struct run_log_eval *last_eval(const struct logged_run *run)
{
    return run->n_evals ? &run->evals[run->n_evals - 1] : NULL;
}

/* RUN_LOG_NONE where one of them is not in the log. */
static double mean_of(const struct logged_run *run, size_t first, size_t n, size_t offset)
{
    double sum = 0;
    for (size_t i = first; i < first + n; i++) {
        double value = *(const double *)((const char *)&run->steps[i] + offset);
        if (value == RUN_LOG_NONE)
            return RUN_LOG_NONE;
        sum += value;
    }
    return sum / (double)n;
}

static void loss_row(const struct column_set *set, const char *label, size_t offset)
{
    table_cell(set->table, "%s", label);
    for (int i = 0; i < set->n; i++) {
        const struct logged_run *run = set->runs[i];
        size_t n = run->n_steps < LOSS_STEPS ? run->n_steps : LOSS_STEPS;
        double from = n ? mean_of(run, 0, n, offset) : RUN_LOG_NONE;
        double to = n ? mean_of(run, run->n_steps - n, n, offset) : RUN_LOG_NONE;
        if (!n)
            table_cell(set->table, "no steps");
        else if (from == RUN_LOG_NONE || to == RUN_LOG_NONE)
            table_cell(set->table, "-");
        else
            table_cell(set->table, "%.4f -> %.4f", from, to);
    }
}

static void losses(const struct column_set *set)
{
    table_heading(set->table, "Losses, mean of the first -> last 10 steps");
    loss_row(set, "loss (total)", offsetof(struct run_log_step, loss));
    loss_row(set, "loss_rpn_cls", offsetof(struct run_log_step, loss_rpn_cls));
    loss_row(set, "loss_rpn_bbox", offsetof(struct run_log_step, loss_rpn_bbox));
    loss_row(set, "loss_cls", offsetof(struct run_log_step, loss_cls));
    loss_row(set, "loss_bbox", offsetof(struct run_log_step, loss_bbox));
    loss_row(set, "loss_mask", offsetof(struct run_log_step, loss_mask));
}

/* A count, and one in brackets; "-" for what is not in the log. */
static void count_cell(struct table *table, int64_t count, int64_t found)
{
    if (count == RUN_LOG_UNKNOWN)
        table_cell(table, "-");
    else if (found == RUN_LOG_UNKNOWN)
        table_cell(table, "%" PRId64, count);
    else
        table_cell(table, "%" PRId64 " (%" PRId64 ")", count, found);
}

static void detections(const struct column_set *set)
{
    table_heading(set->table, "Detections in the last evaluation");
    table_cell(set->table, "objects to find");
    for (int i = 0; i < set->n; i++)
        count_cell(set->table, last_eval(set->runs[i]) ? last_eval(set->runs[i])->objects : 0,
                   RUN_LOG_UNKNOWN);
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        table_cell(set->table, "score >= %g (objects found)", run_log_thresholds[t]);
        for (int i = 0; i < set->n; i++) {
            const struct run_log_eval *eval = last_eval(set->runs[i]);
            if (eval)
                count_cell(set->table, eval->detections[t], eval->objects_found[t]);
            else
                table_cell(set->table, "-");
        }
    }
}

static int same_classes(const struct column_set *set)
{
    for (int i = 1; i < set->n; i++)
        if (set->runs[i]->n_classes != set->runs[0]->n_classes)
            return 0;
    return set->runs[0]->n_classes > 1;
}

static void classes(const struct column_set *set)
{
    if (!same_classes(set))
        return;
    table_heading(set->table, "Detections per class at judge.score, of objects");
    for (int k = 0; k < set->runs[0]->n_classes; k++) {
        table_cell(set->table, "%s", logged_class_name(set->runs[0], k));
        for (int i = 0; i < set->n; i++) {
            const struct run_log_eval *eval = last_eval(set->runs[i]);
            if (eval && eval->detections_per_class && eval->objects_per_class)
                table_cell(set->table, "%" PRId64 " of %" PRId64, eval->detections_per_class[k],
                           eval->objects_per_class[k]);
            else
                table_cell(set->table, "-");
        }
    }
}

static void eval_row(const struct column_set *set, const char *label, const char *format,
                     size_t offset)
{
    table_cell(set->table, "%s", label);
    for (int i = 0; i < set->n; i++) {
        const struct run_log_eval *eval = last_eval(set->runs[i]);
        double value = eval ? *(const double *)((const char *)eval + offset) : RUN_LOG_NONE;
        char text[32] = "-";
        if (value != RUN_LOG_NONE)
            snprintf(text, sizeof text, format, value);
        table_cell(set->table, "%s", text);
    }
}

static void quality(const struct column_set *set)
{
    table_heading(set->table, "Quality in the last evaluation");
    eval_row(set, "box AP", "%.3f", offsetof(struct run_log_eval, box_ap));
    eval_row(set, "box AP50", "%.3f", offsetof(struct run_log_eval, box_ap50));
    eval_row(set, "mask AP", "%.3f", offsetof(struct run_log_eval, mask_ap));
    eval_row(set, "mask AP50", "%.3f", offsetof(struct run_log_eval, mask_ap50));
    eval_row(set, "highest score", "%.3f", offsetof(struct run_log_eval, max_score));
    eval_row(set, "mean score at objects", "%.3f",
             offsetof(struct run_log_eval, mean_object_score));
    eval_row(set, "proposal recall", "%.3f", offsetof(struct run_log_eval, proposal_recall));
    eval_row(set, "RPN foreground / background", "%.2g",
             offsetof(struct run_log_eval, rpn_fg_bg_ratio));
    eval_row(set, "RoI foreground / background", "%.2g",
             offsetof(struct run_log_eval, roi_fg_bg_ratio));
}

/* Mean over the last LOSS_STEPS steps that have a value. */
static void share_row(const struct column_set *set, const char *label, size_t offset)
{
    table_cell(set->table, "%s", label);
    for (int i = 0; i < set->n; i++) {
        const struct logged_run *run = set->runs[i];
        double sum = 0;
        int n = 0;
        for (size_t s = run->n_steps; s-- > 0 && n < LOSS_STEPS;) {
            double value = *(const double *)((const char *)&run->steps[s] + offset);
            if (value != RUN_LOG_NONE) {
                sum += value;
                n++;
            }
        }
        if (n)
            table_cell(set->table, "%.3f", sum / n);
        else
            table_cell(set->table, "-");
    }
}

static void clipped_row(const struct column_set *set)
{
    table_cell(set->table, "steps clipped (highest gradient norm)");
    for (int i = 0; i < set->n; i++) {
        const struct logged_run *run = set->runs[i];
        size_t clipped = 0, known = 0;
        double highest = 0;
        for (size_t s = 0; s < run->n_steps; s++) {
            known += run->steps[s].clipped != RUN_LOG_UNKNOWN;
            clipped += run->steps[s].clipped > 0;
            if (!(run->steps[s].grad_norm <= highest)) /* NaN stays */
                highest = run->steps[s].grad_norm;
        }
        if (known || !run->format)
            table_cell(set->table, "%zu of %zu (%.3g)", clipped, run->n_steps, highest);
        else if (highest != 0)
            table_cell(set->table, "- (%.3g)", highest);
        else
            table_cell(set->table, "-");
    }
}

static int has_loss_scaler(const struct logged_run *run)
{
    const char *precision = json_string_value(json_object_get(run->config, "model.precision"));
    return precision && (strcmp(precision, "bf16") == 0 || strcmp(precision, "fp16") == 0);
}

/* Of the runs that have a loss scaler; where no run has one, nothing is said. */
static void skipped_row(const struct column_set *set)
{
    int with_scaler = 0;
    for (int i = 0; i < set->n; i++)
        with_scaler += has_loss_scaler(set->runs[i]);
    if (with_scaler == 0)
        return;
    table_cell(set->table, "steps skipped by the loss scaler");
    for (int i = 0; i < set->n; i++)
        if (has_loss_scaler(set->runs[i]))
            table_cell(set->table, "%" PRId64 " of %" PRId64, set->runs[i]->skipped_steps,
                       set->runs[i]->steps_done);
        else
            table_cell(set->table, "-");
}

static void training(const struct column_set *set)
{
    table_heading(set->table, "Training, mean of the last 10 steps with foreground");
    share_row(set, "foreground accuracy", offsetof(struct run_log_step, fg_accuracy));
    share_row(set, "foreground called background", offsetof(struct run_log_step, false_negative));
    share_row(set, "RPN foreground accuracy", offsetof(struct run_log_step, rpn_fg_accuracy));
    clipped_row(set);
    skipped_row(set);
}

static void differences(const struct column_set *set)
{
    const char *keys[COMPARE_KEYS_MAX];
    int n = compare_keys(set->runs, set->n, COMPARE_CONFIG, keys);
    if (n)
        table_heading(set->table, "What differs");
    for (int k = 0; k < n; k++) {
        table_cell(set->table, "%s", keys[k]);
        for (int i = 0; i < set->n; i++) {
            char value[DET_CONFIG_TEXT_MAX];
            compare_value(set->runs[i], COMPARE_CONFIG, keys[k], value, sizeof value);
            table_cell(set->table, "%s", value);
        }
    }
}

static void verdict_rows(const struct column_set *set, const struct verdict *verdicts)
{
    table_heading(set->table, "Verdict");
    table_cell(set->table, "verdict");
    for (int i = 0; i < set->n; i++)
        table_cell(set->table, "%s", verdict_name(verdicts[i].kind));
    table_cell(set->table, "rule");
    for (int i = 0; i < set->n; i++)
        table_cell(set->table, "%s", verdicts[i].rule[0] ? verdicts[i].rule : "-");
}

enum det_code run_table_fill(struct table *table, const struct logged_run *const *runs,
                             const struct verdict *verdicts, int n, struct det_error *err)
{
    struct column_set set = {table, runs, n};
    table_begin(table, n + 1);
    table_cell(table, "run");
    for (int i = 0; i < n; i++)
        table_cell(table, "%s", runs[i]->name);
    differences(&set);
    losses(&set);
    detections(&set);
    classes(&set);
    quality(&set);
    training(&set);
    verdict_rows(&set, verdicts);
    return table_check(table, err);
}

enum det_code run_table_print(FILE *to, const struct logged_run *const *runs,
                              const struct verdict *verdicts, int n, struct det_error *err)
{
    struct table table;
    enum det_code code = run_table_fill(&table, runs, verdicts, n, err);
    if (code == DET_OK)
        table_print(&table, to);
    table_release(&table);
    return code;
}
