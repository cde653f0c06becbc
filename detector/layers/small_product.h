/* Matrix products that OpenBLAS forms without copying the operands first, which for products as
 * small as ours costs up to a third of the time. Internal to layers/. */
#ifndef DET_LAYERS_SMALL_PRODUCT_H
#define DET_LAYERS_SMALL_PRODUCT_H

#include "detector/layers/integers.h"

#define DET_SMALL_PRODUCT 1000000 /* multiplications, at most */

/* Into how many rows (or columns) of a matrix to cut it for such products, where one row takes
 * `each` multiplications: a multiple of `step`, at most n; or all n where not even one step fits. */
static inline int det_small_rows(int n, double each, int step)
{
    double fit = (double)DET_SMALL_PRODUCT / each;
    if (fit >= (double)n || fit < (double)step)
        return n;
    return (int)fit / step * step;
}

#endif
