/* Location and scale that a few odd values do not move, and what a few runs say of the next one. */
#ifndef HARNESS_STATISTICS_ROBUST_H
#define HARNESS_STATISTICS_ROBUST_H

#include <stddef.h>

#define ROBUST_MAX 256 /* values that these take */

/* The scale estimator Qn of Rousseeuw and Croux ("Alternatives to the Median Absolute Deviation",
 * JASA 88, 1993): the k-th smallest of the distances between pairs, k = C(n/2 + 1, 2), times 2.2219
 * and their factor for small n; consistent for the normal's standard deviation. Half of the values
 * may be odd, and of normal ones it wastes 18 % (the MAD 63 %). 0 for fewer than two, n at most
 * ROBUST_MAX. */
double robust_qn(const double *values, size_t n);

/* Expected largest of n standard normal values (Blom: the quantile of (n - 3/8) / (n + 1/4)). */
double robust_expected_largest(size_t n);

/* The quantile of the standard normal distribution, 0 < p < 1 (bisection on erfc). */
double robust_normal_quantile(double p);

/* The least k for which the next count is above k with probability below alpha, after n counts that
 * were all 0: the gamma-Poisson law with Jeffreys' prior, a negative binomial of shape 1/2. */
int robust_next_count_after_zeros(size_t n, double alpha);

/* The exact (Clopper-Pearson) 95 % interval of a share of which k of n were seen. */
void robust_share_interval(int k, int n, double *low, double *high);

#endif
