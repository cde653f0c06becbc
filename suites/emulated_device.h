/* The GPU's kernels on the CPU: the same source (detector/backend/cuda/kernel.h), launched here
 * block by block, thread by thread. Threads and blocks run in ascending, descending or shuffled
 * order: what a missing barrier or a race between blocks leaves to chance comes out differently.
 * Shared memory is poisoned before each block, so that what is read before it is written shows, and
 * is exactly as large as asked for, as scratch is, so that a sanitizer sees what goes past the end.
 */
#ifndef SUITES_EMULATED_DEVICE_H
#define SUITES_EMULATED_DEVICE_H

#include "detector/backend/backend.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/bodies/philox.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum emulated_order { ASCENDING, DESCENDING, SHUFFLED, EMULATED_ORDERS };

static const char *const emulated_order_names[] = {"ascending", "descending", "shuffled"};

struct emulated_device {
    struct det_device device; /* first; its table is the CPU's: of it only zero, upload, download */
    enum emulated_order order;
    uint32_t launches; /* so far: seeds the shuffles */
    void *scratch;     /* of the operation at work */
};

static inline struct emulated_device emulated_open(enum emulated_order order)
{
    return (struct emulated_device){.device = {det_cpu_backend()}, .order = order};
}

static inline void emulated_close(struct emulated_device *e)
{
    free(e->scratch);
}

/* ---- a block's threads ---- */

struct emulated_schedule {
    struct det_schedule schedule; /* first */
    int threads;
    int *order; /* [threads] */
};

static inline int emulated_next(const struct det_schedule *schedule, int at)
{
    const struct emulated_schedule *s = (const struct emulated_schedule *)schedule;
    return at < s->threads ? s->order[at] : -1;
}

static inline void emulated_barrier(const struct det_schedule *schedule)
{
    (void)schedule; /* the region before is over for all threads */
}

/* order[n]: 0 .. n - 1 as `order` wants them. */
static inline void emulated_permute(enum emulated_order order, uint32_t seed, int n, int *to)
{
    for (int i = 0; i < n; i++)
        to[i] = order == DESCENDING ? n - 1 - i : i;
    for (int i = n - 1; i > 0 && order == SHUFFLED; i--) {
        int j = (int)(det_philox((uint32_t)i, seed, 0, 0, 1).word[0] % (uint32_t)(i + 1));
        int other = to[i];
        to[i] = to[j];
        to[j] = other;
    }
}

static inline struct emulated_schedule emulated_schedule(enum emulated_order order, uint32_t seed,
                                                         int threads)
{
    struct emulated_schedule s = {{emulated_next, emulated_barrier}, threads, NULL};
    s.order = malloc((size_t)threads * sizeof *s.order);
    cr_assert_not_null(s.order);
    emulated_permute(order, seed, threads, s.order);
    return s;
}

/* ---- what kernel.h asks for ---- */

void det_emulate(struct det_device *dev, const struct det_emulated_kernel *kernel, int blocks,
                 const void *args)
{
    struct emulated_device *e = (struct emulated_device *)dev;
    struct emulated_schedule s = emulated_schedule(e->order, 2 * e->launches, kernel->threads);
    unsigned char *shared = malloc(kernel->shared_bytes);
    int *order = malloc(((size_t)blocks + 1) * sizeof *order);
    cr_assert(shared && order);
    emulated_permute(e->order, 2 * e->launches + 1, blocks, order);
    for (int i = 0; i < blocks; i++) {
        struct det_block b = {order[i], blocks, kernel->threads, &s.schedule};
        memset(shared, 0xCB, kernel->shared_bytes);
        kernel->run(&b, args, shared);
    }
    e->launches++;
    free(order);
    free(shared);
    free(s.order);
}

void *det_kernel_scratch(struct det_device *dev, const char *op, size_t bytes)
{
    struct emulated_device *e = (struct emulated_device *)dev;
    free(e->scratch);
    e->scratch = malloc(bytes + (bytes == 0));
    cr_assert_not_null(e->scratch, "%s: %zu bytes of scratch", op, bytes);
    memset(e->scratch, 0xCB, bytes);
    return e->scratch;
}

#endif
