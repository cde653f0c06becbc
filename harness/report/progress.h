/* Progress of one training, or of several that run at once: a line with a bar for each on a
 * terminal, redrawn in place; elsewhere a plain line for every tenth of the way. */
#ifndef HARNESS_PROGRESS_H
#define HARNESS_PROGRESS_H

#include "detector/base/status.h"
#include "harness/log/run_log.h"
#include "harness/report/progress_display.h"

#define PROGRESS_RUNS_MAX 8

struct progress; /* opaque */

/* n runs with their names (borrowed) and planned steps. *out is owned by the caller. The functions
 * below may be called from several threads at once. */
enum det_code progress_create(const struct progress_options *options, const char *const *names,
                              const int64_t *steps, int n, struct progress **out,
                              struct det_error *err);

/* Run i has done this step (step->step + 1 of its steps), or this evaluation. */
void progress_step(struct progress *progress, int i, const struct run_log_step *step);
void progress_eval(struct progress *progress, int i, const struct run_log_eval *eval);

/* Draws once more and frees. NULL is allowed. */
void progress_destroy(struct progress *progress);

#endif
