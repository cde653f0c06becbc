/* The best keys in order, a chunk at a time: what has to be visited best first need not be sorted
 * whole. */
#ifndef DET_BACKEND_CUDA_BLOCK_TAKE_H
#define DET_BACKEND_CUDA_BLOCK_TAKE_H

#include "detector/backend/cuda/block_select.h"
#include "detector/backend/cuda/block_sort.h"

#define DET_CHUNK 2048 /* keys: a power of two */

struct det_take_shared {
    uint64_t keys[DET_CHUNK];
    struct det_select_shared select;
    int32_t filled;
};

/* The k smallest keys, ascending, to s->keys; `of` goes on behind them. 0 <= k <= DET_CHUNK, and
 * there are as many. */
DET_BLOCK_BODY void det_block_take(const struct det_block *b, struct det_keys *of, int k,
                                   struct det_take_shared *s)
{
    uint64_t limit = det_block_select(b, of, k, &s->select);
    DET_EACH_THREAD(b, t)
        if (t == 0)
            s->filled = 0;
    DET_EACH_THREAD(b, t)
        for (int i = t; i < of->n; i += b->threads) {
            uint64_t key = det_keys_at(of, i);
            if (key < limit)
                s->keys[det_atomic_add(&s->filled, 1)] = key; /* in any order: sorted below */
        }
    det_block_sort(b, s->keys, k);
    of->from = limit;
}

#endif
