/* The optimiser's step of the whole model: unscale, norm, clip, update, in that order and once for
 * all tensors together; and what an overflow leaves behind. The gradients are set by hand: no pass
 * is made. */
#include "detector/bodies/bf16.h"
#include "suites/model_suite.h"

/* A small model with `settings` (ends with NULL) on top. */
static struct small open_with(const char *const *settings)
{
    struct det_config config = small_config();
    set(&config, "optimizer.lr", "0.1");
    set(&config, "optimizer.momentum", "0.5");
    set(&config, "optimizer.weight_decay", "0.01");
    set(&config, "clip_grad_norm", "1");
    set(&config, "schedule.warmup_steps", "0");
    for (; *settings; settings += 2)
        set(&config, settings[0], settings[1]);
    return small_open(&config, 2);
}

/* Gradients in [-1, 1) times `scale`, a power of two: a function of (seed, place). */
static void set_gradients(struct det_model *m, uint32_t seed, float scale)
{
    for (size_t i = 0; i < m->params.grad_floats; i++)
        m->params.grads[i] = scale * number((uint32_t)i, seed, 7, -1.0f, 1.0f);
}

static int same_values(const struct det_model *m, const float *want)
{
    return memcmp(m->params.values, want, m->params.value_floats * sizeof *want) == 0;
}

static struct det_step_stats updated(struct det_model *m, int64_t step)
{
    struct det_step_stats stats = {0};
    struct det_error err = {0};
    cr_assert_eq(det_model_update(m, step, &stats, &err), DET_OK, "%s", err.message);
    return stats;
}

/* ---- one step, by the definition ---- */

/* PyTorch's: one norm over the gradients of all tensors, one factor for all of them; then, for
 * every tensor alike, v = momentum v + (factor g + decay w), w -= lr v. */
struct reference {
    double *w, *v; /* [value_floats], [grad_floats] */
};

static double norm_of(const struct det_model *m)
{
    double sum = 0.0;
    for (size_t i = 0; i < m->params.n; i++) {
        const struct det_parameter *p = &m->params.slots[i].parameter;
        for (size_t k = 0; p->trainable && k < p->size; k++)
            sum += (double)p->grad[k] * (double)p->grad[k];
    }
    return sqrt(sum);
}

static void step_reference(const struct det_model *m, struct reference *r, double lr, double clip)
{
    double factor = clip > 0.0 ? fmin(1.0, clip / (norm_of(m) + 1e-6)) : 1.0;
    for (size_t i = 0; i < m->params.n; i++) {
        const struct det_parameter *p = &m->params.slots[i].parameter;
        for (size_t k = 0; p->trainable && k < p->size; k++) {
            double *w = r->w + (p->value - m->params.values) + k;
            double *v = r->v + (p->grad - m->params.grads) + k;
            *v = 0.5 * *v + (factor * (double)p->grad[k] + 0.01 * *w);
            *w -= lr * *v;
        }
    }
}

static struct reference start_reference(const struct det_model *m)
{
    struct reference r = {malloc(m->params.value_floats * sizeof *r.w),
                          calloc(m->params.grad_floats, sizeof *r.v)};
    cr_assert(r.w && r.v);
    for (size_t i = 0; i < m->params.value_floats; i++)
        r.w[i] = (double)m->params.values[i];
    return r;
}

/* Values of order 1, three steps of 0.1 in float: 1e-6. */
static void expect_values(const char *what, const struct det_model *m, const struct reference *r)
{
    for (size_t i = 0; i < m->params.n; i++) {
        const struct det_parameter *p = &m->params.slots[i].parameter;
        const double *want = r->w + (p->value - m->params.values);
        for (size_t k = 0; k < p->size; k++)
            cr_assert(fabs((double)p->value[k] - want[k]) <= 1e-6 * fmax(1.0, fabs(want[k])),
                      "%s: %s[%zu]: got %.9g, want %.9g", what, p->name, k, (double)p->value[k],
                      want[k]);
    }
}

