/* What the two classification losses do to each row, on every backend: row weights, how many hard
 * negatives there are to be, the monitors' counts. */
#ifndef DET_BODIES_CLS_LOSS_H
#define DET_BODIES_CLS_LOSS_H

#include "detector/backend/backend.h"
#include "detector/bodies/host_device.h"

#include <math.h>
#include <string.h>

/* The three kinds as one: a weight for positives, one for negatives, and an exponent. */
struct det_cls_weights {
    float positive, negative;
    float gamma; /* 0: cross entropy */
};

DET_BODY struct det_cls_weights det_cls_weights_of(const struct det_cls_loss *loss)
{
    struct det_cls_weights weights = {loss->pos_weight, 1.0f, 0.0f};
    if (loss->kind != DET_CLS_FOCAL)
        return weights;
    weights.gamma = loss->focal_gamma;
    if (loss->focal_alpha >= 0.0f) {
        weights.positive *= loss->focal_alpha;
        weights.negative = 1.0f - loss->focal_alpha;
    }
    return weights;
}

DET_BODY float det_cls_weight(const struct det_cls_weights *weights, int label)
{
    return label > 0 ? weights->positive : weights->negative;
}

/* A loss (>= 0) as a key of the same order: the bits without the sign. A NaN is harder than
 * anything, so it is kept and seen. */
DET_BODY uint32_t det_ohem_key(float loss)
{
    uint32_t bits;
    memcpy(&bits, &loss, sizeof bits);
    return bits & 0x7FFFFFFFu;
}

/* How many of the negatives OHEM keeps. */
DET_BODY int det_ohem_wanted(const struct det_cls_loss *loss, int negatives, int64_t positives)
{
    int64_t base = positives > loss->ohem_min_positives ? positives : loss->ohem_min_positives;
    float wanted = floorf(loss->ohem_ratio * (float)base); /* in float: 0.7f * 10 is 7 */
    return wanted < (float)negatives ? (int)wanted : negatives;
}

/* Count one row with label >= 0. predicted: arg-max class, 0 = background, -1 = not a number. */
DET_BODY void det_cls_stats_add(struct det_cls_stats *stats, int label, int predicted)
{
    stats->positives += label > 0;
    stats->negatives += label == 0;
    stats->positives_right += label > 0 && predicted == label;
    stats->positives_missed += label > 0 && predicted == 0;
    stats->predicted_positive += predicted > 0;
    stats->rows_right += predicted == label;
}

#endif
