/* Norms of a host array, in double. */
#ifndef HARNESS_DECISIONS_NORM_H
#define HARNESS_DECISIONS_NORM_H

#include <math.h>
#include <stddef.h>

static inline double norm_of(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* 0 of nothing. */
static inline double root_mean_square(const float *x, size_t n)
{
    return n ? norm_of(x, n) / sqrt((double)n) : 0.0;
}

#endif
