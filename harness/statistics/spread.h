/* Least, median and most of a few numbers: what this project quotes of anything measured. */
#ifndef HARNESS_STATISTICS_SPREAD_H
#define HARNESS_STATISTICS_SPREAD_H

#include <stddef.h>

struct spread {
    double least, median, most;
};

/* Sorts values[n]. The median of an even number is the mean of the middle two; of none, all are 0.
 * NaN has no place in the order: the caller keeps it out. */
struct spread spread_of(double *values, size_t n);

#endif
