/* What a summed loss is divided by: the one place where the losses are normalised. */
#ifndef DET_BODIES_AVG_FACTOR_H
#define DET_BODIES_AVG_FACTOR_H

#include "detector/backend/backend.h"
#include "detector/bodies/host_device.h"

struct det_avg_counts {
    int64_t rows;      /* all live rows */
    int64_t sampled;   /* rows that count: label >= 0 (OHEM: those kept) */
    int64_t positives; /* of these, label > 0 */
    double weights;    /* sum of the rows' weights */
};

DET_BODY double det_at_least_one(double n)
{
    return n > 1.0 ? n : 1.0;
}

/* What the loss's sum is multiplied by: 1 for a sum, else 1 / denominator; 0 where there is nothing
 * to divide by, so that an empty sum stays 0. `fixed` is DET_AVG_FIXED's. */
DET_BODY double det_avg_inverse(enum det_reduction reduction, enum det_avg_factor factor,
                                double fixed, const struct det_avg_counts *counts)
{
    if (reduction != DET_REDUCTION_MEAN)
        return 1.0;
    switch (factor) {
    case DET_AVG_WEIGHTS:
        return counts->weights > 0.0 ? 1.0 / counts->weights : 0.0;
    case DET_AVG_SAMPLED:
        return 1.0 / det_at_least_one((double)counts->sampled);
    case DET_AVG_POSITIVES:
        return 1.0 / det_at_least_one((double)counts->positives);
    case DET_AVG_ALL:
        return 1.0 / det_at_least_one((double)counts->rows);
    case DET_AVG_FIXED:
        return 1.0 / det_at_least_one(fixed);
    }
    return 0.0;
}

/* What gradients are multiplied by beside that; NULL: nothing. */
DET_BODY double det_loss_scale(const float *loss_scale)
{
    return loss_scale ? (double)*loss_scale : 1.0;
}

#endif
