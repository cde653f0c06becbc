#include "harness/golden/envelope_fit.h"

#include "harness/statistics/robust.h"
#include "harness/statistics/spread.h"

#include <math.h>
#include <string.h>

/* The limits over the median of the seeds' distances. A distance counts in the seeds' own deviations,
 * so that its law is much the same for every configuration; these are what it exceeds in a quarter of a
 * percent, by 280 runs of seven configurations (docs/goldens.md). */
static const double max_over_median = 3.3;
static const double rms_over_median = 2.9;
static const double zero_alpha = 0.001;

/* Beyond this an envelope would let everything pass: its seeds are too few or of several kinds. */
static const double limit_most = 15;

/* A deviation is never taken for smaller than this: 3 % of a level, the Poisson noise of a count
 * (1/2 on the scale of square roots), 0.1 of a logit (0.03 of a share at one half). */
static double least_deviation(enum envelope_measure measure)
{
    return measure == ENVELOPE_LEVEL ? 0.03 : measure == ENVELOPE_SHARE ? 0.1 : 0.5;
}

/* Counts and shares of healthy seeds lie far out more often than levels do (one run in five hundred at
 * 9.1 deviations, levels at 5.9): theirs are taken for so much larger, that one limit suits both. */
static double tail(enum envelope_measure measure)
{
    return measure == ENVELOPE_LEVEL ? 1 : 1.5;
}

static int all_zero(const double *values, int n)
{
    for (int i = 0; i < n; i++)
        if (values[i] != 0)
            return 0;
    return 1;
}

/* Median, and on either side the larger of Qn and of the deviation that the outermost seed would be
 * expected at: healthy seeds may scatter far to one side, and are no outliers. */
static void fit_metric(struct envelope_metric *m, const double *values, int n)
{
    double scaled[ENVELOPE_SEEDS_MAX];
    if (m->measure == ENVELOPE_COUNT && all_zero(values, n)) {
        m->measure = ENVELOPE_ZERO;
        m->middle = m->below = m->above = 0;
        m->high = robust_next_count_after_zeros((size_t)n, zero_alpha);
        return;
    }
    for (int i = 0; i < n; i++)
        scaled[i] = envelope_scale(m->measure, values[i]);
    double largest = robust_expected_largest((size_t)n);
    double deviation = robust_qn(scaled, (size_t)n), least = least_deviation(m->measure);
    struct spread s = spread_of(scaled, (size_t)n);
    m->middle = fmax(envelope_unscale(m->measure, s.median), 0);
    m->below = fmax(tail(m->measure) * fmax(deviation, (s.median - s.least) / largest), least);
    m->above = fmax(tail(m->measure) * fmax(deviation, (s.most - s.median) / largest), least);
}

/* From the runs but `without` (-1: from all). */
static void fit_metrics(struct envelope *envelope, const struct envelope_run *runs, int n,
                        int without)
{
    envelope->n = runs[0].n;
    memcpy(envelope->metrics, runs[0].metrics, sizeof envelope->metrics);
    for (int m = 0; m < envelope->n; m++) {
        double values[ENVELOPE_SEEDS_MAX];
        int used = 0;
        for (int i = 0; i < n; i++)
            if (i != without)
                values[used++] = runs[i].values[m];
        fit_metric(&envelope->metrics[m], values, used);
    }
}

static enum det_code check_runs(const struct envelope *envelope, const struct envelope_run *runs,
                                int n, struct det_error *err)
{
    if (n < 10 || n > ENVELOPE_SEEDS_MAX)
        return det_fail(err, DET_INVALID, "%s: %d seeds; an envelope needs 10 to %d",
                        envelope->file.path, n, ENVELOPE_SEEDS_MAX);
    for (int i = 0; i < n; i++)
        for (int m = 0; m < runs[0].n; m++) {
            if (runs[i].n != runs[0].n || strcmp(runs[i].metrics[m].name, runs[0].metrics[m].name))
                return det_fail(err, DET_INVALID, "%s: the seeds' runs do not have the same metrics",
                                envelope->file.path);
            if (!isfinite(runs[i].values[m]))
                return det_fail(err, DET_INVALID, "%s: %s of run %d is not finite",
                                envelope->file.path, runs[i].metrics[m].name, i + 1);
        }
    return DET_OK;
}

enum det_code envelope_fit(struct envelope *envelope, const struct envelope_run *runs, int n,
                           struct det_error *err)
{
    double max[ENVELOPE_SEEDS_MAX], rms[ENVELOPE_SEEDS_MAX];
    enum det_code code = check_runs(envelope, runs, n, err);
    if (code != DET_OK)
        return code;
    for (int i = 0; i < n; i++) {
        fit_metrics(envelope, runs, n, i);
        struct envelope_distance distance = envelope_distance_of(envelope, runs[i].values);
        max[i] = distance.max;
        rms[i] = distance.rms;
    }
    fit_metrics(envelope, runs, n, -1);
    envelope->limit_max = max_over_median * spread_of(max, (size_t)n).median;
    envelope->limit_rms = rms_over_median * spread_of(rms, (size_t)n).median;
    if (!(envelope->limit_max <= limit_most))
        return det_fail(err, DET_INVALID, "%s: the seeds are too few or too unlike: the next run could "
                        "lie %.3g deviations away", envelope->file.path, envelope->limit_max);
    return DET_OK;
}

double envelope_deviation(const struct envelope_metric *m, double value)
{
    if (m->measure == ENVELOPE_ZERO)
        return value <= m->high ? 0 : (double)INFINITY;
    double from = envelope_scale(m->measure, value) - envelope_scale(m->measure, m->middle);
    return from / (from > 0 ? m->above : m->below);
}

struct envelope_distance envelope_distance_of(const struct envelope *envelope, const double *values)
{
    struct envelope_distance d = {.first_zero = -1};
    double square = 0;
    int n = 0;
    for (int m = 0; m < envelope->n; m++) {
        double deviation = envelope_deviation(&envelope->metrics[m], values[m]);
        d.n_outside += !(fabs(deviation) <= envelope->limit_max);
        if (envelope->metrics[m].measure == ENVELOPE_ZERO && deviation == 0)
            continue;
        if (envelope->metrics[m].measure == ENVELOPE_ZERO) {
            d.first_zero = d.first_zero < 0 ? m : d.first_zero;
            continue;
        }
        if (!isnan(d.max) && !(fabs(deviation) <= d.max)) {
            d.max = fabs(deviation);
            d.deviation = deviation;
            d.worst = m;
        }
        square += deviation * deviation;
        n++;
    }
    d.rms = n ? sqrt(square / n) : 0;
    return d;
}

int envelope_inside(const struct envelope *envelope, const struct envelope_distance *d)
{
    return d->max <= envelope->limit_max && d->rms <= envelope->limit_rms && d->first_zero < 0;
}
