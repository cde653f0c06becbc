/* Sorting by one block. */
#ifndef DET_BACKEND_CUDA_BLOCK_SORT_H
#define DET_BACKEND_CUDA_BLOCK_SORT_H

#include "detector/backend/cuda/block_select.h"

/* The power of two at which a sort of n keys runs. */
DET_BODY int det_sort_room(int n)
{
    int room = 1;
    while (room < n)
        room *= 2;
    return room;
}

/* Sort keys[n] ascending; there is room for det_sort_room(n) keys, in shared or device memory. A
 * bitonic network (Batcher, "Sorting networks and their applications", 1968): the pairs that it
 * compares do not depend on the keys. */
DET_BLOCK_BODY void det_block_sort(const struct det_block *b, uint64_t *keys, int n)
{
    int room = det_sort_room(n);
    DET_EACH_THREAD(b, t)
        for (int i = n + t; i < room; i += b->threads)
            keys[i] = DET_NO_KEY;
    for (int run = 2; run <= room; run *= 2)
        for (int reach = run / 2; reach > 0; reach /= 2)
            DET_EACH_THREAD(b, t)
                for (int i = t; i < room / 2; i += b->threads) {
                    int low = 2 * i - (i & (reach - 1));
                    int up = !(low & run);
                    uint64_t first = keys[low];
                    uint64_t second = keys[low + reach];
                    if ((first > second) == up) {
                        keys[low] = second;
                        keys[low + reach] = first;
                    }
                }
}

#endif
