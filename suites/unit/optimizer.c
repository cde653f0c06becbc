/* SGD and AdamW: first steps by hand, against double references, and what must not change them. */
#include "detector/training/optimizer.h"
#include "suites/loss_suite.h"

static struct test_device device;
static struct det_device *dev;

static void set_up(void)
{
    dev = test_device_open(&device, 1);
}

static void tear_down(void)
{
    test_device_close(&device);
}

TestSuite(optimizer, .init = set_up, .fini = tear_down);

static struct det_update sgd(int64_t step)
{
    return (struct det_update){
        .kind = DET_SGD, .lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .step = step};
}

static struct det_update adamw(int64_t step)
{
    return (struct det_update){.kind = DET_ADAMW,
                               .lr = 0.01,
                               .weight_decay = 0.1,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .eps = 1e-8,
                               .step = step};
}

static void apply(struct det_device *on, const struct det_update *update, size_t n, float *param,
                  const float *grad, float *state1, float *state2)
{
    struct det_update_terms terms = det_update_terms_of(update);
    det_update(on, update->kind, &terms, NULL, n, param, grad, state1, state2);
}

/* From 2 with gradient 1, lr 0.1, momentum 0.9, decay 0.01 inside the gradient:
 *   step 1: g = 1 + 0.02      v = 1.02                     w = 2 - 0.102 = 1.898
 *   step 2: g = 1 + 0.01898   v = 0.918 + 1.01898 = 1.93698  w = 1.704302 */
Test(optimizer, sgd_by_hand)
{
    float w = 2, v = 0;
    const float g = 1;
    struct det_update first = sgd(1), second = sgd(2);
    apply(dev, &first, 1, &w, &g, &v, NULL);
    expect_near("momentum, step 1", v, 1.02, 1e-7);
    expect_near("weight, step 1", w, 1.898, 1e-7);
    apply(dev, &second, 1, &w, &g, &v, NULL);
    expect_near("momentum, step 2", v, 1.93698, 1e-7);
    expect_near("weight, step 2", w, 1.704302, 1e-7);
}

/* PyTorch's buffer is a clone of the first gradient: not 0.9 of whatever was there, nor (1 - 0.9)
 * of the gradient. */
Test(optimizer, sgd_first_step_starts_the_buffer)
{
    float w = 0, v = NAN;
    const float g = -3;
    struct det_update first = sgd(1);
    apply(dev, &first, 1, &w, &g, &v, NULL);
    cr_expect_eq(v, -3.0f, "momentum: got %g", (double)v);
    expect_near("weight", w, 0.3, 1e-7);
}

Test(optimizer, sgd_without_momentum_is_plain)
{
    float w = 1, v = INFINITY;
    const float g = 2;
    struct det_update update = sgd(7);
    update.momentum = 0;
    update.weight_decay = 0;
    apply(dev, &update, 1, &w, &g, &v, NULL);
    expect_near("weight", w, 0.8, 1e-7);
}

/* A constant gradient: v tends to g / (1 - momentum), the effective step to ten times lr. */
Test(optimizer, momentum_accumulates_to_its_limit)
{
    float w = 0, v = 0;
    const float g = 1;
    for (int64_t step = 1; step <= 300; step++) {
        struct det_update update = sgd(step);
        update.weight_decay = 0;
        apply(dev, &update, 1, &w, &g, &v, NULL);
    }
    expect_near("momentum", v, 10, 1e-5);
}

/* At the first step m / (1 - beta1) = g and v / (1 - beta2) = g^2: the weight moves by lr against
 * the gradient's sign whatever its size, after shrinking by 1 - lr decay. */
Test(optimizer, adamw_first_step_by_hand)
{
    static const float gradients[] = {1e-3f, -1.0f, 400.0f};
    for (int i = 0; i < 3; i++) {
        float w = 2, m = 0, v = 0, g = gradients[i];
        struct det_update first = adamw(1);
        apply(dev, &first, 1, &w, &g, &m, &v);
        expect_near("weight", w, 2 * (1 - 0.001) - copysign(0.01, (double)g), 1e-6);
        expect_near("first moment", m, 0.1 * (double)g, 1e-7);
        cr_expect(fabs((double)v / (0.001 * (double)g * (double)g) - 1) < 1e-6,
                  "second moment: got %.9g, want %.9g", (double)v, 0.001 * (double)g * (double)g);
    }
}

