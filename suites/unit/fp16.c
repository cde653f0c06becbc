/* Rounding to binary16: 11 bits of significand from 2^-14 on, steps of 2^-24 below, infinite from
 * 65520 on. */
#include "detector/bodies/fp16.h"
#include "detector/training/rounding.h"
#include "suites/loss_suite.h"

#include <float.h>

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

Test(fp16, by_hand)
{
    static const struct {
        float x, want;
        const char *why;
    } cases[] = {
        {1.0f, 1.0f, "held exactly"},
        {0x1.002p0f, 0x1p0f, "1 + 2^-11 is a tie: to the even 1"},
        {0x1.006p0f, 0x1.008p0f, "1 + 3 * 2^-11 is a tie: up to the even 1 + 2^-9"},
        {0x1.002002p0f, 0x1.004p0f, "just above a tie: up"},
        {0x1.001ffep0f, 0x1p0f, "just below a tie: down"},
        {-0x1.006p0f, -0x1.008p0f, "the sign does not matter"},
        {0x1.ffep0f, 0x1p1f, "a carry into the exponent"},
        {3.14159274f, 3.140625f, "pi"},
        {65504.0f, 65504.0f, "the largest"},
        {0x1.ffdffep15f, 65504.0f, "just below the tie with infinity"},
        {65520.0f, INFINITY, "the tie with infinity"},
        {FLT_MAX, INFINITY, "far beyond"},
        {-1e5f, -INFINITY, "beyond, negative"},
        {0x1p-14f, 0x1p-14f, "the smallest normal number"},
        {0x1.ff8p-15f, 0x1.ff8p-15f, "the largest subnormal one, 1023 steps"},
        {0x1.ffcp-15f, 0x1p-14f, "a tie between subnormal and normal: to the even"},
        {0x1p-24f, 0x1p-24f, "the smallest subnormal"},
        {0x1p-25f, 0.0f, "half of it is a tie: to the even zero"},
        {0x1.000002p-25f, 0x1p-24f, "just above: up"},
        {0x1.8p-24f, 0x1p-23f, "a step and a half: to the even two"},
        {0x1.4p-23f, 0x1p-23f, "two and a half: to the even two"},
        {FLT_MIN / 4, 0.0f, "a float's own subnormal"},
        {INFINITY, INFINITY, "infinity stays"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(det_fp16(cases[i].x), cases[i].want, "%a (%s): got %a, want %a",
                     (double)cases[i].x, cases[i].why, (double)det_fp16(cases[i].x),
                     (double)cases[i].want);
    cr_expect_eq(to_bits(det_fp16(-0.0f)), 0x80000000u, "minus zero keeps its sign");
    cr_expect_eq(to_bits(det_fp16(-0x1p-26f)), 0x80000000u, "what vanishes too");
}

Test(fp16, a_nan_stays_a_nan)
{
    static const uint32_t nans[] = {0x7F800001u, 0x7F801FFFu, 0x7FC00000u, 0x7FFFFFFFu,
                                    0xFF800001u, 0xFFFFFFFFu};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++)
        cr_expect(isnan(det_fp16(from_bits(nans[i]))), "%08x: got %08x", nans[i],
                  to_bits(det_fp16(from_bits(nans[i]))));
}

/* The definition, in double: to a multiple of the step at that size, ties to even. */
static double defined(double x)
{
    int exponent;
    frexp(x, &exponent); /* |x| in [2^(exponent - 1), 2^exponent) */
    double step = ldexp(1.0, (exponent - 1 < -14 ? -14 : exponent - 1) - 10);
    double rounded = nearbyint(x / step) * step;
    return fabs(rounded) >= 65536.0 ? copysign(INFINITY, x) : rounded;
}

/* A float of every sign and exponent, with all significands that decide a rounding. */
Test(fp16, every_exponent_by_the_definition)
{
    static const uint32_t tails[] = {0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF, 0x2000, 0x3000, 0x3001,
                                     0x7FEFFF, 0x7FF000, 0x7FF001, 0x7FFFFF};
    for (uint32_t high = 0; high < 512; high++)
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
            for (uint32_t middle = 0; middle < 0x700000; middle += 0x124000) {
                float x = from_bits(high << 23 | (tails[i] + middle) % 0x800000u);
                if (!isfinite(x))
                    continue;
                double want = defined((double)x), got = (double)det_fp16(x);
                cr_assert(got == want && signbit(got) == signbit((double)x), "%a: got %a, want %a",
                          (double)x, got, want);
            }
}

Test(fp16, whole_tensors_in_place_and_on_any_threads)
{
    enum { N = 40001 };
    static float x[N], y[N];
    struct test_device device;
    for (int threads = 1; threads <= 3; threads++) {
        struct det_device *dev = test_device_open(&device, threads);
        for (int i = 0; i < N; i++)
            x[i] = ldexpf(test_number(31, i, -1, 1), i % 50 - 30);
        det_round_fp16(dev, N, x, y);
        for (int i = 0; i < N; i++)
            cr_assert_eq(to_bits(y[i]), to_bits(det_fp16(x[i])), "[%d]", i);
        det_round_fp16(dev, N, x, x);
        expect_same_bits("in place", x, y, N);
        test_device_close(&device);
    }
}
