/* From the measured runs of many seeds to an envelope, and how far a run lies from it. */
#ifndef HARNESS_ENVELOPE_FIT_H
#define HARNESS_ENVELOPE_FIT_H

#include "harness/golden/envelope_run.h"

struct envelope_distance {
    double max, rms;  /* over all metrics but those that are always 0; NaN where a value is */
    int worst;        /* the metric with the largest deviation, or that is NaN or missing */
    double deviation; /* of that metric, signed */
    int n_outside;    /* metrics that are outside by themselves, always-0 ones included */
    int first_zero;   /* the first always-0 count above its bound, or -1 */
};

/* Fill metrics and limits of the envelope from runs[n], 10 <= n <= ENVELOPE_SEEDS_MAX, all of one
 * configuration. DET_INVALID where their metrics are not the same, a value is NaN, or the seeds are so
 * unlike that the envelope would let everything pass. */
enum det_code envelope_fit(struct envelope *envelope, const struct envelope_run *runs, int n,
                           struct det_error *err);

/* values[envelope->n], in the order of the envelope's metrics. */
struct envelope_distance envelope_distance_of(const struct envelope *envelope, const double *values);

/* Inside: !(max > limit) and the like would let a NaN pass; this does not. */
int envelope_inside(const struct envelope *envelope, const struct envelope_distance *distance);

/* How a metric's value deviates, signed; of an always-0 count, infinite above its bound, else 0. */
double envelope_deviation(const struct envelope_metric *metric, double value);

#endif
