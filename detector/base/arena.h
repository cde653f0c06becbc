/* A bump allocator: memory is planned and taken once, at set-up, and freed at once.
 *
 * Usage: reserve everything, commit, then ask for the pointers. Reserving returns an offset, so
 * that a plan can be made (and its size reported) before any memory is taken. */
#ifndef DET_BASE_ARENA_H
#define DET_BASE_ARENA_H

#include "detector/base/status.h"

#include <stddef.h>

#define DET_ALIGNMENT 64

struct det_arena {
    unsigned char *base; /* owned; NULL until committed */
    size_t size;         /* bytes reserved so far */
};

/* Reserve `bytes`, aligned to DET_ALIGNMENT; returns the offset of the block. Cannot fail. */
size_t det_arena_reserve(struct det_arena *arena, size_t bytes);

/* Take the memory, zeroed. `what` names it in the DET_NO_MEMORY message. */
enum det_code det_arena_commit(struct det_arena *arena, const char *what, struct det_error *err);

/* The block at an offset that det_arena_reserve returned. Only after det_arena_commit. */
void *det_arena_at(const struct det_arena *arena, size_t offset);

/* Free the memory; the arena may be used again from the start. Safe on a zeroed arena. */
void det_arena_release(struct det_arena *arena);

#endif
