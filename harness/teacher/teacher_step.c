#include "harness/teacher/teacher_step.h"

#include "harness/decisions/judge_decisions.h"
#include "harness/decisions/norm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A loss, or a tensor's gradient, that is nothing beside the rest is held to the rest's rounding. */
#define SMALL_LOSS 1e-3     /* of the sum */
#define SMALL_GRADIENT 1e-3 /* of the global norm, by the share of elements */

struct lesson { /* a step in progress */
    struct pupil *pupil;
    const struct golden_step *golden;
    const struct det_sample *samples;
    int n;
    const struct tolerances *tolerances;
    struct step_result *result;
    double limits[FLIP_KINDS];
    struct det_error *err;
    enum det_code code; /* the first failure, in the middle of a pass */
};

/* The quantity's verdict. */
static void hold(struct step_result *r, const char *quantity, const struct worst *worst,
                 double tolerance)
{
    if (worst->name[0] && !(worst->error <= tolerance))
        flip_log_add(&r->log, 1, "%s: %s differs by %.3g, tolerance %.3g", quantity, worst->name,
                        worst->error, tolerance);
}

/* ---- the pass, with the teacher's decisions ---- */

static int truth_rows(const struct lesson *l)
{
    int rows = 0;
    for (int i = 0; i < l->n; i++)
        rows += l->samples[i].truth.n;
    return rows;
}

static void tell_kinks(void *arg, const struct kink_flips *flips)
{
    struct lesson *l = arg;
    struct slack s = slack_make(flips->maximum ? FLIP_MAXIMUM : FLIP_RELU, flips->margin,
                                l->limits);
    flip_log_flip(&l->result->log, &s, flips->n, "%d %s after %s", flips->n,
                     flips->maximum ? "maxima" : "ReLU units", flips->name);
}

static void take_and_force(void *arg, enum det_pass_stage stage)
{
    struct lesson *l = arg;
    struct pupil *p = l->pupil;
    if (l->code == DET_OK && stage == DET_PASS_TRUNK)
        l->code = pass_decisions_check(&l->golden->decisions, p->model, p->n_classes, truth_rows(l),
                                       l->err);
    if (l->code == DET_OK)
        l->code = kinks_force(&l->golden->kinks, p->model, p->dev, stage, tell_kinks, l, l->err);
    if (l->code == DET_OK)
        l->code = pass_decisions_take(&p->own, p->model, p->dev, stage, l->err);
    if (l->code == DET_OK)
        pass_decisions_force(&l->golden->decisions, p->model, p->dev, stage);
}

/* The teacher's state. A loss scaler that only one of the two has is left alone: 16-bit gradients of a
 * loss that is not scaled vanish, and fp32 ones would never be unscaled. */
static void start_from(const struct model_state *state, const struct pupil *p)
{
    struct det_counters own = det_model_counters(p->model);
    model_state_put(state, p->model, p->dev);
    if (p->scaler_as_teacher)
        return;
    own.updates = state->counters.updates;
    det_model_set_counters(p->model, &own);
}

static enum det_code forced_pass(struct lesson *l, struct det_step_stats *stats)
{
    struct pupil *p = l->pupil;
    start_from(&l->golden->before, p);
    det_model_zero_grad(p->model);
    det_model_set_hook(p->model, take_and_force, l);
    enum det_code code = det_model_forward_backward(
        p->model, l->samples, l->n, (uint32_t)l->golden->step, 1.0, stats, l->err);
    det_model_set_hook(p->model, NULL, NULL);
    if (code == DET_OK && l->code != DET_OK) {
        char step[48];
        snprintf(step, sizeof step, "step %lld of the trace", (long long)l->golden->step);
        code = det_fail_in(l->err, l->code, step);
    }
    return code == DET_OK ? step_gradients(&p->gradients, p->model, p->dev, l->err) : code;
}

/* ---- numbers ---- */

static void compare_losses(const struct lesson *l, const struct det_step_stats *stats)
{
    double own[STEP_LOSSES];
    step_losses(&stats->losses, own);
    for (int k = 0; k < STEP_LOSSES; k++) {
        double want = l->golden->losses[k];
        double scale = fmax(fabs(want), SMALL_LOSS * fabs(l->golden->losses[STEP_LOSSES - 1]));
        double error = own[k] == want ? 0.0 : fabs(own[k] - want) / scale;
        worst_take(&l->result->loss, error, step_loss_names[k]);
        if (!(error <= l->tolerances->loss))
            flip_log_add(&l->result->log, 1, "%s: %.9g, the teacher's is %.9g: relative difference %.3g, "
                            "tolerance %.3g", step_loss_names[k], own[k], want, error,
                            l->tolerances->loss);
    }
}

