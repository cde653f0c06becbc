/* The element-wise losses: one logit, one row of logits or one coordinate in; value and derivative
 * out. Everything is written so that logits of +-100 stay finite and a small probability keeps its
 * relative accuracy; a NaN in is a NaN out.
 *
 * Cross entropy is the focal loss (Lin et al., "Focal loss for dense object detection", ICCV 2017)
 * with gamma 0, so each of the two families, binary and softmax, has one body. */
#ifndef DET_BODIES_LOSSES_H
#define DET_BODIES_LOSSES_H

#include "detector/bodies/host_device.h"
#include "detector/bodies/probability.h"

#include <math.h>

/* The larger one, NaN if either is: unlike fmaxf, which drops it. */
DET_BODY float det_max_or_nan(float a, float b)
{
    return b > a || isnan(b) ? b : a;
}

/* log(1 + exp(x)) */
DET_BODY float det_softplus(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
}

/* What the focal loss makes of a row that is right with probability p (q = 1 - p) and has cross
 * entropy ce = -log p: *value is q^gamma ce. The factor returned stands before the cross entropy's
 * own derivative: q^gamma + gamma q^(gamma - 1) p ce. Written with ce / q, which tends to 1 where
 * q vanishes, because q^(gamma - 1) alone may be infinite there. */
DET_BODY float det_focal(float p, float q, float ce, float gamma, float *value)
{
    if (gamma == 0.0f) {
        *value = ce;
        return 1.0f;
    }
    float modulation = powf(q, gamma);
    *value = modulation * ce;
    return modulation * (1.0f + gamma * p * (q > 0.0f ? ce / q : 1.0f));
}

struct det_loss_term {
    float value, derivative;
};

/* Binary (sigmoid) focal loss of one logit: weight * (1 - p_t)^gamma * -log p_t. */
DET_BODY struct det_loss_term det_binary_loss(float logit, int positive, float weight, float gamma)
{
    float z = positive ? logit : -logit;
    float value;
    float factor = det_focal(det_sigmoid(z), det_sigmoid(-z), det_softplus(-z), gamma, &value);
    float towards = -weight * factor * det_sigmoid(-z);
    struct det_loss_term term = {weight * value, positive ? towards : -towards};
    return term;
}

/* BCE with logits against a target in [0, 1]; the derivative is sigmoid(logit) - target. */
DET_BODY struct det_loss_term det_soft_bce(float logit, float target)
{
    float e = expf(-fabsf(logit));
    float p = logit >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
    float high = logit > 0.0f ? logit : 0.0f;
    struct det_loss_term term = {high - logit * target + log1pf(e), p - target};
    return term;
}

/* Softmax focal loss of a row of class `label`. *slope receives the factor of the derivative, which
 * for class j is *slope * (p_j - [j == label]). */
DET_BODY float det_softmax_loss(const struct det_softmax *row, float label_logit, int is_arg_max,
                                float weight, float gamma, float *slope)
{
    float p = det_softmax_p(row, label_logit);
    float q = is_arg_max ? row->rest / (1.0f + row->rest) : 1.0f - p;
    float ce = (row->max - label_logit) + log1pf(row->rest);
    float value;
    *slope = weight * det_focal(p, q, ce, gamma, &value);
    return weight * value;
}

/* The derivative of that loss for a row of logits, times factor: slope * (p_j - [j == label]); for
 * the label as -slope * (sum of the others), which keeps its accuracy where p is near 1. */
DET_BODY void det_softmax_gradient(const struct det_softmax *row, const float *logits, int classes,
                                   int label, float slope, float factor, float *to)
{
    for (int j = 0; j < classes; j++) {
        float towards = slope * det_softmax_p(row, logits[j]);
        if (j == label)
            towards = label == row->arg_max ? -slope * (row->rest / (1.0f + row->rest))
                                            : towards - slope;
        to[j] = towards * factor;
    }
}

/* The highest probability of a foreground class; NaN if the row holds one, 0 without classes. */
DET_BODY float det_highest_foreground(const struct det_softmax *row, const float *logits,
                                      int classes)
{
    if (classes < 2)
        return 0.0f;
    float highest = logits[1];
    for (int j = 2; j < classes; j++)
        highest = logits[j] > highest ? logits[j] : highest;
    return det_softmax_p(row, highest);
}

/* Smooth L1 (Girshick, "Fast R-CNN", ICCV 2015): quadratic below beta, linear from it on; beta 0 is
 * L1, with derivative 0 where both are equal. */
DET_BODY struct det_loss_term det_smooth_l1(float x, float target, float beta)
{
    float d = x - target;
    float size = fabsf(d);
    struct det_loss_term term;
    if (size < beta) {
        term.value = 0.5f * size * size / beta;
        term.derivative = d / beta;
    } else {
        term.value = size - 0.5f * beta;
        term.derivative = d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d; /* d: 0 or NaN */
    }
    return term;
}

/* Smooth L1 over a box's four deltas, summed; the derivatives times factor to `to` (if wanted). */
DET_BODY double det_smooth_l1_box(const float deltas[4], const float targets[4], float beta,
                                  float factor, float *to)
{
    double sum = 0.0;
    for (int k = 0; k < 4; k++) {
        struct det_loss_term term = det_smooth_l1(deltas[k], targets[k], beta);
        sum += (double)term.value;
        if (to)
            to[k] = factor * term.derivative;
    }
    return sum;
}

#endif
