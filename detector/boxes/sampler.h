/* The balanced sampler of the RPN and the RoI head (Ren et al., NIPS 2015), by counter-based random
 * numbers: which candidates are drawn is a function of (seed, step, image id, candidate), never of
 * call order or batch mates. */
#ifndef DET_BOXES_SAMPLER_H
#define DET_BOXES_SAMPLER_H

#include "detector/backend/backend.h"

struct det_sample_counts {
    int positive_candidates, negative_candidates;
    int positives, negatives; /* sampled */
};

/* labels[n]: 1 positive, 0 negative, -1 neither. On return the candidates that were not drawn are
 * -1. Positives: min(available, batch * positive_fraction); negatives fill up to the batch. Of each
 * the k with the smallest (key, index) are drawn; key = word 0 of Philox with counter (index, low
 * word of image_id, step, purpose). keys[n]: scratch. */
struct det_sample_counts det_sample(const struct det_sampler *sampler, int n, int8_t *labels,
                                    int64_t image_id, uint32_t step, uint64_t *keys);

#endif