/* The largest difference, NaN where one of the numbers is not finite. */
static double largest_difference(const float *a, const float *b, size_t n, double floor)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (floor > 0.0)
            difference /= fmax(floor, fabs((double)b[i]));
        if (!isfinite(difference))
            return NAN;
        most = fmax(most, difference);
    }
    return most;
}

/* The RPN's outputs: what the proposals' flips follow from. */
static void compare_values(const struct lesson *l)
{
    static const enum decision_array arrays[] = {DECISION_LOGITS, DECISION_DELTAS};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        const float *theirs = decision_floats(&l->golden->decisions, arrays[i]);
        const float *mine = decision_floats(&l->pupil->own, arrays[i]);
        size_t n = l->golden->decisions.array[arrays[i]].bytes / sizeof(float);
        double most = largest_difference(mine, theirs, n, 0.0);
        double rms = root_mean_square(theirs, n);
        worst_take(&l->result->value, most == 0.0 ? 0.0 : most / rms, decision_name(arrays[i]));
    }
    hold(l->result, "value", &l->result->value, l->tolerances->value);
}

/* Encoded targets of what both sides drew alike. */
static void compare_targets(const struct lesson *l)
{
    const struct pass_decisions *t = &l->golden->decisions, *o = &l->pupil->own;
    const int8_t *theirs = t->array[DECISION_SAMPLED].at, *mine = o->array[DECISION_SAMPLED].at;
    struct worst *worst = &l->result->target;
    for (size_t a = 0; a < t->array[DECISION_SAMPLED].bytes; a++)
        if (theirs[a] == 1 && mine[a] == 1)
            worst_take(worst,
                       largest_difference(decision_floats(o, DECISION_ANCHOR_TARGETS) + 4 * a,
                                          decision_floats(t, DECISION_ANCHOR_TARGETS) + 4 * a, 4,
                                          1.0),
                       "rpn_targets");
    int rows = decision_ints(t, DECISION_ROI_COUNT)[0];
    int same = rows == decision_ints(o, DECISION_ROI_COUNT)[0];
    for (int r = 0; r < rows && same; r++)
        same = decision_ints(t, DECISION_ROI_INDEX)[r] == decision_ints(o, DECISION_ROI_INDEX)[r] &&
               decision_ints(t, DECISION_ROI_MATCHED)[r] ==
                   decision_ints(o, DECISION_ROI_MATCHED)[r];
    size_t floats = same ? 4 * (size_t)rows : 0;
    worst_take(worst,
               largest_difference(decision_floats(o, DECISION_ROI_TARGETS),
                                  decision_floats(t, DECISION_ROI_TARGETS), floats, 1.0),
               "roi_targets");
    worst_take(worst,
               largest_difference(decision_floats(o, DECISION_ROI_BOXES),
                                  decision_floats(t, DECISION_ROI_BOXES), floats, 1.0),
               "roi_boxes");
    hold(l->result, "target", worst, l->tolerances->target);
}

/* Whether it is the bias of the layer whose weight stands before it. */
static int is_bias_of(const struct det_parameter *p, const struct det_parameter *before)
{
    size_t stem = strlen(p->name) < 5 ? 0 : strlen(p->name) - 5;
    return before && before->grad && !strcmp(p->name + stem, ".bias") &&
           !strncmp(p->name, before->name, stem) && !strcmp(before->name + stem, ".weight");
}

static double norm_of_difference(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sqrt(sum);
}

/* Parameter i's gradient: the norm of the difference, as a share of the norm. A bias is a column of
 * its layer's product, often of one or two numbers, whose terms may cancel to nothing: it may
 * instead be near by the norm of the layer, with a tolerance of its own, of which it is the same
 * share. */
static double gradient_error(const struct lesson *l, size_t i, size_t at, double global)
{
    const struct parameter_floats *theirs = &l->golden->gradients;
    const struct det_parameter *p = det_model_parameter(l->pupil->model, i);
    const struct det_parameter *before = i ? det_model_parameter(l->pupil->model, i - 1) : NULL;
    double difference =
        norm_of_difference(l->pupil->gradients.at + at, theirs->at + at, p->size);
    double own = norm_of(theirs->at + at, p->size);
    double share = sqrt((double)p->size / (double)theirs->n);
    if (difference == 0.0)
        return 0.0;
    double error = difference / fmax(own, SMALL_GRADIENT * global * share);
    if (!is_bias_of(p, before))
        return error;
    double layer = hypot(own, norm_of(theirs->at + at - before->size, before->size));
    double in_layer = difference / layer * l->tolerances->gradient / l->tolerances->bias;
    return in_layer < error ? in_layer : error;
}

