/* The statistics behind envelopes against published values. */
#include "harness/statistics/robust.h"

#include <criterion/criterion.h>
#include <math.h>

static void expect_near(const char *what, double got, double want, double tolerance)
{
    cr_expect(fabs(got - want) <= tolerance, "%s: %.6g, want %.6g within %g", what, got, want,
              tolerance);
}

Test(robust, qn)
{
    static const double values[] = {1, 2, 4, 8, 16};
    /* Distances 1 2 3 4 6 7 8 12 14 15; h = 3, k = 3: the third, 3, times 0.844 and 2.2219. */
    expect_near("five values", robust_qn(values, 5), 3 * 0.844 * 2.2219, 1e-12);
    cr_expect_eq(robust_qn(values, 1), 0);
    cr_expect_eq(robust_qn((const double[]){5, 5, 5, 5}, 4), 0);
}

/* Values at the normal's quantiles have its standard deviation, also with four of twenty far off. */
Test(robust, qn_of_normal_values_with_odd_ones)
{
    double values[20];
    for (int i = 0; i < 20; i++)
        values[i] = 7 + 2 * robust_normal_quantile((i + 0.5) / 20);
    expect_near("normal", robust_qn(values, 20), 2, 0.3);
    for (int i = 0; i < 4; i++)
        values[5 * i] = 1000 + i;
    cr_expect_lt(robust_qn(values, 20), 5, "%g", robust_qn(values, 20));
}

Test(robust, quantiles)
{
    expect_near("normal 0.975", robust_normal_quantile(0.975), 1.959964, 1e-6);
    expect_near("normal 0.5", robust_normal_quantile(0.5), 0, 1e-12);
    expect_near("largest of 20", robust_expected_largest(20), 1.867, 0.01);
}

/* After 20 zeros: P(0) = sqrt(20/21) = 0.9759, P(1) = 0.0232, P(2) = 0.0008. */
Test(robust, counts_after_zeros)
{
    cr_expect_eq(robust_next_count_after_zeros(20, 0.03), 0);
    cr_expect_eq(robust_next_count_after_zeros(20, 0.02), 1);
    cr_expect_eq(robust_next_count_after_zeros(20, 0.001), 1);
    cr_expect_eq(robust_next_count_after_zeros(20, 0.0005), 2);
}

/* Clopper and Pearson: 0 of 50: 0 to 7.11 %; 1 of 50: 0.05 % to 10.65 %; 50 of 50: 92.89 % to 1. */
Test(robust, intervals_of_a_share)
{
    static const struct {
        int k, n;
        double low, high;
    } cases[] = {{0, 50, 0, 0.0711}, {1, 50, 0.0005, 0.1065}, {50, 50, 0.9289, 1},
                 {5, 10, 0.1871, 0.8129}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double low, high;
        robust_share_interval(cases[i].k, cases[i].n, &low, &high);
        expect_near("low", low, cases[i].low, 1e-4);
        expect_near("high", high, cases[i].high, 1e-4);
    }
}
