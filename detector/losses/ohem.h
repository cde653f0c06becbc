/* Online hard example mining (Shrivastava, Gupta and Girshick, CVPR 2016): which negatives are the
 * k hardest. Selected by threshold, without sorting: one more pass over the rows in ascending order
 * then decides each row, ties going to the lower index. */
#ifndef DET_LOSSES_OHEM_H
#define DET_LOSSES_OHEM_H

#include "detector/bodies/cls_loss.h"

#include <stdint.h>

struct det_ohem {
    uint32_t threshold; /* keys above are kept */
    int ties;           /* rows with a key equal to the threshold still to be kept */
};

/* The `keep` (0..n) largest of n keys. */
struct det_ohem det_ohem_select(const uint32_t *keys, int n, int keep);

/* Whether the next row in ascending order is kept. */
static inline int det_ohem_keep(struct det_ohem *ohem, uint32_t key)
{
    if (key == ohem->threshold && ohem->ties > 0) {
        ohem->ties--;
        return 1;
    }
    return key > ohem->threshold;
}

#endif
