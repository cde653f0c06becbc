/* What the two classification losses share on the CPU: counts and hard negatives. */
#ifndef DET_LOSSES_CLS_LOSS_H
#define DET_LOSSES_CLS_LOSS_H

#include "detector/backend/cpu.h"
#include "detector/bodies/avg_factor.h"
#include "detector/bodies/cls_loss.h"
#include "detector/losses/losses.h"
#include "detector/losses/ohem.h"

/* Count one row that takes part. */
void det_cls_count(struct det_avg_counts *counts, const struct det_cls_weights *weights, int label);

/* The negatives OHEM keeps: keys[0..negatives) are those of all negatives (any order). */
struct det_ohem det_cls_hard_negatives(const struct det_cls_loss *loss, const uint32_t *keys,
                                       int negatives, int64_t positives);

#endif
