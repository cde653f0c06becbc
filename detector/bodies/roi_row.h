/* A RoI's row in struct det_rois. */
#ifndef DET_BODIES_ROI_ROW_H
#define DET_BODIES_ROI_ROW_H

#include "detector/backend/backend.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/host_device.h"
#include "detector/bodies/roi_level.h"

/* Where the RoI lies: box, image, level. */
DET_BODY void det_roi_place(const struct det_roi_assign *assign, const struct det_rois *out, int r,
                            int image, const float box[4])
{
    for (int k = 0; k < 4; k++)
        out->boxes[4 * (size_t)r + (size_t)k] = box[k];
    out->image[r] = image;
    out->level[r] = det_roi_level(box, assign->finest, assign->n_levels);
}

/* All of the row, of the image's candidate c. matched: a row of `truth`, -1 for background. */
DET_BODY void det_roi_row(const struct det_roi_assign *assign, const struct det_truth *truth,
                          const struct det_rois *out, int r, int image, int c, const float box[4],
                          int matched)
{
    float *targets = out->targets + 4 * (size_t)r;
    det_roi_place(assign, out, r, image, box);
    out->labels[r] = matched >= 0 ? truth->labels[matched] : 0;
    out->matched[r] = matched;
    out->index[r] = c;
    for (int k = 0; k < 4; k++)
        targets[k] = 0.0f;
    if (matched >= 0)
        det_box_encode(box, truth->boxes + 4 * (size_t)matched, assign->coder_weights, targets);
}

/* Row `to` of `out` from row `from` of `rois`, all but its targets and index. */
DET_BODY void det_roi_copy(const struct det_rois *rois, int from, const struct det_rois *out,
                           int to)
{
    for (int k = 0; k < 4; k++)
        out->boxes[4 * (size_t)to + (size_t)k] = rois->boxes[4 * (size_t)from + (size_t)k];
    out->image[to] = rois->image[from];
    out->level[to] = rois->level[from];
    out->labels[to] = rois->labels[from];
    out->matched[to] = rois->matched[from];
}

#endif
