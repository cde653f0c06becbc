#include "harness/statistics/spread.h"

#include <criterion/criterion.h>

static void expect_spread(const char *name, double *values, size_t n, double least, double median,
                          double most)
{
    struct spread s = spread_of(values, n);
    cr_expect(s.least == least && s.median == median && s.most == most,
              "%s: got %g %g %g want %g %g %g", name, s.least, s.median, s.most, least, median, most);
}

Test(spread, by_hand)
{
    expect_spread("none", NULL, 0, 0, 0, 0);
    expect_spread("one", (double[]){3}, 1, 3, 3, 3);
    expect_spread("odd", (double[]){9, -1, 4}, 3, -1, 4, 9);
    expect_spread("even", (double[]){9, 1, 4, 2}, 4, 1, 3, 9);
    expect_spread("equal", (double[]){2, 2, 2, 2}, 4, 2, 2, 2);
}
