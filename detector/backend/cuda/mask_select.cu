/* mask_select: the RoIs with an object, moved together in order (boxes/mask_targets.h). One block.
 */
#include "detector/backend/cuda/block_scan.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/bodies/roi_row.h"

struct mask_select_args {
    struct det_rois rois, out;
    int32_t *index, *count;
};

struct mask_select_shared {
    int32_t counts[DET_WIDE], spare[DET_WIDE];
};

DET_BLOCK_BODY void mask_pick(const struct det_block *b, const struct mask_select_args *a,
                              struct mask_select_shared *s)
{
    int live = det_live_rows(a->rois.count, a->rois.max_rois);
    int row = 0;
    for (int first = 0; first < live; first += b->threads) {
        DET_EACH_THREAD(b, t)
            s->counts[t] = first + t < live && a->rois.labels[first + t] > 0;
        int more = det_block_scan(b, s->counts, s->spare);
        DET_EACH_THREAD(b, t) {
            int from = first + t;
            int to = row + s->counts[t];
            if (from >= live || a->rois.labels[from] <= 0 || to >= a->out.max_rois)
                continue;
            a->index[to] = from;
            det_roi_copy(&a->rois, from, &a->out, to);
        }
        row += more;
    }
    DET_EACH_THREAD(b, t)
        if (t == 0)
            *a->count = *a->out.count = row < a->out.max_rois ? row : a->out.max_rois;
}

DET_KERNEL(mask_pick, struct mask_select_args, struct mask_select_shared, DET_WIDE)

void det_cuda_mask_select(struct det_device *dev, const struct det_rois *rois, int32_t *index,
                          int32_t *count, struct det_rois *out)
{
    struct mask_select_args a = {*rois, *out, index, count};
    DET_RUN(dev, mask_pick, 1, &a);
}
