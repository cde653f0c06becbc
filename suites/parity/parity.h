/* Every operation on two devices: the CPU's implementation against the CUDA one, on the same inputs.
 * Built twice: against the emulation of suites/emulation (suite `emulated`, runs everywhere) and
 * against the GPU (suite `parity`). gpu_main.c skips the whole of it where there is no GPU. */
#ifndef SUITES_PARITY_PARITY_H
#define SUITES_PARITY_PARITY_H

#include "detector/backend/backend.h"
#include "detector/bodies/philox.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTINEL (-12345.5f) /* where nothing is to be written */

struct pair {
    struct det_device *cpu, *cuda;
};

/* threads: of the CPU. Scratch of the CPU's operations is reserved generously. */
static inline struct pair open_pair(void)
{
    struct pair p;
    struct det_error err = {0};
    cr_assert_eq(det_cpu_backend()->open(2, &p.cpu, &err), DET_OK, "%s", err.message);
    cr_assert_eq(p.cpu->ops->reserve_scratch(p.cpu, (size_t)16 << 20, (size_t)64 << 20, &err),
                 DET_OK, "%s", err.message);
    cr_assert_eq(det_cuda_backend()->open(1, &p.cuda, &err), DET_OK, "%s", err.message);
    return p;
}

static inline void close_pair(struct pair p)
{
    struct det_error err = {0};
    cr_expect_eq(p.cuda->ops->synchronize(p.cuda, &err), DET_OK, "%s", err.message);
    p.cpu->ops->close(p.cpu);
    p.cuda->ops->close(p.cuda);
}

/* The same array on both devices. `cpu` is host memory; NULL arrays stay NULL on both. */
struct twin {
    void *cpu, *cuda;
    size_t bytes;
};

static inline struct twin twin_of(struct pair p, const void *content, size_t bytes)
{
    struct twin t = {.bytes = bytes};
    struct det_error err = {0};
    cr_assert_eq(p.cpu->ops->alloc(p.cpu, bytes, "twin", &t.cpu, &err), DET_OK, "%s", err.message);
    cr_assert_eq(p.cuda->ops->alloc(p.cuda, bytes, "twin", &t.cuda, &err), DET_OK, "%s",
                 err.message);
    if (content) {
        memcpy(t.cpu, content, bytes);
        p.cuda->ops->upload(p.cuda, t.cuda, content, bytes);
    }
    return t;
}

static inline void drop_twin(struct pair p, struct twin t)
{
    p.cpu->ops->release(p.cpu, t.cpu);
    p.cuda->ops->release(p.cuda, t.cuda);
}

/* n floats, uniform in [low, high): a function of (seed, index). */
static inline struct twin twin_uniform(struct pair p, size_t n, uint32_t seed, float low,
                                       float high)
{
    float *x = malloc((n + 1) * sizeof *x);
    cr_assert_not_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = low + (high - low) * det_philox_uniform(
                                        det_philox((uint32_t)i, seed, 0, 0, 1).word[0]);
    struct twin t = twin_of(p, x, n * sizeof *x);
    free(x);
    return t;
}

static inline struct twin twin_floats(struct pair p, size_t n, float value)
{
    struct twin t = twin_uniform(p, n, 0, value, value);
    return t;
}

/* What the CUDA device holds now; owned by the caller (free). */
static inline void *cuda_copy(struct pair p, struct twin t)
{
    void *copy = malloc(t.bytes + 1);
    cr_assert_not_null(copy);
    p.cuda->ops->download(p.cuda, copy, t.cuda, t.bytes);
    return copy;
}

/* |cuda - cpu| <= tolerance * max(1, largest |cpu|). NaN must be met by NaN. */
static inline void expect_near_floats(struct pair p, const char *name, const char *what,
                                      struct twin t, double tolerance)
{
    size_t n = t.bytes / sizeof(float);
    const float *want = t.cpu;
    float *got = cuda_copy(p, t);
    double scale = 1.0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(want[i]))
            scale = fmax(scale, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++) {
        int same = (isnan(want[i]) && isnan(got[i])) || want[i] == got[i];
        if (!same && !(fabs((double)got[i] - (double)want[i]) <= tolerance * scale)) {
            cr_expect_fail("%s: %s[%zu]: cuda %.9g, cpu %.9g, tolerance %g", name, what, i,
                           (double)got[i], (double)want[i], tolerance * scale);
            break;
        }
    }
    free(got);
}

/* Same bits; elements of `size` bytes are named in the message. */
static inline void expect_same(struct pair p, const char *name, const char *what, struct twin t,
                               size_t size)
{
    unsigned char *got = cuda_copy(p, t);
    const unsigned char *want = t.cpu;
    for (size_t i = 0; i < t.bytes / size; i++)
        if (memcmp(got + i * size, want + i * size, size) != 0) {
            double g = 0, w = 0;
            if (size == sizeof(float)) {
                float both[2];
                memcpy(&both[0], got + i * size, size);
                memcpy(&both[1], want + i * size, size);
                g = (double)both[0];
                w = (double)both[1];
            }
            cr_expect_fail("%s: %s[%zu] of %zu bytes differs, bit for bit (as floats: cuda %.9g, "
                           "cpu %.9g)", name, what, i, size, g, w);
            break;
        }
    free(got);
}

/* A twin on one of the devices. */
#define CPU(t) ((t).cpu)
#define CUDA(t) ((t).cuda)

#endif
