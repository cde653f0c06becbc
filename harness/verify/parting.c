/* Why a run in float32 parts from the oracle's in float64.
 *
 * Both agree until something that is decided lies within rounding of a tie and falls to the other
 * side. That is looked for where the error jumps: the two steps around the jump are repeated with
 * all weights nudged by a few roundings, until the error is gone. A nudge that does so proves that
 * a tie was all there was; what then differs between the two passes is the decision: a proposal, a
 * RoI, or, where all of these are the same, a ReLU or a maximum in the backward pass. */
#include "detector/bodies/philox.h"
#include "harness/decisions/judge_decisions.h"
#include "harness/training/model_state.h"
#include "harness/verify/trajectory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_NUDGE 1e-7 /* of each weight: one rounding of float32 */
#define JUMPS 3          /* steps that may have been the one */
#define NUDGES 8         /* tries at each size */
#define NUDGE_SIZES 5    /* up to 1e-5, evenly on a logarithmic scale */
#define GONE 0.25        /* the error is gone where this share of it is left */

/* What the pass of a step decided, and the gradients it gave; owned by try_jump. */
struct record {
    struct pass_decisions decisions;
    struct parameter_floats gradients;
};

/* ---- the model's state ---- */

/* Back to the state, with every weight moved by +-size of itself. */
static void restore(struct verify_case *c, struct trajectory *t, const struct model_state *state,
                    double size, uint32_t attempt)
{
    struct model_state moved = *state;
    size_t at = 0;
    if (case_failed(c))
        return;
    moved.values.at = malloc((state->values.n + 1) * sizeof *moved.values.at);
    if (!moved.values.at) {
        det_fail(&c->err, DET_NO_MEMORY, "%zu weights", state->values.n);
        return;
    }
    for (size_t i = 0; i < det_model_parameter_count(t->m.model); i++) {
        size_t n = det_model_parameter(t->m.model, i)->size;
        for (size_t e = 0; e < n; e++, at++) {
            uint32_t word = det_philox((uint32_t)e, (uint32_t)i, attempt, 0, 0).word[0];
            moved.values.at[at] =
                state->values.at[at] * (float)(1.0 + (word & 1 ? size : -size));
        }
    }
    model_state_put(&moved, t->m.model, c->dev);
    free(moved.values.at);
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

static int first_of(int jump)
{
    return jump > 0 ? jump - 1 : 0;
}

/* The steps from before the jump to where the runs part; returns the error of the last. records: of
 * the first two, or NULL. */
static double replay(struct verify_case *c, struct trajectory *t, int jump,
                     struct record records[2])
{
    for (int step = first_of(jump); step <= t->parted && !case_failed(c); step++) {
        struct det_step_stats stats = {0};
        trajectory_pass(c, t, step, &stats);
        if (records && step <= jump && !case_failed(c)) {
            struct record *record = &records[step - first_of(jump)];
            pass_decisions_take_all(&record->decisions, t->m.model, c->dev, &c->err);
            if (!case_failed(c))
                parameter_floats_take(&record->gradients, t->m.model, c->dev, PART_GRADIENT,
                                      &c->err);
        }
        trajectory_update(c, t, step, &stats);
    }
    return t->error[t->parted];
}

/* ---- what differs between the plain steps and the nudged ones ---- */

/* The largest change of a parameter's gradient, as a share of its norm, and that parameter. */
static double gradient_change(struct trajectory *t, const struct record *a, const struct record *b,
                              const char **name)
{
    double most = 0.0;
    size_t at = 0;
    *name = "none";
    for (size_t i = 0; i < det_model_parameter_count(t->m.model); i++) {
        const struct det_parameter *p = det_model_parameter(t->m.model, i);
        double change = 0.0, norm = 0.0;
        size_t end = at + (p->grad ? p->size : 0);
        for (; at < end; at++) {
            double x = (double)a->gradients.at[at], d = x - (double)b->gradients.at[at];
            change += d * d;
            norm += x * x;
        }
        if (norm > 0.0 && sqrt(change / norm) > most) {
            most = sqrt(change / norm);
            *name = p->name;
        }
    }
    return most;
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

/* The first decision that differs between two passes of a step, and how near to a tie it was in the
 * plain one, as text. Returns 0 where none does. */
static int explain_decision(struct verify_case *c, struct trajectory *t, int step,
                            const struct record *plain, const struct record *nudged, char *why,
                            size_t room)
{
    static const double any[FLIP_KINDS] = {[FLIP_ANCHOR] = 1.0, [FLIP_RANK] = 1.0, [FLIP_NMS] = 1.0,
                                           [FLIP_SIZE] = 1.0,   [FLIP_ROI] = 1.0,
                                           [FLIP_ROI_LEVEL] = 1.0};
    struct decision_case decided = {0};
    struct flip_log log = {0};
    trajectory_samples(t, step);
    if (decision_case_make(t->m.model, c->dev, &t->m.config, t->samples, t->batch, (uint32_t)step,
                           &decided, &c->err) == DET_OK)
        judge_decisions(&decided, any, &plain->decisions, &nudged->decisions, &log, &c->err);
    int found = !case_failed(c) && log.n_findings > 0;
    if (found)
        snprintf(why, room, "%s", log.findings[0].text);
    flip_log_release(&log);
    decision_case_release(&decided);
    return found;
}

/* The step in which the tie lies, and which it is, as text. */
static int explain(struct verify_case *c, struct trajectory *t, int jump, int before, double size,
                   const struct record plain[2], const struct record nudged[2], char *why,
                   size_t room)
{
    int at = before || jump == 0 ? 0 : 1;
    const char *name;
    if (explain_decision(c, t, first_of(jump) + at, &plain[at], &nudged[at], why, room))
        return first_of(jump) + at;
    if (at == 1 && gradient_change(t, &plain[0], &nudged[0], &name) > 100.0 * size)
        at = 0; /* the gradient turned a step before it showed */
    double change = gradient_change(t, &plain[at], &nudged[at], &name);
    snprintf(why, room, "a ReLU or a maximum turns the gradient, most that of %s, by %.1e", name,
             change);
    return first_of(jump) + at;
}

/* ---- the search ---- */

/* The steps up to the parting at which the error grew most over what it had ever been, the largest
 * growth first. */
static int find_jumps(const struct trajectory *t, int jumps[JUMPS])
{
    double largest = t->error[0], growth[JUMPS] = {0};
    int n = 0;
    if (t->parted == 0)
        jumps[n++] = 0;
    for (int step = 1; step <= t->parted; step++) {
        double grown = t->error[step] / fmax(largest, 1e-9);
        int at = n < JUMPS ? n++ : JUMPS;
        for (; at > 0 && growth[at - 1] < grown; at--)
            if (at < JUMPS) {
                growth[at] = growth[at - 1];
                jumps[at] = jumps[at - 1];
            }
        if (at < JUMPS) {
            growth[at] = grown;
            jumps[at] = step;
        }
        largest = fmax(largest, t->error[step]);
    }
    return n;
}

struct nudge {
    int jump; /* it stands before the step before this one */
    double size;
    uint32_t attempt;
};

/* A nudge before step `jump` that removes the error; 0 where none does. */
static int find_nudge(struct verify_case *c, struct trajectory *t, const struct model_state *s,
                      double error, struct nudge *nudge)
{
    nudge->size = LEAST_NUDGE;
    for (uint32_t i = 0; i < NUDGES * NUDGE_SIZES && !case_failed(c); i++) {
        nudge->attempt = i;
        nudge->size *= i && i % NUDGES == 0 ? sqrt(10.0) : 1.0;
        restore(c, t, s, nudge->size, i);
        if (replay(c, t, nudge->jump, NULL) <= GONE * error)
            return !case_failed(c);
    }
    return 0;
}

/* Do all strict steps agree in the nudged run? Their numbers then stand for the case. */
static int strict_agree(struct verify_case *c, struct trajectory *t, const struct model_state *s,
                        const struct nudge *nudge)
{
    int agree = 1;
    restore(c, t, s, nudge->size, nudge->attempt);
    for (int step = first_of(nudge->jump); step < t->strict && agree && !case_failed(c); step++) {
        struct det_step_stats stats = {0};
        trajectory_pass(c, t, step, &stats);
        trajectory_update(c, t, step, &stats);
        agree = t->error[step] <= TRAJECTORY_TOLERANCE;
    }
    return agree;
}

/* Look for a tie around one jump; 1 where one is found and told. */
static int try_jump(struct verify_case *c, struct trajectory *t, int jump)
{
    struct model_state s = {0};
    struct record plain[2] = {0}, nudged[2] = {0};
    struct nudge nudge = {.jump = jump};
    int before = weights_parted_before(t, jump), excused = 0;
    train_until(c, t, first_of(jump));
    if (case_failed(c))
        return 0;
    model_state_take(&s, t->m.model, c->dev, &c->err);
    double error = replay(c, t, jump, plain);
    int found = find_nudge(c, t, &s, error, &nudge);
    if (found) {
        char why[320];
        restore(c, t, &s, nudge.size, nudge.attempt);
        replay(c, t, jump, nudged);
        int step = explain(c, t, jump, before, nudge.size, plain, nudged, why, sizeof why);
        excused =
            t->parted < t->strict && nudge.size <= LEAST_NUDGE && strict_agree(c, t, &s, &nudge);
        snprintf(c->remark, sizeof c->remark,
                 "agrees for %d steps; parted by a tie in step %d, which weights nudged by %.0e "
                 "tip back: %s%s",
                 t->parted, step, nudge.size, why,
                 excused ? ". The numbers above are of the nudged run" : "");
    }
    if (!excused) {
        restore(c, t, &s, 0.0, 0);
        replay(c, t, jump, NULL); /* the plain run's numbers again */
    }
    for (int i = 0; i < 2; i++) {
        pass_decisions_release(&plain[i].decisions);
        pass_decisions_release(&nudged[i].decisions);
        free(plain[i].gradients.at);
        free(nudged[i].gradients.at);
    }
    model_state_release(&s);
    return found;
}

void parting_explain(struct verify_case *c, struct trajectory *t)
{
    int jumps[JUMPS], n = find_jumps(t, jumps);
    for (int i = 0; i < n && !case_failed(c); i++)
        if (try_jump(c, t, jumps[i]))
            return;
    snprintf(c->remark, sizeof c->remark,
             "agrees for %d steps; nudged weights do not remove the error of %.1e at step %d: not "
             "shown to be a tie",
             t->parted, t->error[t->parted], t->parted);
}
