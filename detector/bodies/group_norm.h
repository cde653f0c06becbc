/* Group norm's numbers of a group and of a channel, from sums in double. */
#ifndef DET_BODIES_GROUP_NORM_H
#define DET_BODIES_GROUP_NORM_H

#include "detector/bodies/host_device.h"

/* y = (x - centre) scale + shift of a channel: the mean is rounded for `centre`, and what that
 * leaves out goes into the shift. */
struct det_group_terms {
    float centre, scale, shift;
};

DET_BODY struct det_group_terms det_group_terms(double mean, double rstd, float weight, float bias)
{
    struct det_group_terms terms;
    double scale = rstd * (double)weight;
    terms.centre = (float)mean;
    terms.scale = (float)scale;
    terms.shift = (float)((double)bias - (mean - (double)terms.centre) * scale);
    return terms;
}

/* With xhat = (x - mean) rstd and g = dy weight:
 * dx = rstd (g - mean(g) - xhat mean(g xhat)) = dy (rstd weight) + (x - mean) slope + offset. */
struct det_group_slopes {
    float slope, offset;
};

/* g, g_xhat: summed over the group's n elements. */
DET_BODY struct det_group_slopes det_group_slopes(double rstd, double g, double g_xhat, double n)
{
    struct det_group_slopes s;
    s.slope = (float)(-rstd * rstd * g_xhat / n);
    s.offset = (float)(-rstd * g / n);
    return s;
}

DET_BODY float det_group_gradient(float x, float dy, float mean, float scale,
                                  const struct det_group_slopes *s)
{
    return dy * scale + ((x - mean) * s->slope + s->offset);
}

#endif
