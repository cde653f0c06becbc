/* An operation's scratch cut into arrays, as boxes/scratch.h does it for a worker: the same layout
 * function measures (base NULL) and places. */
#ifndef DET_BACKEND_CUDA_SCRATCH_H
#define DET_BACKEND_CUDA_SCRATCH_H

#include <stddef.h>

struct det_cut {
    unsigned char *base;
    size_t used;
};

/* The next `bytes`, aligned to 256; NULL while measuring. */
static inline void *det_cut_take(struct det_cut *cut, size_t bytes)
{
    unsigned char *at = cut->base ? cut->base + cut->used : NULL;
    cut->used += (bytes + 255) / 256 * 256;
    return at;
}

#endif
