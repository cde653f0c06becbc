/* Progress of one or more runs that train at the same time: a bar a run on a terminal, redrawn in
 * place; elsewhere a plain line at every tenth of the way. */
#ifndef HARNESS_PROGRESS_H
#define HARNESS_PROGRESS_H

#include "harness/training/trainer.h"

#include <stdio.h>

#define PROGRESS_RUNS_MAX 8

struct progress; /* opaque */

/* Progress of n runs (at most PROGRESS_RUNS_MAX) of `steps` optimiser steps each, shown on `to`.
 * names are borrowed. *out is owned by the caller. */
enum det_code progress_open(FILE *to, const char *const *names, int n, int64_t steps,
                            struct progress **out, struct det_error *err);

/* What run i's trainer is to be given. The runs may live in different threads. */
struct trainer_observer progress_observer(struct progress *progress, int i);

/* Leave the last state standing and free. NULL is allowed. */
void progress_close(struct progress *progress);

#endif
