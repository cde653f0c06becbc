#include "detector/losses/avg_factor.h"

static double at_least_one(double n)
{
    return n > 1.0 ? n : 1.0;
}

double det_avg_inverse(enum det_reduction reduction, enum det_avg_factor factor, double fixed,
                       const struct det_avg_counts *counts)
{
    if (reduction != DET_REDUCTION_MEAN)
        return 1.0;
    switch (factor) {
    case DET_AVG_WEIGHTS:
        return counts->weights > 0.0 ? 1.0 / counts->weights : 0.0;
    case DET_AVG_SAMPLED:
        return 1.0 / at_least_one((double)counts->sampled);
    case DET_AVG_POSITIVES:
        return 1.0 / at_least_one((double)counts->positives);
    case DET_AVG_ALL:
        return 1.0 / at_least_one((double)counts->rows);
    case DET_AVG_FIXED:
        return 1.0 / at_least_one(fixed);
    }
    return 0.0;
}
