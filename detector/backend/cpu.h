/* The CPU device, as the operations in layers/, boxes/, losses/ and training/ see it. */
#ifndef DET_BACKEND_CPU_H
#define DET_BACKEND_CPU_H

#include "detector/backend/backend.h"
#include "detector/base/pool.h"

struct det_cpu {
    struct det_device device; /* first: a det_device * of this backend is a det_cpu * */
    struct det_pool *pool;    /* owned */
    unsigned char *scratch;   /* owned: scratch_bytes for each worker */
    size_t scratch_bytes;
    unsigned char *shared; /* owned: shared_bytes, for partial results that workers hand over */
    size_t shared_bytes;
};

static inline struct det_cpu *det_cpu_of(struct det_device *dev)
{
    return (struct det_cpu *)dev;
}

/* This worker's scratch: scratch_bytes of it, DET_ALIGNMENT-aligned, contents undefined. */
static inline void *det_cpu_scratch(const struct det_cpu *cpu, int worker)
{
    return cpu->scratch + (size_t)worker * cpu->scratch_bytes;
}

/* The number of live rows: *count clamped to max, or max where count is NULL. */
static inline int det_live(const int32_t *count, int max)
{
    return !count ? max : *count < 0 ? 0 : *count < max ? *count : max;
}

#endif
