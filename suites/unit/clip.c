/* The gradient norm and clipping by it. */
#include "detector/base/blocks.h"
#include "detector/training/gradient_norm.h"
#include "detector/training/optimizer.h"
#include "suites/loss_suite.h"

#include <float.h>
#include <stdlib.h>

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

TestSuite(clip, .init = set_up, .fini = tear_down);

static double norm_of(float *const *tensors, const size_t *sizes, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        det_sum_squares(dev, sizes[i], tensors[i], &sum);
    return sqrt(sum);
}

static void clip_all(float *const *tensors, const size_t *sizes, int n, double max_norm)
{
    float factor = (float)det_clip_factor(norm_of(tensors, sizes, n), max_norm);
    for (int i = 0; i < n; i++)
        det_scale(dev, sizes[i], &factor, tensors[i]);
}

Test(clip, factor_by_hand)
{
    expect_near("twice the limit", det_clip_factor(20, 10), 0.5, 1e-7);
    cr_expect_eq(det_clip_factor(20, 10), 10 / (20 + 1e-6), "PyTorch's 1e-6 is in the divisor");
    cr_expect_eq(det_clip_factor(3, 10), 1.0, "below the limit nothing is scaled up");
    cr_expect_eq(det_clip_factor(0, 10), 1.0, "no gradient");
    cr_expect_eq(det_clip_factor(1e9, 0), 1.0, "0 switches clipping off");
    cr_expect(det_clip_factor(10, 10) < 1.0, "at the limit: the 1e-6 shows");
    cr_expect_eq(det_clip_factor(INFINITY, 10), 0.0);
    cr_expect(isnan(det_clip_factor(NAN, 10)), "a NaN norm is no number to clip by");
}

/* What the device decides: the norm, a factor of exactly 1 below the limit, and to skip what is not
 * finite. */
