/* A run measured for an envelope: its numbers, before any statistics. */
#ifndef HARNESS_ENVELOPE_RUN_H
#define HARNESS_ENVELOPE_RUN_H

#include "harness/golden/envelope.h"
#include "harness/log/log_reader.h"

struct envelope_run {
    int n;
    struct envelope_metric metrics[ENVELOPE_METRICS_MAX]; /* name, steps and measure */
    double values[ENVELOPE_METRICS_MAX]; /* NaN: not finite, or nothing to take a mean of */
};

/* The means of the five losses, their sum, the gradient's norm and both foreground accuracies over
 * each third of the planned steps, and of the last two evaluations together the detections at each
 * threshold (sums), scores, recall and AP (means). A loss that is not finite makes its mean NaN; a
 * foreground accuracy without foreground counts as nothing, an AP that was not evaluated is left
 * out. DET_INVALID for a run without steps in a third, or with fewer than two evaluations. */
enum det_code envelope_measure_run(const struct logged_run *run, struct envelope_run *out,
                                   struct det_error *err);

#endif
