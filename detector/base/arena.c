#include "detector/base/arena.h"

#include <stdlib.h>
#include <string.h>

static size_t round_up(size_t bytes)
{
    return (bytes + DET_ALIGNMENT - 1) / DET_ALIGNMENT * DET_ALIGNMENT;
}

size_t det_arena_reserve(struct det_arena *arena, size_t bytes)
{
    size_t offset = arena->size;
    arena->size += round_up(bytes);
    return offset;
}

enum det_code det_arena_commit(struct det_arena *arena, const char *what, struct det_error *err)
{
    size_t bytes = arena->size ? arena->size : DET_ALIGNMENT;
    arena->base = aligned_alloc(DET_ALIGNMENT, bytes);
    if (!arena->base)
        return det_fail(err, DET_NO_MEMORY, "%s: %zu bytes asked for, not available", what, bytes);
    memset(arena->base, 0, bytes);
    return DET_OK;
}

void *det_arena_at(const struct det_arena *arena, size_t offset)
{
    return arena->base + offset;
}

void det_arena_release(struct det_arena *arena)
{
    free(arena->base);
    arena->base = NULL;
    arena->size = 0;
}
