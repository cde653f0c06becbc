/* A short training run beside the oracle's. */
#ifndef HARNESS_VERIFY_TRAJECTORY_H
#define HARNESS_VERIFY_TRAJECTORY_H

#include "harness/verify/model_case.h"

#define TRAJECTORY_TOLERANCE 1e-4 /* relative; a loss beyond it has parted from the oracle's */

enum { TRAJECTORY_LOSSES = 6, TRAJECTORY_COLUMNS = 7 };

struct trajectory {
    struct model_case m;
    int iterations, batch;
    double *got[TRAJECTORY_COLUMNS], *want[TRAJECTORY_COLUMNS]; /* [iterations] five losses, their
                                                                   sum, the gradient norm */
    double *lr, *error; /* [iterations] error: the worst relative one of the step's losses */
    struct det_sample *samples; /* [batch] of the step being run */
    int parted; /* first step with an error beyond the tolerance; `iterations`: none */
};

/* Forward and backward of a step: losses and fresh gradients. */
void trajectory_pass(struct verify_case *c, struct trajectory *t, int step,
                     struct det_step_stats *stats);

/* The worst relative error of a step's six losses. */
double trajectory_error(const struct trajectory *t, const struct det_losses *losses, int step);

/* Why the runs part, into c->remark. Trains the model anew up to there. */
void parting_explain(struct verify_case *c, struct trajectory *t);

#endif
