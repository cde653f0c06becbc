/* mask_targets (boxes/mask_targets.h): a thread a cell of a target. */
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/bodies/mask_target.h"

struct mask_target_args {
    struct det_rois rois;
    struct det_truth truth;
    int size;
    float *targets;
};

DET_BLOCK_BODY void mask_cell(const struct det_block *b, const struct mask_target_args *a,
                              struct det_no_shared *s)
{
    (void)s;
    int live = det_live_rows(a->rois.count, a->rois.max_rois);
    int plane = a->size * a->size;
    DET_EACH_THREAD(b, t) {
        size_t at = (size_t)b->index * (size_t)b->threads + (size_t)t;
        size_t r = at / (size_t)plane;
        int cell = (int)(at % (size_t)plane);
        if (r >= (size_t)live)
            continue;
        size_t pixels = (size_t)a->truth.mask_h * (size_t)a->truth.mask_w;
        const uint8_t *mask = a->truth.masks + (size_t)a->rois.matched[r] * pixels;
        a->targets[at] =
            det_mask_target(mask, a->truth.mask_h, a->truth.mask_w, a->rois.boxes + 4 * r, a->size,
                            cell / a->size, cell % a->size);
    }
}

DET_KERNEL(mask_cell, struct mask_target_args, struct det_no_shared, DET_NARROW)

void det_cuda_mask_targets(struct det_device *dev, const struct det_rois *rois,
                           const struct det_truth *truth, int size, float *targets)
{
    struct mask_target_args a = {*rois, *truth, size, targets};
    DET_RUN(dev, mask_cell, det_blocks_of(rois->max_rois * size * size, DET_NARROW), &a);
}