Test(update, is_the_definition)
{
    static const struct {
        const char *name, *settings[7];
        double clip;
        int clips;
    } cases[] = {
        {"clipped", {NULL}, 1.0, 1},
        {"clipping off", {"clip_grad_norm", "0"}, 0.0, 0},
        {"below the norm that is clipped", {"clip_grad_norm", "100000"}, 1e5, 0},
        {"warming up", {"schedule.warmup_steps", "10", "schedule.warmup_factor", "0.2"}, 1.0, 1},
        {"frozen stages", {"train.freeze_stages", "3", "model.norm", "frozen_bn"}, 1.0, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct small s = open_with(cases[c].settings);
        struct det_model *m = s.model;
        struct reference want = start_reference(m);
        for (int step = 0; step < 3; step++) {
            set_gradients(m, 10 + (uint32_t)step, 1.0f);
            double norm = norm_of(m);
            double lr = det_learning_rate(&m->config, step);
            step_reference(m, &want, lr, cases[c].clip);
            struct det_step_stats stats = updated(m, step);
            cr_expect_eq(stats.lr, lr, "%s: lr %g", cases[c].name, stats.lr);
            cr_expect_eq(stats.clipped, cases[c].clips, "%s", cases[c].name);
            cr_expect(fabs(stats.grad_norm - norm) <= 1e-9 * norm, "%s: norm %.12g, want %.12g",
                      cases[c].name, stats.grad_norm, norm);
        }
        expect_values(cases[c].name, m, &want);
        free(want.w);
        free(want.v);
        small_close(&s);
    }
}

Test(update, gradients_are_zeroed_for_the_next_step)
{
    struct small s = open_with((const char *const[]){NULL});
    struct det_model *m = s.model;
    set_gradients(m, 1, 1.0f);
    det_model_zero_grad(m);
    cr_expect_eq(norm_of(m), 0.0);
    small_close(&s);
}

/* ---- the loss scale ---- */

/* Scaled by 2^k and unscaled before the norm is taken, the step is the same to the bit. Clipped
 * first, the gradients that are below the limit (the second case) would be 2^k times too short, and
 * the norm that is logged 2^k times too long. */
Test(update, loss_scale_changes_nothing)
{
    static const char *const limits[] = {"1", "100000"};
    for (int c = 0; c < 2; c++) {
        float *want = NULL;
        double norm = 0.0;
        for (int power = 0; power <= 20; power += 10) {
            struct small s = open_with((const char *const[]){
                "model.precision", "bf16", "clip_grad_norm", limits[c], NULL});
            struct det_model *m = s.model;
            m->scaler.scale = ldexp(1.0, power);
            set_gradients(m, 2, (float)m->scaler.scale);
            struct det_step_stats stats = updated(m, 0);
            cr_expect(stats.clipped == !c && !stats.skipped, "limit %s", limits[c]);
            cr_expect_eq(stats.loss_scale, ldexp(1.0, power));
            if (power == 0) {
                want = values_of(&s);
                norm = stats.grad_norm;
            }
            cr_expect(same_values(m, want), "limit %s, scale 2^%d: other weights", limits[c],
                      power);
            cr_expect_eq(stats.grad_norm, norm, "limit %s, scale 2^%d: norm %g, want %g", limits[c],
                         power, stats.grad_norm, norm);
            small_close(&s);
        }
        free(want);
    }
}

/* In mixed precision passes read a rounded copy of the weights: it is that of the new ones. */
Test(update, rounded_weights_follow)
{
    struct small s = open_with((const char *const[]){"model.precision", "bf16", NULL});
    struct det_model *m = s.model;
    for (int64_t step = 0; step < 2; step++) {
        set_gradients(m, 5 + (uint32_t)step, (float)m->scaler.scale);
        updated(m, step);
        for (size_t i = 0; i < m->params.value_floats; i++)
            cr_assert_eq(m->params.rounded[i], det_bf16(m->params.values[i]),
                         "step %lld, value %zu: rounded %a, weight %a", (long long)step, i,
                         (double)m->params.rounded[i], (double)m->params.values[i]);
    }
    small_close(&s);
}

/* A gradient that is not finite, anywhere: no weight and no state moves, the scale halves, and the
 * next step is the first one (AdamW's bias correction counts updates, not attempts). */
Test(update, an_overflow_leaves_nothing_behind)
{
    static const char *const settings[] = {"model.precision", "bf16", "optimizer.kind", "adamw",
                                           NULL};
    struct small clean = open_with(settings);
    float *start = values_of(&clean);
    set_gradients(clean.model, 3, 65536.0f);
    updated(clean.model, 0);
    float *want = values_of(&clean);
    const size_t n = clean.model->params.grad_floats, places[] = {0, n / 2, n - 1};
    static const float bad[] = {INFINITY, NAN, -INFINITY};
    small_close(&clean);
    for (int i = 0; i < 3; i++) {
        struct small s = open_with(settings);
        struct det_model *m = s.model;
        set_gradients(m, 3, 65536.0f);
        m->params.grads[places[i]] = bad[i];
        struct det_step_stats stats = updated(m, 0);
        cr_expect(stats.skipped && !isfinite(stats.grad_norm), "%g: not skipped", (double)bad[i]);
        cr_expect(same_values(m, start), "%g: weights moved", (double)bad[i]);
        cr_expect_eq(m->scaler.scale, 32768.0, "scale %g", m->scaler.scale);
        set_gradients(m, 3, 32768.0f);
        stats = updated(m, 0);
        cr_expect_not(stats.skipped);
        cr_expect(same_values(m, want), "%g: the next step is another one", (double)bad[i]);
        small_close(&s);
    }
    free(start);
    free(want);
}

/* Without a loss scale there is no retry: the step is refused by name, nothing is changed. */
Test(update, not_finite_is_refused)
{
    struct small s = open_with((const char *const[]){NULL});
    struct det_model *m = s.model;
    struct det_step_stats stats = {0};
    struct det_error err = {0};
    float *before = values_of(&s);
    set_gradients(m, 4, 1.0f);
    m->params.grads[m->params.grad_floats / 3] = NAN;
    cr_expect_eq(det_model_update(m, 41, &stats, &err), DET_NOT_FINITE);
    cr_expect(strstr(err.message, "step 41"), "%s", err.message);
    cr_expect(same_values(m, before), "weights moved");
    cr_expect(isnan(stats.grad_norm), "the norm is %g", stats.grad_norm);
    free(before);
    small_close(&s);
}
