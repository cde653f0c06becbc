/* Boxes to regression targets and back (Girshick et al., "Rich feature hierarchies", CVPR 2014,
 * appendix C; rounding order of torchvision's BoxCoder), and what follows a decoded box: clipping
 * and the small-side test. Boxes x1 y1 x2 y2, widths x2 - x1. */
#ifndef DET_BODIES_BOX_CODER_H
#define DET_BODIES_BOX_CODER_H

#include "detector/bodies/host_device.h"

#include <math.h>

/* log(1000 / 16): the largest dw, dh. A larger one would overflow exp. */
#define DET_DELTA_CLIP 4.135166556742356f

/* delta = what turns `box` into `target`. Both need positive sides: a matched pair overlaps, so it
 * has them. */
DET_BODY void det_box_encode(const float box[4], const float target[4], const float weights[4],
                             float delta[4])
{
    float w = box[2] - box[0];
    float h = box[3] - box[1];
    float tw = target[2] - target[0];
    float th = target[3] - target[1];
    delta[0] = weights[0] * ((target[0] + 0.5f * tw) - (box[0] + 0.5f * w)) / w;
    delta[1] = weights[1] * ((target[1] + 0.5f * th) - (box[1] + 0.5f * h)) / h;
    delta[2] = weights[2] * logf(tw / w);
    delta[3] = weights[3] * logf(th / h);
}

/* out = `box` moved by delta. dw, dh are cut at `clip`; a NaN goes through to `out`. */
DET_BODY void det_box_decode(const float box[4], const float delta[4], const float weights[4],
                             float clip, float out[4])
{
    float w = box[2] - box[0];
    float h = box[3] - box[1];
    float dw = delta[2] / weights[2];
    float dh = delta[3] / weights[3];
    float cx = delta[0] / weights[0] * w + (box[0] + 0.5f * w);
    float cy = delta[1] / weights[1] * h + (box[1] + 0.5f * h);
    float half_w = 0.5f * (expf(dw > clip ? clip : dw) * w);
    float half_h = 0.5f * (expf(dh > clip ? clip : dh) * h);
    out[0] = cx - half_w;
    out[1] = cy - half_h;
    out[2] = cx + half_w;
    out[3] = cy + half_h;
}

DET_BODY float det_clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* Cut to an image of height x width pixels: coordinates in [0, width] and [0, height]. */
DET_BODY void det_box_clip(float box[4], float height, float width)
{
    box[0] = det_clamp(box[0], 0.0f, width);
    box[1] = det_clamp(box[1], 0.0f, height);
    box[2] = det_clamp(box[2], 0.0f, width);
    box[3] = det_clamp(box[3], 0.0f, height);
}

/* Both sides at least min_size (torchvision's remove_small_boxes keeps these). */
DET_BODY int det_box_large_enough(const float box[4], float min_size)
{
    return box[2] - box[0] >= min_size && box[3] - box[1] >= min_size;
}

DET_BODY int det_finite4(const float x[4])
{
    return isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]) && isfinite(x[3]);
}

/* Decode, clip to the image; returns 0 where a delta or the decoded box is NaN or infinite: then
 * `out` is not to be used. (An infinite dw would otherwise hide behind the clip.) */
DET_BODY int det_box_decode_clipped(const float box[4], const float delta[4],
                                    const float weights[4], float clip, float height, float width,
                                    float out[4])
{
    det_box_decode(box, delta, weights, clip, out);
    if (!det_finite4(delta) || !det_finite4(out))
        return 0;
    det_box_clip(out, height, width);
    return 1;
}

#endif
