/* An envelope: what whole healthy runs of one configuration look like, over many seeds.
 *
 * A run is measured by about forty numbers (envelope_measure.h). Each is put on a scale on which
 * seeds scatter evenly (logarithm of losses, square root of counts, logit of shares), and says how
 * many robust deviations it lies from the median of the envelope's seeds; below and above have
 * deviations of their own. Two numbers over all of them decide: the largest, and the root mean
 * square. Their limits come from the envelope's own seeds, each held against the others: a multiple
 * of the median of those distances. docs/goldens.md has the reasons. */
#ifndef HARNESS_ENVELOPE_H
#define HARNESS_ENVELOPE_H

#include "detector/training/training_config.h"
#include "harness/golden/golden_file.h"
#include "harness/judge/verdict.h"

#include <stdint.h>

#define ENVELOPE_METRICS_MAX 64
#define ENVELOPE_SEEDS_MAX 200

extern const struct golden_kind envelope_kind;

enum envelope_measure {
    ENVELOPE_LEVEL, /* a positive level, as a loss: by its logarithm */
    ENVELOPE_COUNT, /* by its square root */
    ENVELOPE_SHARE, /* 0 to 1, as a score or AP: by its logit */
    ENVELOPE_ZERO,  /* a count that was 0 in every seed: `high` is its bound, without a scale */
};

struct envelope_metric {
    char name[48];       /* "loss_cls", "detections 0.5" */
    int64_t from, to;    /* steps it is the mean of, both included; or evaluations after so many */
    enum envelope_measure measure;
    double middle;       /* median over the seeds */
    double below, above; /* a deviation on either side, on the measure's scale */
    double high;         /* ENVELOPE_ZERO only: the largest count that may be */
};

struct envelope { /* released by envelope_release, also after a failure */
    struct golden_file file;
    char name[64];
    struct det_config config; /* the defaults, then the head's `set` lines */
    unsigned verdicts; /* that the rules gave its seeds: bit 1 << kind */
    double limit_max, limit_rms;
    struct envelope_metric metrics[ENVELOPE_METRICS_MAX];
    int n;
};

/* Read the envelope at path. DET_INVALID names file and line. One that has only its `set` lines has
 * n == 0. */
enum det_code envelope_read(const char *path, struct envelope *out, struct det_error *err);
void envelope_release(struct envelope *envelope);

/* Put metrics, limits and verdict into the envelope's file as text. */
enum det_code envelope_put(struct envelope *envelope, struct det_error *err);

/* To the measure's scale and back. */
double envelope_scale(enum envelope_measure measure, double value);
double envelope_unscale(enum envelope_measure measure, double scaled);

/* The values between which the metric alone is inside. */
void envelope_bounds(const struct envelope *envelope, const struct envelope_metric *metric,
                     double *low, double *high);

#endif
