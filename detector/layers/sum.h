/* Sums of floats in double, in a fixed order that leaves the compiler room to use vectors.
 * Internal to layers/. */
#ifndef DET_LAYERS_SUM_H
#define DET_LAYERS_SUM_H

#include <stddef.h>

#define DET_LANES 8 /* element i is added to lane i % 8; the lanes are added from 0 to 7 */

static inline double det_add_lanes(const double lane[DET_LANES])
{
    double sum = 0.0;
    for (int l = 0; l < DET_LANES; l++)
        sum += lane[l];
    return sum;
}

static inline double det_sum(const float *x, size_t n)
{
    double lane[DET_LANES] = {0};
    size_t i = 0;
    for (; i + DET_LANES <= n; i += DET_LANES)
        for (int l = 0; l < DET_LANES; l++)
            lane[l] += (double)x[i + (size_t)l];
    for (int l = 0; i < n; i++, l++)
        lane[l] += (double)x[i];
    return det_add_lanes(lane);
}

/* Sum of (a[i] - shift) * b[i]; the products are formed in double. */
static inline double det_dot(const float *a, double shift, const float *b, size_t n)
{
    double lane[DET_LANES] = {0};
    size_t i = 0;
    for (; i + DET_LANES <= n; i += DET_LANES)
        for (int l = 0; l < DET_LANES; l++)
            lane[l] += ((double)a[i + (size_t)l] - shift) * (double)b[i + (size_t)l];
    for (int l = 0; i < n; i++, l++)
        lane[l] += ((double)a[i] - shift) * (double)b[i];
    return det_add_lanes(lane);
}

/* Sum of (x[i] - shift)^2. */
static inline double det_sum_squares_about(const float *x, double shift, size_t n)
{
    double lane[DET_LANES] = {0};
    size_t i = 0;
    for (; i + DET_LANES <= n; i += DET_LANES)
        for (int l = 0; l < DET_LANES; l++) {
            double d = (double)x[i + (size_t)l] - shift;
            lane[l] += d * d;
        }
    for (int l = 0; i < n; i++, l++) {
        double d = (double)x[i] - shift;
        lane[l] += d * d;
    }
    return det_add_lanes(lane);
}

#endif
