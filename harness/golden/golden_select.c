#include "harness/golden/golden_select.h"

#include <stdio.h>
#include <string.h>

/* What may move between numerics. Two trainings that round differently agree to float32's
 * precision at step 0, part with every step, and part for good once a discrete decision flips (a
 * proposal that survives NMS, an RoI that is sampled). So the first steps have a tolerance and the
 * rest hold on the same numerics only. Each tolerance is about ten times the worst that was seen
 * between three kernel sets of OpenBLAS; docs/goldens.md has the figures. */
enum part { PART_LOSS, PART_NORM, PART_ANCHORS, PART_ROIS, PART_EVAL };

struct pick {
    const char *key;
    enum part part;
};

static const struct pick step_picks[] = {
    {"loss_rpn_cls", PART_LOSS},     {"loss_rpn_bbox", PART_LOSS},    {"loss_cls", PART_LOSS},
    {"loss_bbox", PART_LOSS},        {"loss_mask", PART_LOSS},        {"loss", PART_LOSS},
    {"grad_norm", PART_NORM},        {"rpn_positives", PART_ANCHORS}, {"rpn_negatives", PART_ANCHORS},
    {"roi_positives", PART_ROIS},    {"roi_negatives", PART_ROIS},
};

static const struct pick eval_picks[] = {
    {"detections", PART_EVAL},      {"max_score", PART_EVAL}, {"mean_object_score", PART_EVAL},
    {"proposal_recall", PART_EVAL}, {"box_ap", PART_EVAL},    {"box_ap50", PART_EVAL},
    {"mask_ap", PART_EVAL},         {"weights_hash", PART_EVAL},
};

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const struct run_log_field *field_of(int is_eval, const char *key)
{
    size_t n;
    const struct run_log_field *fields = is_eval ? run_log_eval_fields(&n) : run_log_step_fields(&n);
    return run_log_find(fields, n, key);
}

/* Place of the step in 0 1 2 3 5 10 20 50 100 ..., -1 for one between them. */
static int place_of(int64_t step)
{
    if (step <= 3)
        return (int)step;
    int place = 4;
    for (int64_t five = 5;; five *= 10, place += 3) {
        if (step == five || step == 2 * five || step == 4 * five)
            return place + (step > five) + (step > 2 * five);
        if (step < 10 * five)
            return -1;
    }
}

/* Relative, of a loss and of the gradient's norm, at steps 0, 1, 2 and 3; 0: not compared. Products
 * in bfloat16 are rounded to 8 bits, which magnifies every difference. */
static const double loss_tolerance[2][4] = {{1e-5, 1e-4, 1e-4, 1e-2}, {2e-3, 5e-2, 1e-1, 0}};
static const double norm_tolerance[2][4] = {{1e-4, 1e-3, 1e-3, 1e-2}, {1e-2, 1e-2, 1e-1, 0}};

static int is_bf16(const struct logged_run *run)
{
    char precision[16];
    logged_value_text(json_object_get(run->environment, "precision"), precision, sizeof precision);
    return strcmp(precision, "bf16") == 0;
}

static void tolerate(struct golden_row *row, enum part part, int bf16)
{
    const char *why = "decisions may have flipped by then";
    row->tolerance = (struct golden_tolerance){GOLDEN_BITS, 0};
    if (part == PART_ANCHORS) {
        row->tolerance.kind = GOLDEN_EXACT;
        why = "anchors and objects alone decide";
    } else if (part == PART_ROIS && row->step < 3) {
        row->tolerance = (struct golden_tolerance){GOLDEN_ABSOLUTE, 2};
        why = "a proposal at a tie";
    } else if (part < PART_ANCHORS && row->step <= 3) {
        row->tolerance.size = (part == PART_NORM ? norm_tolerance : loss_tolerance)[bf16][row->step];
        row->tolerance.kind = row->tolerance.size > 0 ? GOLDEN_RELATIVE : GOLDEN_BITS;
        why = row->step ? "rounding, grown with the steps" : "rounding: sums in another order";
    }
    snprintf(row->why, sizeof row->why, "%s", why);
}

static enum det_code add_field(const struct logged_run *run, const struct pick *pick, int is_eval,
                               const void *record, int64_t step, struct golden_rows *out,
                               struct det_error *err)
{
    const struct run_log_field *field = field_of(is_eval, pick->key);
    int n = metric_elements(field, run->n_classes);
    enum det_code code = DET_OK;
    for (int e = 0; e < n && code == DET_OK; e++) {
        struct golden_row row = {.step = step, .value = metric_value(field, record, e)};
        metric_name(field, e, is_eval ? "eval " : "", run, row.metric, sizeof row.metric);
        tolerate(&row, pick->part, is_bf16(run));
        code = golden_rows_add(out, &row, err);
    }
    return code;
}

static enum det_code add_step(const struct logged_run *run, size_t i, struct golden_rows *out,
                              struct det_error *err)
{
    const struct run_log_step *step = &run->steps[i];
    int last = i == run->n_steps - 1;
    int place = place_of(step->step);
    enum det_code code = DET_OK;
    if (place < 0 && !last)
        return DET_OK;
    for (int p = 0; p < COUNT(step_picks) && code == DET_OK; p++)
        if (step_picks[p].part < PART_ANCHORS || last || place % 2 == 0)
            code = add_field(run, &step_picks[p], 0, step, step->step, out, err);
    return code;
}

static enum det_code add_eval(const struct logged_run *run, size_t i, struct golden_rows *out,
                              struct det_error *err)
{
    enum det_code code = DET_OK;
    if (i != 0 && i != run->n_evals - 1)
        return DET_OK;
    for (int p = 0; p < COUNT(eval_picks) && code == DET_OK; p++)
        code = add_field(run, &eval_picks[p], 1, &run->evals[i], run->evals[i].step, out, err);
    return code;
}

enum det_code golden_select(const struct logged_run *run, struct golden_rows *out,
                            struct det_error *err)
{
    size_t s = 0, e = 0;
    enum det_code code = DET_OK;
    *out = (struct golden_rows){0};
    while (code == DET_OK && (s < run->n_steps || e < run->n_evals)) {
        int eval_next =
            s == run->n_steps || (e < run->n_evals && run->evals[e].step <= run->steps[s].step);
        code = eval_next ? add_eval(run, e, out, err) : add_step(run, s, out, err);
        e += (size_t)eval_next;
        s += (size_t)!eval_next;
    }
    if (code == DET_OK && out->n == 0)
        code = det_fail(err, DET_INVALID, "%s: no step and no evaluation to record", run->path);
    return code;
}

int golden_metric_is_known(const char *metric, const struct logged_run *run)
{
    int is_eval = strncmp(metric, "eval ", 5) == 0;
    const char *text = is_eval ? metric + 5 : metric;
    char key[80], name[80];
    snprintf(key, sizeof key, "%.*s", (int)strcspn(text, " "), text);
    const struct run_log_field *field = field_of(is_eval, key);
    for (int e = 0; field && e < metric_elements(field, run->n_classes); e++) {
        metric_name(field, e, is_eval ? "eval " : "", run, name, sizeof name);
        if (strcmp(name, metric) == 0)
            return 1;
    }
    return 0;
}