static void compare_gradients(const struct lesson *l)
{
    const struct parameter_floats *theirs = &l->golden->gradients, *mine = &l->pupil->gradients;
    double global = norm_of(theirs->at, theirs->n), norm = norm_of(mine->at, mine->n);
    size_t at = 0;
    for (size_t i = 0; i < det_model_parameter_count(l->pupil->model); i++) {
        const struct det_parameter *p = det_model_parameter(l->pupil->model, i);
        if (!p->grad)
            continue;
        double error = gradient_error(l, i, at, global);
        worst_take(&l->result->gradient, error, p->name);
        if (!(error <= l->tolerances->gradient))
            flip_log_add(&l->result->log, 1, "gradient of %s differs by %.3g of its norm, tolerance "
                         "%.3g", p->name, error, l->tolerances->gradient);
        at += p->size;
    }
    worst_take(&l->result->grad_norm, fabs(norm - l->golden->grad_norm) / l->golden->grad_norm,
               "grad_norm");
    hold(l->result, "norm", &l->result->grad_norm, l->tolerances->grad_norm);
}

/* Clipped or not is decided by the norm alone. */
static void judge_clip(const struct lesson *l)
{
    double limit = l->pupil->config->clip_grad_norm;
    double norm = norm_of(l->pupil->gradients.at, l->pupil->gradients.n);
    int clipped = limit > 0.0 && norm + 1e-6 > limit;
    int theirs = l->golden->clipped;
    int theirs_by_norm = limit > 0.0 && l->golden->grad_norm + 1e-6 > limit;
    double margin = fabs(l->golden->grad_norm - limit) / limit;
    struct slack s = {FLIP_CLIP, margin, margin / l->tolerances->grad_norm};
    if (clipped != theirs || theirs != theirs_by_norm)
        flip_log_flip(&l->result->log, &s, clipped != theirs,
                         "gradients clipped: %d there, %d here; norm %.9g there, %.9g here", theirs,
                         clipped, l->golden->grad_norm, norm);
}

/* ---- the update ---- */

/* One part of a state after the update, against the teacher's. A number may be a rounding of its own
 * away, and the step's tolerance of the tensor's largest update. */
static void compare_part(const struct lesson *l, const char *name, enum parameter_part part,
                         const struct parameter_floats *own, const struct parameter_floats *before,
                         const struct parameter_floats *after)
{
    size_t at = 0;
    for (size_t i = 0; i < det_model_parameter_count(l->pupil->model); i++) {
        const struct det_parameter *p = det_model_parameter(l->pupil->model, i);
        double most = 0.0, update = 0.0;
        if (!parameter_part(p, part))
            continue;
        for (size_t e = at; e < at + p->size; e++) {
            double want = (double)after->at[e];
            double error = fabs((double)own->at[e] - want) - fabs(want) * 0x1p-23;
            most = isnan(most) || error <= most ? most : error;
            update = fmax(update, fabs(want - (double)before->at[e]));
        }
        double error = most == 0.0 ? 0.0 : most / update;
        worst_take(&l->result->update, error, p->name);
        if (!(error <= l->tolerances->update))
            flip_log_add(&l->result->log, 1, "%s of %s after the update differs by %.3g of the update, "
                            "tolerance %.3g", name, p->name, error, l->tolerances->update);
        at += p->size;
    }
}

/* The golden gradients, as this model's scaler would have left them. */
static void put_gradients(const struct lesson *l)
{
    const struct parameter_floats *golden = &l->golden->gradients;
    struct parameter_floats *scaled = &l->pupil->gradients;
    float scale = (float)det_model_counters(l->pupil->model).loss_scale;
    for (size_t i = 0; i < golden->n; i++)
        scaled->at[i] = golden->at[i] * scale;
    parameter_floats_put(scaled, l->pupil->model, l->pupil->dev, PART_GRADIENT);
}

static void compare_counters(const struct lesson *l, const struct det_counters *own)
{
    const struct det_counters *want = &l->golden->after.counters;
    int same_scaler = own->loss_scale == want->loss_scale &&
                      own->loss_scale_clean == want->loss_scale_clean;
    if (own->updates != want->updates || (l->pupil->scaler_as_teacher && !same_scaler))
        flip_log_add(&l->result->log, 1, "after the update: %lld updates, loss scale %g, %lld clean "
                        "steps; the teacher has %lld, %g, %lld", (long long)own->updates,
                        own->loss_scale, (long long)own->loss_scale_clean,
                        (long long)want->updates, want->loss_scale,
                        (long long)want->loss_scale_clean);
}

