/* Sums of floats in double, in a fixed order that leaves the compiler room to use vectors.
 * Internal to layers/. */
#ifndef DET_LAYERS_SUM_H
#define DET_LAYERS_SUM_H

#include <stddef.h>

/* Element i is added to lane i % DET_LANES; the lanes are added in order. With half as many every
 * addition of the widest vectors would wait for the one before it. */
#define DET_LANES 16

static inline double det_add_lanes(const double *lane, int lanes)
{
    double sum = 0.0;
    for (int l = 0; l < lanes; l++)
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
    return det_add_lanes(lane, DET_LANES);
}

#define DET_PAIR_LANES (DET_LANES / 2)

struct det_sum_dot {
    double sum, dot;
};

/* Sums of b[i] and of (a[i] - shift) * b[i]; the products are formed in double. Neither sum waits for
 * the other's additions, so that each has half the lanes. */
static inline struct det_sum_dot det_sum_dot(const float *a, double shift, const float *b, size_t n)
{
    double sum[DET_PAIR_LANES] = {0};
    double dot[DET_PAIR_LANES] = {0};
    size_t i = 0;
    for (; i + DET_PAIR_LANES <= n; i += DET_PAIR_LANES)
        for (int l = 0; l < DET_PAIR_LANES; l++) {
            double value = (double)b[i + (size_t)l];
            sum[l] += value;
            dot[l] += ((double)a[i + (size_t)l] - shift) * value;
        }
    for (int l = 0; i < n; i++, l++) {
        sum[l] += (double)b[i];
        dot[l] += ((double)a[i] - shift) * (double)b[i];
    }
    return (struct det_sum_dot){det_add_lanes(sum, DET_PAIR_LANES), det_add_lanes(dot, DET_PAIR_LANES)};
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
    return det_add_lanes(lane, DET_LANES);
}

#endif
