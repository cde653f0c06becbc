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
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum emulated_order { ASCENDING, DESCENDING, SHUFFLED, EMULATED_ORDERS, AT_ONCE = EMULATED_ORDERS };

static const char *const emulated_order_names[] = {"ascending", "descending", "shuffled",
                                                   "at once"};

struct emulated_device {
    struct det_device device; /* first; its table is the CPU's: of it only zero, upload, download */
    enum emulated_order order;
    uint32_t launches; /* so far: seeds the shuffles */
    void *scratch;     /* of the operation at work */
};

/* How many orders there are to run: 0 .. emulated_orders() - 1. */
static inline int emulated_orders(void)
{
    return getenv("EMULATED_AT_ONCE") ? 1 : EMULATED_ORDERS;
}

static inline struct emulated_device emulated_open(enum emulated_order order)
{
    if (getenv("EMULATED_AT_ONCE"))
        order = AT_ONCE;
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

/* ---- threads and blocks at once ---- */

struct emulated_launch {
    const struct det_emulated_kernel *kernel;
    const void *args;
    int blocks;
    const int *order; /* [blocks] */
};

/* Two blocks are at work at a time, each with its threads: a group takes every other block. Wide
 * ones run with fewer threads: kernels take any power of two from DET_NARROW on. */
enum { GROUPS = 2 };

struct emulated_group {
    const struct emulated_launch *launch;
    int first;
    void *shared;
    pthread_barrier_t barrier;
};

struct emulated_thread {
    struct det_schedule schedule; /* first */
    struct emulated_group *group;
    int thread;
    pthread_t handle;
};

static inline void emulated_wait(const struct det_schedule *schedule)
{
    pthread_barrier_wait(&((const struct emulated_thread *)schedule)->group->barrier);
}

static inline int emulated_own_turn(const struct det_schedule *schedule, int at)
{
    if (at == 0)
        return ((const struct emulated_thread *)schedule)->thread;
    emulated_wait(schedule);
    return -1;
}

static inline void *emulated_thread_run(void *arg)
{
    struct emulated_thread *t = arg;
    const struct emulated_launch *l = t->group->launch;
    for (int i = t->group->first; i < l->blocks; i += GROUPS) {
        struct det_block b = {l->order[i], l->blocks, DET_NARROW, &t->schedule};
        if (t->thread == 0)
            memset(t->group->shared, 0xCB, l->kernel->shared_bytes);
        emulated_wait(&t->schedule);
        l->kernel->run(&b, l->args, t->group->shared);
        emulated_wait(&t->schedule);
    }
    return NULL;
}

static inline void emulated_at_once(const struct emulated_launch *launch)
{
    static struct emulated_thread threads[GROUPS * DET_NARROW];
    struct emulated_group groups[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        groups[g] = (struct emulated_group){
            .launch = launch, .first = g, .shared = malloc(launch->kernel->shared_bytes)};
        cr_assert_not_null(groups[g].shared);
        cr_assert_eq(pthread_barrier_init(&groups[g].barrier, NULL, DET_NARROW), 0);
    }
    for (int i = 0; i < GROUPS * DET_NARROW; i++) {
        struct emulated_thread *t = &threads[i];
        *t = (struct emulated_thread){
            {emulated_own_turn, emulated_wait}, &groups[i / DET_NARROW], i % DET_NARROW, 0};
        cr_assert_eq(pthread_create(&t->handle, NULL, emulated_thread_run, t), 0);
    }
    for (int i = 0; i < GROUPS * DET_NARROW; i++)
        pthread_join(threads[i].handle, NULL);
    for (int g = 0; g < GROUPS; g++) {
        pthread_barrier_destroy(&groups[g].barrier);
        free(groups[g].shared);
    }
}

/* ---- what kernel.h asks for ---- */

static inline void emulated_in_turn(const struct emulated_launch *l, enum emulated_order order,
                                    uint32_t seed)
{
    int n = l->kernel->threads;
    struct emulated_schedule s = emulated_schedule(order, seed, n);
    void *shared = malloc(l->kernel->shared_bytes);
    cr_assert_not_null(shared);
    for (int i = 0; i < l->blocks; i++) {
        struct det_block b = {l->order[i], l->blocks, n, &s.schedule};
        memset(shared, 0xCB, l->kernel->shared_bytes);
        l->kernel->run(&b, l->args, shared);
    }
    free(shared);
    free(s.order);
}

void det_emulate(struct det_device *dev, const struct det_emulated_kernel *kernel, int blocks,
                 const void *args)
{
    struct emulated_device *e = (struct emulated_device *)dev;
    int *order = malloc(((size_t)blocks + 1) * sizeof *order);
    cr_assert_not_null(order);
    emulated_permute(e->order, 2 * e->launches + 1, blocks, order);
    struct emulated_launch launch = {kernel, args, blocks, order};
    if (e->order == AT_ONCE)
        emulated_at_once(&launch);
    else
        emulated_in_turn(&launch, e->order, 2 * e->launches);
    e->launches++;
    free(order);
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

/* ---- comparing ---- */

/* Runs an operation on the emulation (gpu 1) or by the CPU's implementation; returns its results,
 * for the caller to free. */
typedef void *emulated_run(struct det_device *dev, int gpu, const void *context);

/* The first word in which `got` differs is named. */
static inline void emulated_expect_same(const char *what, const char *order, const void *got,
                                        const void *want, size_t bytes)
{
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        int32_t g, w;
        float as_float[2];
        memcpy(&g, (const char *)got + i, sizeof g);
        memcpy(&w, (const char *)want + i, sizeof w);
        memcpy(&as_float[0], &g, sizeof g);
        memcpy(&as_float[1], &w, sizeof w);
        cr_assert_eq(g, w, "%s, %s: word %zu: %d (%g), want %d (%g)", what, order, i / 4, g,
                     (double)as_float[0], w, (double)as_float[1]);
    }
    cr_assert_eq(memcmp(got, want, bytes), 0, "%s, %s: the last bytes", what, order);
}

/* The emulation in every order against `want`[bytes], bit for bit. */
static inline void emulated_compare(const char *what, emulated_run *run, const void *context,
                                    const void *want, size_t bytes)
{
    for (int order = 0; order < emulated_orders(); order++) {
        struct emulated_device gpu = emulated_open((enum emulated_order)order);
        void *got = run(&gpu.device, 1, context);
        emulated_expect_same(what, emulated_order_names[order], got, want, bytes);
        free(got);
        emulated_close(&gpu);
    }
}

#endif
