/* What the two classification losses share: row weights, hard negatives, the monitors' counts. */
#ifndef DET_LOSSES_CLS_LOSS_H
#define DET_LOSSES_CLS_LOSS_H

#include "detector/backend/cpu.h"
#include "detector/losses/avg_factor.h"
#include "detector/losses/losses.h"
#include "detector/losses/ohem.h"

/* The three kinds as one: a weight for positives, one for negatives, and an exponent. */
struct det_cls_weights {
    float positive, negative;
    float gamma; /* 0: cross entropy */
};

struct det_cls_weights det_cls_weights_of(const struct det_cls_loss *loss);

static inline float det_cls_weight(const struct det_cls_weights *weights, int label)
{
    return label > 0 ? weights->positive : weights->negative;
}

/* Count one row that takes part. */
void det_cls_count(struct det_avg_counts *counts, const struct det_cls_weights *weights, int label);

/* The negatives OHEM keeps: keys[0..negatives) are those of all negatives (any order). */
struct det_ohem det_cls_hard_negatives(const struct det_cls_loss *loss, const uint32_t *keys,
                                       int negatives, int64_t positives);

/* Count one row with label >= 0. predicted: arg-max class, 0 = background, -1 = not a number. */
void det_cls_stats_add(struct det_cls_stats *stats, int label, int predicted);

#endif
