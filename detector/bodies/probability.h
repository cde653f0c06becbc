/* Logits to probabilities. exp only ever of a negative number: no logit overflows. */
#ifndef DET_BODIES_PROBABILITY_H
#define DET_BODIES_PROBABILITY_H

#include "detector/bodies/host_device.h"

#include <math.h>

DET_BODY float det_sigmoid(float x)
{
    float e = expf(-fabsf(x));
    return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

/* A row of logits, normalised: p_j = exp(logit_j - max) / (1 + rest). */
struct det_softmax {
    float max;
    float rest;  /* sum over all classes but arg_max of exp(logit - max); summed in double */
    int arg_max; /* lowest index among equals; -1 where the row holds a NaN */
};

DET_BODY struct det_softmax det_softmax_row(const float *logits, int classes)
{
    struct det_softmax row = {logits[0], 0.0f, 0};
    for (int j = 1; j < classes; j++) {
        if (logits[j] > row.max) {
            row.max = logits[j];
            row.arg_max = j;
        }
    }
    double rest = 0.0;
    for (int j = 0; j < classes; j++) {
        if (j != row.arg_max)
            rest += (double)expf(logits[j] - row.max);
    }
    row.rest = (float)rest;
    if (isnan(row.rest) || isnan(row.max)) {
        row.rest = NAN;
        row.arg_max = -1;
    }
    return row;
}

DET_BODY float det_softmax_p(const struct det_softmax *row, float logit)
{
    return expf(logit - row->max) / (1.0f + row->rest);
}

/* p[classes] = softmax of logits[classes]; p == logits allowed. A NaN makes every p NaN, a
 * +infinity its own. */
DET_BODY void det_softmax(int classes, const float *logits, float *p)
{
    struct det_softmax row = det_softmax_row(logits, classes);
    for (int j = 0; j < classes; j++)
        p[j] = det_softmax_p(&row, logits[j]);
}

#endif
