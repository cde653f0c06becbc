/* What the layers' tests share: devices with poisoned scratch, numbers that look random, and
 * comparisons that name the case. */
#ifndef SUITES_LAYERS_H
#define SUITES_LAYERS_H

#include "detector/backend/backend.h"
#include "detector/backend/cpu.h"
#include "detector/bodies/philox.h"
#include "detector/layers/layers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTINEL (-12345.5f)

struct scratch {
    size_t per_worker, shared;
};

/* A CPU device whose scratch is all NaN: what reads it before writing it shows. */
static inline struct det_device *open_device(int threads, struct scratch scratch)
{
    struct det_device *dev = NULL;
    struct det_error err = {0};
    const struct det_backend *ops = det_cpu_backend();
    cr_assert_eq(ops->open(threads, &dev, &err), DET_OK, "open: %s", err.message);
    cr_assert_eq(ops->reserve_scratch(dev, scratch.per_worker, scratch.shared, &err), DET_OK,
                 "reserve_scratch: %s", err.message);
    struct det_cpu *cpu = det_cpu_of(dev);
    if (cpu->scratch)
        memset(cpu->scratch, 0xff, cpu->scratch_bytes * (size_t)threads);
    if (cpu->shared)
        memset(cpu->shared, 0xff, cpu->shared_bytes);
    return dev;
}

static inline void close_device(struct det_device *dev)
{
    dev->ops->close(dev);
}

/* n floats, owned by the caller (free). */
static inline float *filled(size_t n, float value)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    cr_assert_not_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

static inline float *copied(const float *x, size_t n)
{
    float *y = filled(n, 0.0f);
    if (n)
        memcpy(y, x, n * sizeof *y);
    return y;
}

/* Uniform in [-1, 1), a function of (seed, index) alone. */
static inline float *uniform(size_t n, uint32_t seed)
{
    float *x = filled(n, 0.0f);
    for (size_t i = 0; i < n; i++)
        x[i] = 2.0f * det_philox_uniform(det_philox((uint32_t)i, seed, 0, 0, 1).word[0]) - 1.0f;
    return x;
}

/* |got - want| <= tolerance * max(1, largest |want|); NaN on either side fails. */
static inline void expect_near(const char *name, const char *what, const float *got,
                               const double *want, size_t n, double tolerance)
{
    double scale = 1.0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * scale)) {
            cr_expect_fail("%s: %s[%zu]: got %.9g, want %.9g, tolerance %g", name, what, i,
                           (double)got[i], want[i], tolerance * scale);
            return;
        }
}

static inline void expect_same_bits(const char *name, const char *what, const float *got,
                                    const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got)) {
            cr_expect_fail("%s: %s[%zu]: got %.9g, want %.9g, bit for bit", name, what, i,
                           (double)got[i], (double)want[i]);
            return;
        }
}

static inline void expect_all(const char *name, const char *what, const float *got, float want,
                              size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(got[i] == want)) {
            cr_expect_fail("%s: %s[%zu]: got %.9g, want %.9g", name, what, i, (double)got[i],
                           (double)want);
            return;
        }
}

/* What a layer's forward and backward gave: up to four arrays, owned. */
struct results {
    int n;
    struct {
        const char *what;
        float *values;
        size_t count;
    } of[4];
};

static inline void keep(struct results *r, const char *what, float *values, size_t count)
{
    r->of[r->n].what = what;
    r->of[r->n].values = values;
    r->of[r->n++].count = count;
}

static inline void drop(struct results *r)
{
    for (int i = 0; i < r->n; i++)
        free(r->of[i].values);
    r->n = 0;
}

/* A layer's whole pass on one device: fresh outputs, same inputs every time. */
typedef struct results layer_pass(struct det_device *dev, const void *layer);

/* The same bits for 1, 2 and 3 threads, and (scratch being used by then) for a second pass. */
static inline void expect_threads_agree(const char *name, layer_pass *pass, const void *layer,
                                        struct scratch scratch)
{
    struct results want = {0};
    for (int threads = 1; threads <= 3; threads++) {
        struct det_device *dev = open_device(threads, scratch);
        for (int again = 0; again < 2; again++) {
            struct results got = pass(dev, layer);
            if (want.n == 0) {
                want = got;
                continue;
            }
            for (int i = 0; i < want.n; i++)
                expect_same_bits(name, want.of[i].what, got.of[i].values, want.of[i].values,
                                 want.of[i].count);
            drop(&got);
        }
        close_device(dev);
    }
    drop(&want);
}

#endif
