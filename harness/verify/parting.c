/* Why a run in float32 parts from the oracle's in float64.
 *
 * Both agree until something that is decided lies within rounding of a tie and falls to the other
 * side. That is looked for where the error jumps: the two steps around the jump are repeated with
 * all weights nudged by a few roundings, until the error is gone. A nudge that does so proves that
 * a tie was all there was; what then differs between the two passes is the decision: a proposal, a
 * RoI, or, where all of these are the same, a ReLU or a maximum in the backward pass. */
#include "detector/bodies/philox.h"
#include "harness/verify/decisions.h"
#include "harness/verify/trajectory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NUDGES 16     /* tries at each size */
#define NUDGE_SIZES 5 /* 1e-7 to 1e-5 of each weight, evenly on a logarithmic scale */
#define GONE 0.25     /* the error is gone where this share of it is left */

/* The model's state before a step. */
struct snapshot {
    size_t n;
    float **values, **momenta; /* [n] */
    float *moved;              /* room for the largest parameter */
};

/* What a pass decided, and the gradients it gave. */
struct record {
    struct decisions before, after; /* of the step before the jump, and of the jump's own */
    float **gradients;              /* of the step before it; NULL where there is none */
};

/* ---- the model's state ---- */

static void take_snapshot(struct verify_case *c, struct trajectory *t, struct snapshot *s)
{
    size_t largest = 0;
    s->n = det_model_parameter_count(t->m.model);
    s->values = case_host(c, s->n * sizeof *s->values);
    s->momenta = case_host(c, s->n * sizeof *s->momenta);
    for (size_t i = 0; i < s->n && !case_failed(c); i++) {
        const struct det_parameter *p = det_model_parameter(t->m.model, i);
        s->values[i] = case_download(c, p->value, p->size);
        s->momenta[i] = p->state1 ? case_download(c, p->state1, p->size) : NULL;
        largest = p->size > largest ? p->size : largest;
    }
    s->moved = case_host(c, largest * sizeof *s->moved);
}

/* Back to the snapshot, with every weight moved by +-size of itself. */
static void restore(struct verify_case *c, struct trajectory *t, const struct snapshot *s,
                    double size, uint32_t attempt)
{
    for (size_t i = 0; i < s->n && !case_failed(c); i++) {
        const struct det_parameter *p = det_model_parameter(t->m.model, i);
        for (size_t e = 0; e < p->size; e++) {
            uint32_t word = det_philox((uint32_t)e, (uint32_t)i, attempt, 0, 0).word[0];
            s->moved[e] = s->values[i][e] * (float)(1.0 + (word & 1 ? size : -size));
        }
        c->dev->ops->upload(c->dev, p->value, s->moved, p->size * sizeof *s->moved);
        if (s->momenta[i])
            c->dev->ops->upload(c->dev, p->state1, s->momenta[i], p->size * sizeof(float));
    }
}

static void train_until(struct verify_case *c, struct trajectory *t, int step)
{
    model_release(&t->m);
    model_create(c, &t->m, t->batch);
    for (int s = 0; s < step && !case_failed(c); s++) {
        struct det_step_stats stats = {0};
        trajectory_pass(c, t, s, &stats);
        if (!case_failed(c))
            det_model_update(t->m.model, s, &stats, &c->err);
    }
}

/* ---- the two steps around the jump ---- */

static float **read_gradients(struct verify_case *c, struct trajectory *t)
{
    size_t n = det_model_parameter_count(t->m.model);
    float **gradients = case_host(c, n * sizeof *gradients);
    for (size_t i = 0; i < n && !case_failed(c); i++) {
        const struct det_parameter *p = det_model_parameter(t->m.model, i);
        gradients[i] = p->trainable ? case_download(c, p->grad, p->size) : NULL;
    }
    return gradients;
}

/* Steps jump - 1 and jump; returns the error of the latter. record may be NULL. */
static double two_steps(struct verify_case *c, struct trajectory *t, int jump,
                        struct record *record)
{
    struct det_step_stats stats = {0};
    if (jump > 0) {
        trajectory_pass(c, t, jump - 1, &stats);
        if (record && !case_failed(c)) {
            decisions_record(c, &t->m, t->batch, &record->before);
            record->gradients = read_gradients(c, t);
        }
        if (!case_failed(c))
            det_model_update(t->m.model, jump - 1, &stats, &c->err);
    }
    if (case_failed(c))
        return NAN;
    trajectory_pass(c, t, jump, &stats);
    if (record && !case_failed(c))
        decisions_record(c, &t->m, t->batch, &record->after);
    return trajectory_error(t, &stats.losses, jump);
}

