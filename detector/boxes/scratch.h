/* A worker's scratch cut into arrays. The same layout function measures (base NULL: every pointer
 * comes out NULL, only the size grows) and places (base = det_cpu_scratch). */
#ifndef DET_BOXES_SCRATCH_H
#define DET_BOXES_SCRATCH_H

#include "detector/base/arena.h"

static inline void *det_scratch_cut(struct det_arena *scratch, size_t count, size_t size)
{
    size_t offset = det_arena_reserve(scratch, count * size);
    return scratch->base ? det_arena_at(scratch, offset) : NULL;
}

#endif