/* Twenty steps of random gradients against the same formulas in double. */
Test(optimizer, adamw_against_doubles)
{
    float w = 0.7f, m = 0, v = 0;
    double rw = (double)w, rm = 0, rv = 0;
    for (int64_t step = 1; step <= 20; step++) {
        float g = test_number(19, (int)step, -2, 2);
        struct det_update u = adamw(step);
        apply(dev, &u, 1, &w, &g, &m, &v);
        rw *= 1 - u.lr * u.weight_decay;
        rm = u.beta1 * rm + (1 - u.beta1) * (double)g;
        rv = u.beta2 * rv + (1 - u.beta2) * (double)g * (double)g;
        double m_hat = rm / (1 - pow(u.beta1, (double)step));
        double v_hat = rv / (1 - pow(u.beta2, (double)step));
        rw -= u.lr * m_hat / (sqrt(v_hat) + u.eps);
        expect_near("weight", w, rw, 2e-6);
    }
}

/* Decoupled: with a zero gradient AdamW's weight shrinks by exactly lr * decay a step; SGD's decay
 * goes through the gradient and so through the momentum. */
Test(optimizer, weight_decay_is_decoupled_in_adamw_only)
{
    float w = 1, m = 0, v = 0;
    const float g = 0;
    for (int64_t step = 1; step <= 3; step++) {
        struct det_update update = adamw(step);
        apply(dev, &update, 1, &w, &g, &m, &v);
    }
    expect_near("AdamW", w, 0.999 * 0.999 * 0.999, 1e-6);
    expect_near("AdamW's moment", m, 0, 0);
    w = 1;
    for (int64_t step = 1; step <= 2; step++) {
        struct det_update update = sgd(step);
        apply(dev, &update, 1, &w, &g, &v, NULL);
    }
    expect_near("SGD's momentum", v, 0.9 * 0.01 + 0.01 * 0.999, 1e-7);
}

/* AdamW divides by the gradients' size: a loss scaled by 4096 moves the weights the same way. SGD
 * does not: its steps are 4096 times as large. */
Test(optimizer, adamw_does_not_feel_the_gradients_scale)
{
    float w = 0.5f, m = 0, v = 0, scaled_w = 0.5f, scaled_m = 0, scaled_v = 0;
    for (int64_t step = 1; step <= 10; step++) {
        struct det_update update = adamw(step);
        update.eps = 0;
        float g = test_number(20, (int)step, 0.1f, 2), scaled_g = g * 4096;
        apply(dev, &update, 1, &w, &g, &m, &v);
        apply(dev, &update, 1, &scaled_w, &scaled_g, &scaled_m, &scaled_v);
    }
    cr_expect_eq(w, scaled_w, "got %a, want %a", (double)scaled_w, (double)w);
}

Test(optimizer, nothing_to_learn_moves_nothing)
{
    float w = 1.25f, v = 0, m = 0;
    const float g = 0;
    struct det_update update = sgd(1);
    update.weight_decay = 0;
    apply(dev, &update, 1, &w, &g, &m, NULL);
    update = adamw(1);
    update.weight_decay = 0;
    apply(dev, &update, 1, &w, &g, &m, &v);
    cr_expect_eq(w, 1.25f, "got %a", (double)w);
}

/* lr 0 (the bottom of a schedule) moves nothing but fills the buffer. */
Test(optimizer, learning_rate_zero)
{
    float w = 1.25f, v = 0;
    const float g = 3;
    struct det_update update = sgd(1);
    update.lr = 0;
    apply(dev, &update, 1, &w, &g, &v, NULL);
    cr_expect_eq(w, 1.25f);
    expect_near("momentum", v, 3.0125, 1e-7);
}

