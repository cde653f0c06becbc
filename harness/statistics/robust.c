#include "harness/statistics/robust.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Croux and Rousseeuw's factors for 2 to 9 values; beyond, a formula for each parity. */
static double small_sample_factor(size_t n)
{
    static const double factors[] = {0.399, 0.994, 0.512, 0.844, 0.611, 0.857, 0.669, 0.872};
    double size = (double)n;
    if (n < 10)
        return factors[n - 2];
    return n % 2 ? size / (size + 1.4) : size / (size + 3.8);
}

double robust_qn(const double *values, size_t n)
{
    static const double consistency = 2.2219;
    size_t h = n / 2 + 1, k = h * (h - 1) / 2, pairs = 0;
    if (n < 2 || n > ROBUST_MAX)
        return 0;
    double *distances = malloc(n * (n - 1) / 2 * sizeof *distances);
    if (!distances)
        return (double)NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            distances[pairs++] = fabs(values[i] - values[j]);
    qsort(distances, pairs, sizeof *distances, ascending);
    double qn = small_sample_factor(n) * consistency * distances[k - 1];
    free(distances);
    return qn;
}

double robust_normal_quantile(double p)
{
    double low = -40, high = 40;
    for (int i = 0; i < 200; i++) {
        double middle = 0.5 * (low + high);
        if (0.5 * erfc(-middle / sqrt(2.0)) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

double robust_expected_largest(size_t n)
{
    return robust_normal_quantile(((double)n - 0.375) / ((double)n + 0.25));
}

int robust_next_count_after_zeros(size_t n, double alpha)
{
    double shape = 0.5, stay = (double)n / ((double)n + 1);
    double probability = pow(stay, shape), above = 1 - probability;
    int k = 0;
    for (; above >= alpha && k < 1000; k++) {
        probability *= (shape + k) / (k + 1) * (1 - stay);
        above -= probability;
    }
    return k;
}

/* Probability of at most k of n with share p. */
static double at_most(int k, int n, double p)
{
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) +
                   (n - i) * log1p(-p));
    return sum;
}

/* The share p at which at most k of n has this probability. */
static double share_where(int k, int n, double probability)
{
    double low = 1e-12, high = 1 - 1e-12;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (at_most(k, n, middle) > probability)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

void robust_share_interval(int k, int n, double *low, double *high)
{
    *low = k == 0 ? 0 : share_where(k - 1, n, 0.975);
    *high = k >= n ? 1 : share_where(k, n, 0.025);
}
