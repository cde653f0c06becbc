/* Counts training passes and optimiser steps from outside: preloaded into the tests' programs, it
 * stands before the two functions that every training goes through and adds to the numbers in the
 * file DETCHECK_STEPS (two int64: passes, steps), which all processes share and which outlives one
 * that crashes. Works where the parts are shared libraries (-Dshared=true). */
#include "detector/detector.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PASSES, STEPS, COUNTERS };

typedef enum det_code pass_function(struct det_model *, const struct det_sample *, int, uint32_t,
                                    double, struct det_step_stats *, struct det_error *);
typedef enum det_code step_function(struct det_model *, int64_t, struct det_step_stats *,
                                    struct det_error *);

static int64_t *counters; /* NULL: nothing is counted */

__attribute__((constructor)) static void open_counters(void)
{
    const char *path = getenv("DETCHECK_STEPS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *at = mmap(NULL, COUNTERS * sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    counters = at == MAP_FAILED ? NULL : at;
    close(file);
}

static void count(int which)
{
    if (counters)
        __atomic_fetch_add(&counters[which], 1, __ATOMIC_RELAXED);
}

enum det_code det_model_forward_backward(struct det_model *m, const struct det_sample *samples,
                                         int n, uint32_t step, double gradient_weight,
                                         struct det_step_stats *stats, struct det_error *err)
{
    pass_function *real;
    void *symbol = dlsym(RTLD_NEXT, "det_model_forward_backward");
    memcpy(&real, &symbol, sizeof real); /* ISO C has no cast from an object to a function */
    count(PASSES);
    return real(m, samples, n, step, gradient_weight, stats, err);
}

enum det_code det_model_update(struct det_model *m, int64_t step, struct det_step_stats *stats,
                               struct det_error *err)
{
    step_function *real;
    void *symbol = dlsym(RTLD_NEXT, "det_model_update");
    memcpy(&real, &symbol, sizeof real);
    count(STEPS);
    return real(m, step, stats, err);
}
