/* Philox4x32-10 against the known answers of its authors (Random123, kat_vectors). */
#include "detector/bodies/philox.h"

#include <criterion/criterion.h>
#include <math.h>

Test(philox, known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t *c = cases[i].counter;
        uint64_t key = (uint64_t)cases[i].key[1] << 32 | cases[i].key[0];
        struct det_philox got = det_philox(c[0], c[1], c[2], c[3], key);
        for (int w = 0; w < 4; w++)
            cr_expect_eq(got.word[w], cases[i].want[w], "case %zu word %d: got %08x want %08x", i,
                         w, got.word[w], cases[i].want[w]);
    }
}

Test(philox, every_input_matters)
{
    uint32_t base = det_philox(1, 2, 3, 4, 5).word[0];
    cr_expect_neq(det_philox(0, 2, 3, 4, 5).word[0], base, "candidate");
    cr_expect_neq(det_philox(1, 0, 3, 4, 5).word[0], base, "image");
    cr_expect_neq(det_philox(1, 2, 0, 4, 5).word[0], base, "step");
    cr_expect_neq(det_philox(1, 2, 3, 0, 5).word[0], base, "purpose");
    cr_expect_neq(det_philox(1, 2, 3, 4, 0).word[0], base, "seed, low word");
    cr_expect_neq(det_philox(1, 2, 3, 4, 5 | (uint64_t)1 << 32).word[0], base, "seed, high word");
}

Test(philox, uniform_stays_below_one)
{
    cr_expect_eq(det_philox_uniform(0), 0.0f);
    cr_expect_lt(det_philox_uniform(0xffffffffu), 1.0f);
    double sum = 0.0;
    for (uint32_t i = 0; i < 10000; i++)
        sum += (double)det_philox_uniform(det_philox(i, 0, 0, 0, 1).word[0]);
    /* standard deviation of the mean of 10000 uniforms: 0.0029 */
    cr_expect_lt(fabs(sum / 10000.0 - 0.5), 0.012, "mean of 10000: %f", sum / 10000.0);
}