Test(clip, decision_by_hand)
{
    static const struct {
        double sum, max_norm, norm;
        float factor;
        int clipped, skip;
    } rows[] = {
        {400, 10, 20, 0.5f, 1, 0},          {9, 10, 3, 1, 0, 0},
        {400, 0, 20, 1, 0, 0},              {0, 10, 0, 1, 0, 0},
        {INFINITY, 10, INFINITY, 1, 0, 1}, {INFINITY, 0, INFINITY, 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct det_clip got;
        det_clip(dev, rows[i].max_norm, &rows[i].sum, &got);
        cr_expect_eq(got.norm, rows[i].norm, "row %zu: norm %g", i, got.norm);
        expect_near("factor", got.factor, rows[i].factor, 1e-6);
        cr_expect(got.clipped == rows[i].clipped && got.skip == rows[i].skip,
                  "row %zu: clipped %d, skip %d", i, got.clipped, got.skip);
    }
    double nan = NAN;
    struct det_clip got;
    det_clip(dev, 10, &nan, &got);
    cr_expect(isnan(got.norm) && got.skip && got.factor == 1.0f);
}

/* (3) and (4) have the global norm 5. Clipped to 1 they are 0.6 and 0.8; clipped tensor by tensor
 * both would be 1. */
Test(clip, the_norm_is_global)
{
    float a = 3, b = -4;
    float *const tensors[2] = {&a, &b};
    const size_t sizes[2] = {1, 1};
    expect_near("norm", norm_of(tensors, sizes, 2), 5, 1e-12);
    clip_all(tensors, sizes, 2, 1);
    expect_near("first", a, 0.6, 1e-6);
    expect_near("second", b, -0.8, 1e-6);
}

/* Clipping keeps the direction and leaves at most the limit; below it, not a bit changes. */
Test(clip, direction_is_kept_and_length_limited)
{
    float g[100], before[100];
    float *const tensors[1] = {g};
    const size_t sizes[1] = {100};
    for (double limit = 0.01; limit < 1000; limit *= 10) {
        for (int i = 0; i < 100; i++)
            before[i] = g[i] = test_number(25, i, -2, 2);
        double norm = norm_of(tensors, sizes, 1);
        clip_all(tensors, sizes, 1, limit);
        if (norm < limit) {
            expect_same_bits("unclipped", g, before, 100);
            continue;
        }
        expect_near("norm after", norm_of(tensors, sizes, 1) / limit, 1, 1e-6);
        for (int i = 0; i < 100; i++)
            expect_near("direction", (double)g[i] * norm / limit, before[i], 1e-5);
    }
}

/* With a loss scale of 2^k, unscaled before the norm is taken, the update is the same to the bit;
 * clipped before unscaling it would be 2^k times too short. */
Test(clip, update_does_not_depend_on_the_loss_scale)
{
    enum { N = 64 };
    float want[N], momentum[N] = {0};
    for (int power = 0; power <= 16; power += 8) {
        float scale = ldexpf(1.0f, power), g[N], w[N];
        float *const tensors[1] = {g};
        const size_t sizes[1] = {N};
        for (int i = 0; i < N; i++) {
            g[i] = test_number(26, i, -3, 3) * scale;
            w[i] = test_number(27, i, -1, 1);
        }
        det_scale(dev, N, &(float){1.0f / scale}, g);
        clip_all(tensors, sizes, 1, 10);
        struct det_update update = {.lr = 0.02, .momentum = 0.9, .step = 1};
        struct det_update_terms terms = det_update_terms_of(&update);
        det_update(dev, DET_SGD, &terms, NULL, N, w, g, momentum, NULL);
        if (power == 0)
            memcpy(want, w, sizeof want);
        expect_same_bits("weights", w, want, N);
    }
}

/* Lengths around the lanes' and the blocks' borders, and more than one group of blocks. */
Test(clip, sum_of_squares_at_every_border)
{
    enum { GROUP = 64 * DET_BLOCK }; /* blocks that are worked on at once */
    static const size_t sizes[] = {
        0, 1, 7, 8, 9, 15, 16383, 16384, 16384 + 1, 32771, GROUP - 1, GROUP + 5, 2 * GROUP + 9};
    size_t most = 2 * GROUP + 9;
    float *g = malloc(most * sizeof *g);
    cr_assert_not_null(g);
    for (size_t i = 0; i < most; i++)
        g[i] = (float)(i % 7) - 3.0f; /* small integers: every sum is exact */
    for (size_t c = 0; c < sizeof sizes / sizeof sizes[0]; c++) {
        double want = 1000, got = 1000; /* the sum is added to */
        for (size_t i = 0; i < sizes[c]; i++)
            want += (double)g[i] * (double)g[i];
        det_sum_squares(dev, sizes[c], g, &got);
        cr_expect_eq(got, want, "%zu gradients: got %.17g, want %.17g", sizes[c], got, want);
    }
    free(g);
}

Test(clip, same_bits_for_any_number_of_threads)
{
    enum { N = 100001 };
    static float g[N];
    double want = 0;
    for (int i = 0; i < N; i++)
        g[i] = test_number(28, i, -1, 1);
    det_sum_squares(dev, N, g, &want);
    for (int threads = 2; threads <= 5; threads++) {
        struct test_device other;
        double got = 0;
        det_sum_squares(test_device_open(&other, threads), N, g, &got);
        cr_expect_eq(got, want, "%d threads: got %a, want %a", threads, got, want);
        test_device_close(&other);
    }
}

/* Squares are taken in double: 1e30^2 is not infinite, 1e-30^2 not zero. NaN and infinity show. */
Test(clip, sum_of_squares_of_extremes)
{
    enum { N = 19 }; /* lanes and a tail */
    float g[N];
    double sum = 0;
    for (int i = 0; i < N; i++)
        g[i] = 1e30f;
    det_sum_squares(dev, N, g, &sum);
    expect_near("1e30", sum / 1e60, N, 1e-6);
    sum = 0;
    for (int i = 0; i < N; i++)
        g[i] = 1e-30f;
    det_sum_squares(dev, N, g, &sum);
    expect_near("1e-30", sum * 1e60, N, 1e-6);
    g[3] = -INFINITY;
    det_sum_squares(dev, N, g, &sum);
    cr_expect_eq(sum, INFINITY);
    g[N - 1] = NAN;
    det_sum_squares(dev, N, g, &sum);
    cr_expect(isnan(sum));
}

/* Found at any place, in any block; a flag that is set stays. */
Test(clip, check_finite_finds_every_place)
{
    enum { N = 40000 };
    static float x[N];
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    int32_t flag = 0;
    for (int i = 0; i < N; i++)
        x[i] = i % 2 ? FLT_MAX : -FLT_MIN / 4;
    det_check_finite(dev, N, x, &flag);
    cr_expect_eq(flag, 0, "finite numbers, the largest and denormals: flag %d", flag);
    for (int i = 0; i < N; i += 1777) {
        float before = x[i];
        x[i] = bad[i % 3];
        flag = 0;
        det_check_finite(dev, N, x, &flag);
        cr_expect_eq(flag, 1, "%g at %d is not found", (double)bad[i % 3], i);
        det_check_finite(dev, (size_t)i, x, &flag);
        cr_expect_eq(flag, 1, "the flag was cleared");
        x[i] = before;
    }
    flag = 0;
    det_check_finite(dev, 0, NULL, &flag);
    cr_expect_eq(flag, 0);
}

Test(clip, scale_touches_only_its_elements)
{
    enum { N = 20000 };
    static float x[N + 1];
    for (int i = 0; i <= N; i++)
        x[i] = (float)i;
    det_scale(dev, N, &(float){0.5f}, x);
    for (int i = 0; i < N; i++)
        cr_assert_eq(x[i], 0.5f * (float)i, "[%d]: got %g", i, (double)x[i]);
    cr_expect_eq(x[N], (float)N);
}
