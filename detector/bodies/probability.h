/* Logits to probabilities. */
#ifndef DET_BODIES_PROBABILITY_H
#define DET_BODIES_PROBABILITY_H

#include "detector/bodies/host_device.h"

#include <math.h>

/* exp only of a negative number: no overflow for any logit. */
DET_BODY float det_sigmoid(float x)
{
    float e = expf(x < 0.0f ? x : -x);
    return x < 0.0f ? e / (1.0f + e) : 1.0f / (1.0f + e);
}

/* p[n] = softmax of n >= 1 logits; p == logits allowed. A NaN or +infinity makes every p NaN. */
DET_BODY void det_softmax(int n, const float *logits, float *p)
{
    float top = logits[0];
    for (int i = 1; i < n; i++)
        top = logits[i] > top ? logits[i] : top;
    float sum = 0.0f;
    for (int i = 0; i < n; i++) {
        p[i] = expf(logits[i] - top);
        sum += p[i];
    }
    for (int i = 0; i < n; i++)
        p[i] /= sum;
}

#endif
