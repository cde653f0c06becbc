#include "detector/losses/cls_loss.h"

#include <math.h>

static enum det_code check_average(enum det_reduction reduction, enum det_avg_factor factor,
                                   double fixed, struct det_error *err)
{
    if (reduction == DET_REDUCTION_NONE)
        return det_fail(err, DET_INVALID, "reduction: none gives no single loss to train on");
    if (reduction != DET_REDUCTION_MEAN && reduction != DET_REDUCTION_SUM)
        return det_fail(err, DET_INVALID, "reduction: %d is unknown", (int)reduction);
    if ((unsigned)factor > DET_AVG_FIXED)
        return det_fail(err, DET_INVALID, "avg_factor: %d is unknown", (int)factor);
    if (reduction == DET_REDUCTION_SUM && factor != DET_AVG_ALL)
        return det_fail(err, DET_INVALID,
                        "reduction: a sum is not divided, so it takes no avg_factor but ALL");
    if (factor == DET_AVG_FIXED && !(isfinite(fixed) && fixed > 0.0))
        return det_fail(err, DET_INVALID, "fixed_factor: %g is not above 0", fixed);
    return DET_OK;
}

static enum det_code check_kind(const struct det_cls_loss *loss, struct det_error *err)
{
    if ((unsigned)loss->kind > DET_CLS_OHEM)
        return det_fail(err, DET_INVALID, "kind: %d is unknown", (int)loss->kind);
    if (!(isfinite(loss->pos_weight) && loss->pos_weight >= 0.0f))
        return det_fail(err, DET_INVALID, "pos_weight: %g is not 0 or more",
                        (double)loss->pos_weight);
    if (loss->kind == DET_CLS_FOCAL && !(isfinite(loss->focal_gamma) && loss->focal_gamma >= 0.0f))
        return det_fail(err, DET_INVALID, "focal_gamma: %g is not 0 or more",
                        (double)loss->focal_gamma);
    if (loss->kind == DET_CLS_FOCAL && !(loss->focal_alpha <= 1.0f))
        return det_fail(err, DET_INVALID, "focal_alpha: %g is above 1", (double)loss->focal_alpha);
    if (loss->kind == DET_CLS_OHEM && !(isfinite(loss->ohem_ratio) && loss->ohem_ratio >= 0.0f))
        return det_fail(err, DET_INVALID, "ohem_ratio: %g is not 0 or more",
                        (double)loss->ohem_ratio);
    if (loss->kind == DET_CLS_OHEM && loss->ohem_min_positives < 0)
        return det_fail(err, DET_INVALID, "ohem_min_positives: %d is below 0",
                        loss->ohem_min_positives);
    return DET_OK;
}

enum det_code det_cls_loss_check(const struct det_cls_loss *loss, struct det_error *err)
{
    enum det_code code = check_kind(loss, err);
    return code == DET_OK
               ? check_average(loss->reduction, loss->avg_factor, loss->fixed_factor, err)
               : code;
}

enum det_code det_box_loss_check(const struct det_box_loss *loss, struct det_error *err)
{
    if (!(isfinite(loss->beta) && loss->beta >= 0.0f))
        return det_fail(err, DET_INVALID, "smooth L1 beta: %g is not 0 or more",
                        (double)loss->beta);
    return check_average(loss->reduction, loss->avg_factor, loss->fixed_factor, err);
}

size_t det_cls_loss_scratch(const struct det_cls_loss *loss, int rows)
{
    return loss->kind == DET_CLS_OHEM ? (size_t)rows * sizeof(uint32_t) : 0;
}

void det_cls_count(struct det_avg_counts *counts, const struct det_cls_weights *weights, int label)
{
    counts->sampled++;
    counts->positives += label > 0;
    counts->weights += (double)det_cls_weight(weights, label);
}

struct det_ohem det_cls_hard_negatives(const struct det_cls_loss *loss, const uint32_t *keys,
                                       int negatives, int64_t positives)
{
    return det_ohem_select(keys, negatives, det_ohem_wanted(loss, negatives, positives));
}
