/* What the comparison of one step came to. */
#ifndef HARNESS_TEACHER_STEP_RESULT_H
#define HARNESS_TEACHER_STEP_RESULT_H

#include "harness/decisions/flip_log.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

struct worst {     /* the largest error of a quantity and whose it is */
    double error;  /* NaN where a number is not finite */
    char name[96]; /* a copy: results outlive the model; empty before there is one */
};

struct step_result {
    int64_t step;
    struct worst loss, value, target, gradient, grad_norm, update;
    struct flip_log log; /* owned */
};

/* Take an error into the worst one; NaN stays. */
static inline void worst_take(struct worst *worst, double error, const char *name)
{
    if (worst->name[0] && (isnan(worst->error) || error <= worst->error))
        return;
    worst->error = error;
    snprintf(worst->name, sizeof worst->name, "%s", name);
}

static inline int step_result_passes(const struct step_result *r)
{
    return r->log.failures == 0 && !r->log.lost;
}

#endif
