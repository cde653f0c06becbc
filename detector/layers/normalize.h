/* Images to network input. Needs no scratch. Table entry normalize. */
#ifndef DET_LAYERS_NORMALIZE_H
#define DET_LAYERS_NORMALIZE_H

#include "detector/backend/backend.h"

/* y = (x - mean[c]) / std[c] over x [n, 3, h, w], RGB in [0, 1]; ImageNet's mean (0.485, 0.456,
 * 0.406) and std (0.229, 0.224, 0.225), as torchvision's models do. Where image i is smaller than the
 * canvas (heights[i] x widths[i] pixels, top left) the rest becomes 0: torchvision pads normalised
 * images. x == y is allowed. */
void det_normalize(struct det_device *dev, int n, int h, int w, const float *heights,
                   const float *widths, const float *x, float *y);

#endif