Test(optimizer, a_nan_is_never_laundered)
{
    const float g[2] = {NAN, 1};
    float w[2] = {1, 1}, m[2] = {0}, v[2] = {0};
    struct det_update update = sgd(2);
    apply(dev, &update, 2, w, g, m, NULL);
    cr_expect(isnan(w[0]) && isfinite(w[1]), "SGD: %g, %g", (double)w[0], (double)w[1]);
    w[0] = 1;
    m[0] = 0;
    update = adamw(2);
    apply(dev, &update, 2, w, g, m, v);
    cr_expect(isnan(w[0]) && isfinite(w[1]), "AdamW: %g, %g", (double)w[0], (double)w[1]);
}

/* Blocks are cut by length, so neither the number of threads nor the place in the vector matters;
 * what lies behind the vector stays. */
Test(optimizer, same_bits_for_any_number_of_threads)
{
    enum { N = 40003, ROOM = N + 1 };
    static float g[ROOM], state[4][ROOM], w[2][ROOM];
    for (int kind = DET_SGD; kind <= DET_ADAMW; kind++) {
        for (int t = 0; t < 2; t++) {
            struct test_device other;
            struct det_device *parallel = test_device_open(&other, 1 + 2 * t);
            struct det_update update = kind == DET_SGD ? sgd(3) : adamw(3);
            for (int i = 0; i < ROOM; i++) {
                g[i] = test_number(21, i, -1, 1);
                w[t][i] = test_number(22, i, -1, 1);
                state[2 * t][i] = test_number(23, i, -1, 1);
                state[2 * t + 1][i] = test_number(24, i, 0, 1);
            }
            float behind = w[t][N];
            apply(parallel, &update, N, w[t], g, state[2 * t], state[2 * t + 1]);
            cr_expect_eq(w[t][N], behind, "wrote behind the vector");
            test_device_close(&other);
        }
        expect_same_bits("weights", w[1], w[0], N);
        expect_same_bits("state1", state[2], state[0], N);
        expect_same_bits("state2", state[3], state[1], N);
    }
}

/* As if the gradients had been scaled before; they themselves stay. */
Test(optimizer, a_clipped_update_takes_the_gradient_times_the_factor)
{
    enum { N = 100 };
    struct det_clip clip = {.norm = 30, .factor = 0.3333f, .clipped = 1};
    struct det_update updates[] = {sgd(2), adamw(2)};
    for (int kind = 0; kind < 2; kind++) {
        float w[2][N], m[2][N], v[2][N], g[N], scaled[N];
        struct det_update_terms terms = det_update_terms_of(&updates[kind]);
        for (int i = 0; i < N; i++) {
            g[i] = test_number(25, i, -3, 3);
            scaled[i] = clip.factor * g[i];
            w[0][i] = w[1][i] = test_number(26, i, -1, 1);
            m[0][i] = m[1][i] = test_number(27, i, -1, 1);
            v[0][i] = v[1][i] = test_number(28, i, 0, 1);
        }
        det_update(dev, updates[kind].kind, &terms, &clip, N, w[0], g, m[0], v[0]);
        det_update(dev, updates[kind].kind, &terms, NULL, N, w[1], scaled, m[1], v[1]);
        expect_same_bits("weights", w[0], w[1], N);
        expect_same_bits("first state", m[0], m[1], N);
        expect_same_bits("second state", v[0], v[1], N);
        cr_expect_eq(g[7], test_number(25, 7, -3, 3), "the gradient was changed");
    }
}

/* An overflow found on the device: neither weights nor state may move. */
Test(optimizer, a_skipped_update_changes_nothing)
{
    float w = 2, m = 3, v = 4;
    const float g = NAN;
    struct det_clip clip = {.factor = 1, .skip = 1};
    struct det_update updates[] = {sgd(2), adamw(2)};
    for (int i = 0; i < 2; i++) {
        struct det_update_terms terms = det_update_terms_of(&updates[i]);
        det_update(dev, updates[i].kind, &terms, &clip, 1, &w, &g, &m, &v);
        cr_expect(w == 2 && m == 3 && v == 4, "kind %d: %g %g %g", i, (double)w, (double)m,
                  (double)v);
    }
    clip.skip = 0;
    struct det_update_terms terms = det_update_terms_of(&updates[0]);
    det_update(dev, DET_SGD, &terms, &clip, 1, &w, &g, &m, NULL);
    cr_expect(isnan(w), "skip 0: the update is made, got %g", (double)w);
}
