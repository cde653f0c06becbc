/* Which values of a run a table records: few enough to be read, spread so that what moves is seen
 * early and where it began. The same choice for every run. */
#ifndef HARNESS_GOLDEN_SELECT_H
#define HARNESS_GOLDEN_SELECT_H

#include "harness/golden/golden_table.h"

/* The rows of the run in the order of time, an evaluation after s steps before step s: the losses
 * and the gradient's norm at steps 0 1 2 3 5 10 20 50 100 200 500 ... and the last, the sampled
 * counts at every other of these, the first and the last evaluation. */
enum det_code golden_select(const struct logged_run *run, struct golden_rows *out,
                            struct det_error *err);

/* Whether any run could have a metric of that name. */
int golden_metric_is_known(const char *metric, const struct logged_run *run);

#endif