/* The parameter whose gradient changed most, as a share of its norm. */
static void explain_gradients(struct trajectory *t, const struct record *a, const struct record *b,
                              double size, char *out, size_t room)
{
    const char *name = "";
    double most = 0.0;
    for (size_t i = 0; i < det_model_parameter_count(t->m.model); i++) {
        const struct det_parameter *p = det_model_parameter(t->m.model, i);
        double change = 0.0, norm = 0.0;
        for (size_t e = 0; p->trainable && e < p->size; e++) {
            double x = (double)a->gradients[i][e], d = x - (double)b->gradients[i][e];
            change += d * d;
            norm += x * x;
        }
        if (norm > 0.0 && sqrt(change / norm) > most) {
            most = sqrt(change / norm);
            name = p->name;
        }
    }
    snprintf(
        out, room,
        "a ReLU or a maximum within %.0e of a tie turns the gradient, most that of %s, by %.1e",
        size, name, most);
}

/* The RPN's losses hang on the weights alone, on no decision of their own step: where they jump,
 * the weights had already been parted, by the step before. */
static int weights_parted_before(const struct trajectory *t, int jump)
{
    double before = 1e-7, now = 0.0;
    for (int k = 0; k < 2; k++)
        for (int s = 0; s <= jump; s++) {
            double error = fabs(t->got[k][s] - t->want[k][s]) / fmax(fabs(t->want[k][s]), 1e-6);
            double *into = s < jump ? &before : &now;
            *into = fmax(*into, error);
        }
    return jump > 0 && now > 5.0 * before;
}

static void explain_records(struct verify_case *c, struct trajectory *t, int jump, double size,
                            const struct record *plain, const struct record *nudged)
{
    char why[320] = "";
    int before = weights_parted_before(t, jump);
    const struct decisions *a = before ? &plain->before : &plain->after;
    const struct decisions *b = before ? &nudged->before : &nudged->after;
    if (!decisions_explain(&t->m, t->samples, a, b, why, sizeof why) && jump > 0) {
        before = 1; /* what no decision shows came with the update */
        explain_gradients(t, plain, nudged, size, why, sizeof why);
    }
    snprintf(c->remark, sizeof c->remark, "agrees for %d steps; parted by a tie in step %d: %s",
             t->parted, before ? jump - 1 : jump, why[0] ? why : "none that is recorded");
}

/* ---- the search ---- */

/* The step at or before the parting at which the error grew most over what it had ever been. */
static int find_jump(const struct trajectory *t)
{
    double largest = t->error[0], best = 0.0;
    int jump = t->parted;
    for (int s = 1; s <= t->parted; s++) {
        if (t->error[s] / fmax(largest, 1e-9) > best) {
            best = t->error[s] / fmax(largest, 1e-9);
            jump = s;
        }
        largest = fmax(largest, t->error[s]);
    }
    return jump;
}

void parting_explain(struct verify_case *c, struct trajectory *t)
{
    struct snapshot s = {0};
    struct record plain = {0}, nudged = {0};
    int jump = find_jump(t);
    double error = t->error[jump], size = 1e-7;
    train_until(c, t, jump > 0 ? jump - 1 : 0);
    if (!case_failed(c))
        take_snapshot(c, t, &s);
    two_steps(c, t, jump, &plain);
    for (int attempt = 0; attempt < NUDGES * NUDGE_SIZES && !case_failed(c); attempt++) {
        size *= attempt && attempt % NUDGES == 0 ? sqrt(10.0) : 1.0;
        restore(c, t, &s, size, (uint32_t)attempt);
        if (!(two_steps(c, t, jump, NULL) <= GONE * error))
            continue;
        restore(c, t, &s, size, (uint32_t)attempt);
        two_steps(c, t, jump, &nudged);
        if (!case_failed(c))
            explain_records(c, t, jump, size, &plain, &nudged);
        return;
    }
    snprintf(c->remark, sizeof c->remark,
             "agrees for %d steps; the error jumps to %.1e at step %d, and no nudge of the weights "
             "up to %.0e removes it: not shown to be a tie",
             t->parted, error, jump, size);
}
