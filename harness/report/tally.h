/* Progress through many runs, of which only the end is told: on a terminal one line with a bar,
 * redrawn in place; elsewhere a plain line for each run. Not for several threads at once. */
#ifndef HARNESS_TALLY_H
#define HARNESS_TALLY_H

#include "detector/base/status.h"
#include "harness/report/progress_display.h"

struct tally; /* opaque */

/* Of n runs, under a name (borrowed). *out is owned by the caller. DET_NO_MEMORY. */
enum det_code tally_create(const struct progress_options *options, const char *name, int n,
                           struct tally **out, struct det_error *err);

/* One more has ended, and `what` came of it. */
void tally_done(struct tally *tally, const char *what);

void tally_destroy(struct tally *tally); /* NULL is allowed */

#endif
