/* The rows that a loss is about, by one block: in ascending order, so that their terms can be added
 * in the order in which the CPU adds them. */
#ifndef DET_BACKEND_CUDA_BLOCK_LIST_H
#define DET_BACKEND_CUDA_BLOCK_LIST_H

#include "detector/backend/cuda/block_scan.h"
#include "detector/backend/cuda/kernel.h"

/* Labels of anchors or of RoIs: one of the two is NULL. */
struct det_labels {
    const int8_t *anchors;
    const int32_t *rois;
};

DET_BODY int det_label_at(const struct det_labels *labels, int r)
{
    return labels->anchors ? labels->anchors[r] : labels->rois[r];
}

struct det_list_shared {
    int32_t counts[DET_WIDE], spare[DET_WIDE];
};

/* The rows of [0, n) with a label of at least `least`, ascending, to rows[]; returns how many. Each
 * thread looks at a run of rows. */
DET_BLOCK_BODY int det_block_list(const struct det_block *b, const struct det_labels *labels, int n,
                                  int least, int32_t *rows, struct det_list_shared *s)
{
    int run = (n + b->threads - 1) / b->threads;
    DET_EACH_THREAD(b, t) {
        int count = 0;
        for (int r = t * run; r < (t + 1) * run && r < n; r++)
            count += det_label_at(labels, r) >= least;
        s->counts[t] = count;
    }
    int total = det_block_scan(b, s->counts, s->spare);
    DET_EACH_THREAD(b, t) {
        int at = s->counts[t];
        for (int r = t * run; r < (t + 1) * run && r < n; r++)
            if (det_label_at(labels, r) >= least)
                rows[at++] = r;
    }
    return total;
}

#endif
