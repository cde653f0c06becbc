/* Which pyramid level an RoI is pooled from (Lin et al., "Feature Pyramid Networks", CVPR 2017,
 * equation 1; torchvision's LevelMapper): a 224 px box goes to level 4, whose log2 stride is 4. */
#ifndef DET_BODIES_ROI_LEVEL_H
#define DET_BODIES_ROI_LEVEL_H

#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"

/* 0 .. n_levels - 1, 0 the finest, whose log2 stride is `finest`. A box without area goes there. */
DET_BODY int det_roi_level(const float box[4], int finest, int n_levels)
{
    float side = sqrtf(det_box_area(box[0], box[1], box[2], box[3]));
    float level = floorf(4.0f + log2f(side / 224.0f) + 1e-6f);
    return (int)det_clamp(level, (float)finest, (float)(finest + n_levels - 1)) - finest;
}

#endif
