/* A whole short training run against the oracle's: losses, gradient norm and learning rate a step.
 *
 * The first steps must agree. Beyond them a decision that lies within rounding of a tie may fall to
 * the other side, and from there on the curves are two different runs (parting.c says which one it
 * was); their envelope is all that could be compared. */
#include "harness/verify/trajectory.h"
#include "harness/verify/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FINAL_TOLERANCE 1e-4 /* of the weights at the end, where the runs never part */

static const char *const columns[TRAJECTORY_COLUMNS] = {
    "out.loss_objectness", "out.loss_rpn_box_reg", "out.loss_classifier",
    "out.loss_box_reg",    "out.loss_mask",        "out.loss",
    "out.grad_norm"};

/* Relative to the answer; a loss that is 0 there must be 0 here but for rounding. */
static double relative_error(double got, double want)
{
    return fabs(got - want) / fmax(fabs(want), 1e-6);
}

/* ---- setting up ---- */

static double *read_column(struct verify_case *c, const char *name, int n)
{
    const struct det_named_tensor *tensor = det_safetensors_find(c->file, name);
    double *to = case_host(c, (size_t)n * sizeof *to);
    if (to && (!tensor || det_tensor_elements(tensor) != n))
        det_fail(&c->err, DET_INVALID, "tensor %s: %d numbers expected", name, n);
    if (!case_failed(c))
        det_tensor_to_double(tensor, to, &c->err);
    return to;
}

static void read_trajectory(struct verify_case *c, struct trajectory *t)
{
    struct det_config *config = &t->m.config;
    model_config(c, config);
    t->iterations = case_int(c, "iters");
    t->batch = case_int(c, "batch");
    config->optimizer_kind = DET_CONFIG_SGD;
    config->optimizer_lr = case_number(c, "lr");
    config->optimizer_momentum = case_number(c, "momentum");
    config->optimizer_weight_decay = case_number(c, "weight_decay");
    config->clip_grad_norm = case_number(c, "clip_grad_norm");
    config->schedule_warmup_steps = case_int(c, "warmup_iters");
    config->schedule_warmup_factor = case_number(c, "warmup_factor");
    config->schedule_decay = DET_DECAY_NONE;
    config->schedule_steps = t->iterations;
    if (!case_failed(c) && (t->iterations < 1 || t->batch < 1))
        det_fail(&c->err, DET_INVALID, "params: no iterations, or no batch");
    for (int k = 0; k < TRAJECTORY_COLUMNS && !case_failed(c); k++) {
        t->want[k] = read_column(c, columns[k], t->iterations);
        t->got[k] = case_host(c, (size_t)t->iterations * sizeof(double));
    }
    size_t column = case_failed(c) ? 0 : (size_t)t->iterations * sizeof(double);
    t->lr = case_host(c, column);
    t->error = case_host(c, column);
    t->samples = case_host(c, (size_t)(case_failed(c) ? 0 : t->batch) * sizeof *t->samples);
    t->parted = t->iterations;
    t->strict = t->iterations < TRAJECTORY_STRICT ? t->iterations : TRAJECTORY_STRICT;
    model_samples(c, &t->m);
    model_create(c, &t->m, t->batch);
}

/* ---- steps ---- */

void trajectory_samples(struct trajectory *t, int step)
{
    for (int i = 0; i < t->batch; i++)
        t->samples[i] = t->m.samples[((int64_t)step * t->batch + i) % t->m.n_images];
}

void trajectory_pass(struct verify_case *c, struct trajectory *t, int step,
                     struct det_step_stats *stats)
{
    trajectory_samples(t, step);
    det_model_zero_grad(t->m.model);
    det_model_forward_backward(t->m.model, t->samples, t->batch, (uint32_t)step, 1.0, stats,
                               &c->err);
}

void trajectory_update(struct verify_case *c, struct trajectory *t, int step,
                       struct det_step_stats *stats)
{
    if (case_failed(c) || det_model_update(t->m.model, step, stats, &c->err))
        return;
    const struct det_losses *l = &stats->losses;
    const double now[TRAJECTORY_COLUMNS] = {l->rpn_cls, l->rpn_bbox, l->cls,          l->bbox,
                                            l->mask,    l->total,    stats->grad_norm};
    t->lr[step] = stats->lr;
    t->error[step] = 0.0;
    for (int k = 0; k < TRAJECTORY_COLUMNS; k++) {
        double error = relative_error(now[k], t->want[k][step]);
        t->got[k][step] = now[k];
        if (!(error <= t->error[step]))
            t->error[step] = error;
    }
}

static void run(struct verify_case *c, struct trajectory *t)
{
    for (int step = 0; step < t->iterations && !case_failed(c); step++) {
        struct det_step_stats stats = {0};
        trajectory_pass(c, t, step, &stats);
        trajectory_update(c, t, step, &stats);
        if (t->parted == t->iterations && !(t->error[step] <= TRAJECTORY_TOLERANCE))
            t->parted = step;
    }
}

/* ---- answers ---- */

static void check_columns(struct verify_case *c, const struct trajectory *t)
{
    for (int k = 0; k < TRAJECTORY_COLUMNS && !case_failed(c); k++) {
        struct comparison worst = {
            .tensor = columns[k], .at = -1, .tolerance = TRAJECTORY_TOLERANCE};
        for (int step = 0; step < t->strict && !isnan(worst.error); step++) {
            double error = relative_error(t->got[k][step], t->want[k][step]);
            if (worst.at >= 0 && error <= worst.error)
                continue;
            worst.at = step;
            worst.error = error;
            worst.got = t->got[k][step];
            worst.want = t->want[k][step];
        }
        worst.pass = worst.error <= worst.tolerance;
        case_add(c, worst);
    }
    if (!case_failed(c))
        case_check_numbers(c, "out.lr", t->lr, (size_t)t->iterations, 1e-9);
}

/* The weights after the last step are comparable where the runs never parted. */
static void check_final(struct verify_case *c, const struct trajectory *t)
{
    for (size_t i = 0; i < det_safetensors_count(c->file) && !case_failed(c); i++) {
        const struct det_named_tensor *tensor = det_safetensors_at(c->file, i);
        if (strncmp(tensor->name, "final.", 6) != 0)
            continue;
        const struct det_parameter *parameter = det_model_find(t->m.model, tensor->name + 6);
        if (!parameter || t->parted < t->iterations) {
            case_add(c, (struct comparison){.tensor = tensor->name,
                                            .at = -1,
                                            .pass = parameter != NULL,
                                            .note = parameter ? "not comparable: the runs parted"
                                                              : "no such parameter"});
            continue;
        }
        const float *values = case_download(c, parameter->value, parameter->size);
        case_check_floats(c, tensor->name, values, parameter->size, FINAL_TOLERANCE);
    }
}

static void trajectory(struct verify_case *c)
{
    struct trajectory t = {0};
    read_trajectory(c, &t);
    if (!case_failed(c))
        run(c, &t);
    if (!case_failed(c) && t.parted < t.iterations)
        parting_explain(c, &t);
    else if (!case_failed(c))
        snprintf(c->remark, sizeof c->remark, "agrees for all %d steps", t.iterations);
    if (!case_failed(c)) {
        check_columns(c, &t);
        check_final(c, &t);
    }
    model_release(&t.m);
}

const struct verify_op verify_trajectory[] = {
    {"trajectory", trajectory, 0},
    {NULL, NULL, 0},
};
