/* Progress of one training, or of several that run at once: a line with a bar for each on a
 * terminal, redrawn in place; elsewhere a plain line for every tenth of the way. */
#ifndef HARNESS_PROGRESS_H
#define HARNESS_PROGRESS_H

#include "harness/training/trainer.h"

#include <stdio.h>

#define PROGRESS_RUNS_MAX 8

struct progress; /* opaque */

/* Show n runs (at most PROGRESS_RUNS_MAX) of `steps` optimiser steps each on `to`: a terminal or a
 * file, as it happens to be. names are borrowed. *out is owned by the caller. */
enum det_code progress_open(FILE *to, const char *const *names, int n, int64_t steps,
                            struct progress **out, struct det_error *err);

struct progress_look {     /* what progress_open finds out by itself */
    int terminal;          /* draw bars, or else write lines */
    int columns;           /* of the terminal; 0: ask it each time */
    double (*clock)(void); /* seconds */
};
enum det_code progress_open_as(const struct progress_look *look, FILE *to, const char *const *names,
                               int n, int64_t steps, struct progress **out, struct det_error *err);

/* What run i's trainer is to be given. The runs may live in different threads. */
struct trainer_observer progress_observer(struct progress *progress, int i);

/* Draw once more, leave that standing, free. NULL is allowed. */
void progress_close(struct progress *progress);

#endif
