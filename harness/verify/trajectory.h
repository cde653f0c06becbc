/* A short training run beside the oracle's. */
#ifndef HARNESS_VERIFY_TRAJECTORY_H
#define HARNESS_VERIFY_TRAJECTORY_H

#include "harness/verify/model_case.h"

#define TRAJECTORY_TOLERANCE 1e-4 /* relative; a number beyond it has parted from the oracle's */
#define TRAJECTORY_STRICT 5       /* steps that must agree */

enum { TRAJECTORY_COLUMNS = 7 }; /* five losses, their sum, the gradient norm */

struct trajectory {
    struct model_case m;
    int iterations, batch;
    int strict; /* steps that must agree: TRAJECTORY_STRICT, or all of a shorter run */
    double *got[TRAJECTORY_COLUMNS], *want[TRAJECTORY_COLUMNS]; /* [iterations] */
    double *lr, *error;         /* [iterations] error: trajectory_error of the step */
    struct det_sample *samples; /* [batch] of the step being run */
    int parted; /* first step with an error beyond the tolerance; `iterations`: none */
};

/* A step's images into t->samples: (batch * step + i) mod all of them; ids are their indices. */
void trajectory_samples(struct trajectory *t, int step);

/* Forward and backward of a step: losses and fresh gradients. */
void trajectory_pass(struct verify_case *c, struct trajectory *t, int step,
                     struct det_step_stats *stats);

/* The update that follows; the step's numbers into got, lr and error. */
void trajectory_update(struct verify_case *c, struct trajectory *t, int step,
                       struct det_step_stats *stats);

/* Why the runs part, into c->remark. Trains the model anew up to there. Where they part within the
 * strict steps, and weights nudged by no more than one rounding of float32 make all of these agree,
 * got, lr and error become those of the nudged run, and the remark says so: a tie is no error. */
void parting_explain(struct verify_case *c, struct trajectory *t);

#endif
