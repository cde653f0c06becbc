/* What a summed loss is divided by: the one place where the losses are normalised. */
#ifndef DET_LOSSES_AVG_FACTOR_H
#define DET_LOSSES_AVG_FACTOR_H

#include "detector/backend/backend.h"

struct det_avg_counts {
    int64_t rows;      /* all live rows */
    int64_t sampled;   /* rows that count: label >= 0 (OHEM: those kept) */
    int64_t positives; /* of these, label > 0 */
    double weights;    /* sum of the rows' weights */
};

/* What the loss's sum is multiplied by: 1 for a sum, else 1 / denominator; 0 where there is nothing
 * to divide by, so that an empty sum stays 0. `fixed` is DET_AVG_FIXED's. */
double det_avg_inverse(enum det_reduction reduction, enum det_avg_factor factor, double fixed,
                       const struct det_avg_counts *counts);

#endif