static enum det_code compare_update(const struct lesson *l)
{
    struct pupil *p = l->pupil;
    struct det_step_stats stats = {0};
    struct det_error why = {0};
    struct model_state own = {0};
    put_gradients(l);
    enum det_code code = det_model_update(p->model, l->golden->step, &stats, &why);
    if (code == DET_NOT_FINITE) {
        flip_log_add(&l->result->log, 1, "update from the teacher's gradients: %s", why.message);
        return DET_OK;
    }
    if (code != DET_OK) {
        *l->err = why;
        return code;
    }
    code = model_state_take(&own, p->model, p->dev, l->err);
    if (code == DET_OK) {
        const struct model_state *b = &l->golden->before, *a = &l->golden->after;
        compare_part(l, "value", PART_VALUE, &own.values, &b->values, &a->values);
        compare_part(l, "state1", PART_STATE1, &own.state1, &b->state1, &a->state1);
        compare_part(l, "state2", PART_STATE2, &own.state2, &b->state2, &a->state2);
        compare_counters(l, &own.counters);
    }
    if (code == DET_OK && (stats.clipped != l->golden->clipped || stats.skipped != l->golden->skipped))
        flip_log_add(&l->result->log, 1, "from the teacher's gradients: clipped %d, skipped %d; the "
                        "teacher: %d, %d", stats.clipped, stats.skipped, l->golden->clipped,
                        l->golden->skipped);
    model_state_release(&own);
    return code;
}

/* ---- all ---- */

static enum det_code compare_decisions(const struct lesson *l)
{
    struct pupil *p = l->pupil;
    struct decision_case c = {0};
    struct det_error why = {0};
    if (pass_decisions_check(&p->own, p->model, p->n_classes, truth_rows(l), &why) != DET_OK) {
        flip_log_add(&l->result->log, 1, "decisions here: %s", why.message);
        return DET_OK;
    }
    enum det_code code = decision_case_make(p->model, p->dev, p->config, l->samples, l->n,
                                            (uint32_t)l->golden->step, &c, l->err);
    if (code == DET_OK)
        code = judge_decisions(&c, l->limits, &l->golden->decisions, &p->own, &l->result->log, l->err);
    decision_case_release(&c);
    return code;
}

/* An overflow has no tie: where the teacher skipped the step, the pupil's norm is not finite either,
 * and there are no gradients to compare. */
static void judge_skip(const struct lesson *l)
{
    double norm = norm_of(l->pupil->gradients.at, l->pupil->gradients.n);
    struct slack s = {FLIP_SKIP, INFINITY, INFINITY};
    int overflow = !isfinite(norm);
    if (overflow != l->golden->skipped)
        flip_log_flip(&l->result->log, &s, 1, "step skipped: %d there, gradient norm %g here",
                         l->golden->skipped, norm);
}

static double logits_rms(const struct golden_step *golden)
{
    size_t n = golden->decisions.array[DECISION_LOGITS].bytes / sizeof(float);
    return root_mean_square(decision_floats(&golden->decisions, DECISION_LOGITS), n);
}

static enum det_code compare_step(struct lesson *l)
{
    const struct golden_step *golden = l->golden;
    struct det_step_stats stats = {0};
    if (batch_hash(l->samples, l->n, l->pupil->canvas_h, l->pupil->canvas_w) != golden->batch)
        flip_log_add(&l->result->log, 1, "the batch is another one: images or ground truth differ");
    enum det_code code = forced_pass(l, &stats);
    if (code == DET_OK)
        code = compare_decisions(l);
    if (code != DET_OK)
        return code;
    compare_losses(l, &stats);
    compare_values(l);
    compare_targets(l);
    judge_skip(l);
    if (!golden->skipped) {
        compare_gradients(l);
        judge_clip(l);
    }
    return compare_update(l);
}

enum det_code teacher_step(struct pupil *pupil, const struct golden_step *golden,
                           const struct det_sample *samples, int n,
                           const struct tolerances *tolerances, struct step_result *result,
                           struct det_error *err)
{
    struct lesson l = {.pupil = pupil, .golden = golden, .samples = samples, .n = n,
                       .tolerances = tolerances, .result = result, .err = err};
    flip_log_release(&result->log);
    memset(result, 0, sizeof *result);
    result->step = golden->step;
    tolerances_limits(tolerances, logits_rms(golden), l.limits);
    enum det_code code = compare_step(&l);
    if (code != DET_OK)
        flip_log_release(&result->log);
    return code;
}

void pupil_release(struct pupil *pupil)
{
    pass_decisions_release(&pupil->own);
    free(pupil->gradients.at);
    pupil->gradients = (struct parameter_floats){0};
}
