/* Prefix sums over the threads of a block: where each thread's share begins. */
#ifndef DET_BACKEND_CUDA_BLOCK_SCAN_H
#define DET_BACKEND_CUDA_BLOCK_SCAN_H

#include "detector/backend/cuda/kernel.h"

/* counts[threads], one a thread, written before, become the sums of those of lower threads; returns
 * the total. spare[threads]: overwritten. log2(threads) steps, each reading one array and writing
 * the other (Hillis and Steele, "Data parallel algorithms", CACM 1986). */
DET_BLOCK_BODY int det_block_scan(const struct det_block *b, int32_t *counts, int32_t *spare)
{
    int32_t *from = counts;
    int32_t *to = spare;
    for (int reach = 1; reach < b->threads; reach *= 2) {
        DET_EACH_THREAD(b, t)
            to[t] = from[t] + (t >= reach ? from[t - reach] : 0);
        int32_t *other = from;
        from = to;
        to = other;
    }
    int total = det_uniform_int(b, from + b->threads - 1);
    DET_EACH_THREAD(b, t)
        to[t] = t > 0 ? from[t - 1] : 0;
    if (to != counts)
        DET_EACH_THREAD(b, t)
            counts[t] = to[t];
    return total;
}

#endif
