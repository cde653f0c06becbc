/* Rounding to bfloat16: 8 bits of significand, so the spacing is 2^-7 in [1, 2). */
#include "detector/bodies/bf16.h"
#include "detector/training/rounding.h"
#include "suites/loss_suite.h"

#include <float.h>

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

Test(bf16, by_hand)
{
    static const struct {
        float x, want;
        const char *why;
    } cases[] = {
        {0x1p0f, 0x1p0f, "held exactly"},
        {0x1.01p0f, 0x1p0f, "1 + 2^-8 is a tie: to the even 1"},
        {0x1.03p0f, 0x1.04p0f, "1 + 3 * 2^-8 is a tie: up to the even 1 + 2^-6"},
        {0x1.010002p0f, 0x1.02p0f, "just above a tie: up"},
        {0x1.00fffep0f, 0x1p0f, "just below a tie: down"},
        {-0x1.03p0f, -0x1.04p0f, "the sign does not matter"},
        {0x1.ffp0f, 0x1p1f, "a carry into the exponent"},
        {3.14159274f, 3.140625f, "pi"},
        {0.0f, 0.0f, "zero"},
        {0x1p-149f, 0.0f, "the smallest denormal"},
        {0x1.02p-126f, 0x1.02p-126f, "near the smallest normal"},
        {FLT_MAX, INFINITY, "beyond the largest bfloat16"},
        {0x1.fep127f, 0x1.fep127f, "the largest bfloat16"},
        {-INFINITY, -INFINITY, "infinity stays"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(det_bf16(cases[i].x), cases[i].want, "%a (%s): got %a, want %a",
                     (double)cases[i].x, cases[i].why, (double)det_bf16(cases[i].x),
                     (double)cases[i].want);
    cr_expect_eq(to_bits(det_bf16(-0.0f)), 0x80000000u, "minus zero keeps its sign");
}

/* A NaN whose payload lies in the lower half would become an infinity by cutting, and one with all
 * bits set would wrap round to zero by adding. */
Test(bf16, a_nan_stays_a_nan)
{
    static const uint32_t nans[] = {0x7F800001u, 0x7F80FFFFu, 0x7FC00000u,
                                    0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++)
        cr_expect(isnan(det_bf16(from_bits(nans[i]))), "%08x: got %08x", nans[i],
                  to_bits(det_bf16(from_bits(nans[i]))));
}

/* Over all magnitudes: the lower half is empty, rounding again changes nothing, and neither
 * neighbour is nearer (a tie's chosen one is even). */
Test(bf16, is_the_nearest)
{
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bits = det_philox(i, 0, 0, 97, 5).word[0] & 0xFF7FFFFFu; /* exponent below 255 */
        float x = from_bits(bits), y = det_bf16(x);
        uint32_t low = bits & 0xFFFF0000u, got = to_bits(y);
        double below = fabs((double)x - (double)from_bits(low));
        double above = fabs((double)from_bits(low + 0x10000u) - (double)x);
        uint32_t want = below < above    ? low
                        : above < below  ? low + 0x10000u
                        : low & 0x10000u ? low + 0x10000u
                                         : low;
        cr_expect_eq(got, want, "%08x: got %08x, want %08x", bits, got, want);
        cr_expect_eq(to_bits(det_bf16(y)), got, "%08x: rounding twice moves it", bits);
    }
}

Test(bf16, whole_tensors_in_place_and_in_parallel)
{
    enum { N = 40001 };
    static float x[N + 1], y[N + 1];
    for (int threads = 1; threads <= 3; threads += 2) {
        struct test_device device;
        struct det_device *dev = test_device_open(&device, threads);
        for (int i = 0; i <= N; i++)
            x[i] = test_number(29, i, -100, 100);
        y[N] = 7;
        det_round_bf16(dev, N, x, y);
        cr_expect_eq(y[N], 7.0f, "wrote behind the tensor");
        det_round_bf16(dev, N, x, x);
        expect_same_bits("in place", x, y, N);
        for (int i = 0; i < N; i++)
            cr_assert_eq(y[i], det_bf16(test_number(29, i, -100, 100)), "[%d]", i);
        test_device_close(&device);
    }
}
