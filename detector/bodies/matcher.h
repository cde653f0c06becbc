/* What the matcher makes of a candidate's best IoU (boxes/matcher.h), and the label that the sampler
 * sees. */
#ifndef DET_BODIES_MATCHER_H
#define DET_BODIES_MATCHER_H

#include "detector/bodies/host_device.h"

#include <stdint.h>

enum { DET_MATCH_BACKGROUND = -1, DET_MATCH_IGNORED = -2 };

/* The row at IoU `high` and more, background below `low`, ignored between. */
DET_BODY int32_t det_match_decide(float high, float low, float iou, int32_t row)
{
    int32_t otherwise = iou < low ? DET_MATCH_BACKGROUND : DET_MATCH_IGNORED;
    return iou >= high ? row : otherwise;
}

/* 1 a positive, 0 a negative, -1 neither. */
DET_BODY int8_t det_match_label(int32_t match)
{
    return match >= 0 ? 1 : match == DET_MATCH_BACKGROUND ? 0 : -1;
}

#endif
