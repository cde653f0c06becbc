/* The sampler: quotas, which candidates are drawn, and that nothing else matters. */
#include "detector/boxes/sampler.h"
#include "detector/bodies/philox.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

static struct det_sampler sampler_of(int batch, float fraction)
{
    return (struct det_sampler){batch, fraction, 1000003, DET_PURPOSE_RPN_POSITIVE,
                                DET_PURPOSE_RPN_NEGATIVE};
}

/* n labels, of which the first `positives` 1, the next `negatives` 0, the rest -1; shuffled by a
 * stride that has no factor in common with n. */
static void make_labels(int n, int positives, int negatives, int8_t *labels)
{
    for (int i = 0; i < n; i++)
        labels[(size_t)i * 7919 % (size_t)n] = i < positives               ? 1
                                               : i < positives + negatives ? 0
                                                                           : -1;
}

static int count(int n, const int8_t *labels, int8_t label)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        found += labels[i] == label;
    return found;
}

Test(sampler, quotas)
{
    static const struct {
        int positives, negatives, batch;
        float fraction;
        int want_positives, want_negatives;
    } cases[] = {
        {100, 900, 64, 0.5f, 32, 32},  {5, 900, 64, 0.5f, 5, 59},   {0, 900, 64, 0.5f, 0, 64},
        {100, 3, 64, 0.5f, 32, 3},     {100, 0, 64, 0.5f, 32, 0},   {0, 0, 64, 0.5f, 0, 0},
        {100, 900, 64, 0.25f, 16, 48}, {4, 7, 64, 0.5f, 4, 7},      {100, 900, 10, 0.3f, 3, 7},
        {100, 900, 3, 0.5f, 1, 2},     {100, 900, 64, 1.0f, 64, 0}, {100, 900, 64, 0.0f, 0, 64},
    };
    enum { N = 1000 };
    static uint64_t keys[N];
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        int8_t labels[N];
        int8_t before[N];
        struct det_sampler sampler = sampler_of(cases[c].batch, cases[c].fraction);
        make_labels(N, cases[c].positives, cases[c].negatives, labels);
        memcpy(before, labels, sizeof before);
        struct det_sample_counts got = det_sample(&sampler, N, labels, 7, 3, keys);
        cr_expect_eq(got.positives, cases[c].want_positives, "case %zu: %d positives", c,
                     got.positives);
        cr_expect_eq(got.negatives, cases[c].want_negatives, "case %zu: %d negatives", c,
                     got.negatives);
        cr_expect_eq(got.positive_candidates, cases[c].positives, "case %zu", c);
        cr_expect_eq(got.negative_candidates, cases[c].negatives, "case %zu", c);
        cr_expect_eq(count(N, labels, 1), got.positives, "case %zu: positive labels", c);
        cr_expect_eq(count(N, labels, 0), got.negatives, "case %zu: negative labels", c);
        for (int i = 0; i < N; i++)
            cr_expect(labels[i] == -1 || labels[i] == before[i], "case %zu: candidate %d: %d to %d",
                      c, i, before[i], labels[i]);
    }
}

/* Known answer: a candidate is drawn if fewer than k others of its kind have a smaller
 * (Philox word 0, index). */
Test(sampler, draws_the_smallest_keys)
{
    enum { N = 500, NEGATIVES = 300, BATCH = 40 };
    static uint64_t keys[N];
    int8_t before[N];
    int8_t labels[N];
    struct det_sampler sampler = sampler_of(BATCH, 0.5f);
    sampler.seed = ((uint64_t)77 << 32) | 5;
    int64_t image = ((int64_t)9 << 32) | 31; /* only the low word counts */
    make_labels(N, 100, NEGATIVES, before);
    memcpy(labels, before, sizeof labels);
    det_sample(&sampler, N, labels, image, 12, keys);
    for (uint32_t i = 0; i < N; i++) {
        if (before[i] < 0)
            continue;
        uint32_t purpose = before[i] ? 1 : 2;
        uint32_t key = det_philox(i, 31, 12, purpose, sampler.seed).word[0];
        int smaller = 0;
        for (uint32_t j = 0; j < N; j++) {
            uint32_t other = det_philox(j, 31, 12, purpose, sampler.seed).word[0];
            smaller += before[j] == before[i] && (other < key || (other == key && j < i));
        }
        int want = smaller < BATCH / 2 ? before[i] : -1;
        cr_expect_eq(labels[i], want, "candidate %u: got %d want %d", i, labels[i], want);
    }
}

static void sample_once(uint64_t seed, int64_t image, uint32_t step, int8_t *labels, int n)
{
    static uint64_t keys[1000];
    struct det_sampler sampler = sampler_of(64, 0.5f);
    sampler.seed = seed;
    make_labels(n, 200, 700, labels);
    det_sample(&sampler, n, labels, image, step, keys);
}

Test(sampler, seed_image_and_step_each_change_the_draw_and_nothing_else_does)
{
    enum { N = 1000 };
    int8_t base[N];
    int8_t other[N];
    sample_once(1, 2, 3, base, N);
    sample_once(1, 2, 3, other, N);
    cr_expect_eq(memcmp(base, other, N), 0, "same inputs");
    sample_once(9, 2, 3, other, N);
    cr_expect_neq(memcmp(base, other, N), 0, "seed");
    sample_once(1, 9, 3, other, N);
    cr_expect_neq(memcmp(base, other, N), 0, "image");
    sample_once(1, 2, 9, other, N);
    cr_expect_neq(memcmp(base, other, N), 0, "step");
}

Test(sampler, no_candidates)
{
    uint64_t key;
    int8_t label = 1;
    struct det_sampler sampler = sampler_of(64, 0.5f);
    struct det_sample_counts got = det_sample(&sampler, 0, &label, 1, 1, &key);
    cr_expect(got.positives == 0 && got.negatives == 0);
    cr_expect_eq(label, 1, "untouched");
}
