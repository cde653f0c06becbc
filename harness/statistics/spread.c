#include "harness/statistics/spread.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct spread spread_of(double *values, size_t n)
{
    if (n == 0)
        return (struct spread){0};
    qsort(values, n, sizeof *values, ascending);
    double median = n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
    return (struct spread){values[0], median, values[n - 1]};
}
