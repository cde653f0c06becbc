/* Two run logs, step by step: which metric differs first, where, and by how much. */
#ifndef HARNESS_COMPARE_H
#define HARNESS_COMPARE_H

#include "harness/log/log_reader.h"

#include <stdio.h>

struct compare_options { /* both tolerances 0: bit equality, hashes of the weights included */
    double relative;     /* |a - b| <= relative * max(|a|, |b|), or */
    double absolute;     /* |a - b| <= absolute */
    int64_t steps;       /* compare only so many steps from the start; 0: all */
};

struct metric_difference {
    char name[80];     /* "loss_cls", "eval detections 0.5", "eval detections_per_class circle" */
    int is_loss;       /* one of the five parts of the loss */
    int64_t step;      /* first one where it differs */
    char a[32], b[32]; /* the values there */
    double absolute, relative; /* NaN where a value is not finite or missing */
    double ulps;   /* representable numbers between them; NaN as above, and for counts */
    int single;    /* ulps are float32's: both values are exactly float32 numbers */
    int64_t steps; /* how many differ */
    double worst;  /* largest relative difference, and where; NaN wins over all */
    int64_t worst_step;
};

struct comparison {
    int64_t steps, evals; /* compared */
    int64_t unmatched;    /* lines of one log that have no partner in the other */
    char first_unmatched[80];
    int n;                        /* metrics that differ */
    struct metric_difference *at; /* owned; by first step, steps before evaluations */
};

struct metric_value; /* compare_metric.h */

/* Fill what *slot says of its first difference: value a against value b of metric `name` at `step`.
 * The counts of further ones stay as they are. */
void compare_note(struct metric_difference *slot, const char *name, const struct metric_value *a,
                  const struct metric_value *b, int64_t step);

/* Speed is not compared. NaN equals nothing, not even NaN. DET_INVALID where the runs have other
 * classes. *out is released by compare_release, also on failure. */
enum det_code compare_runs(const struct logged_run *a, const struct logged_run *b,
                           const struct compare_options *options, struct comparison *out,
                           struct det_error *err);
void compare_release(struct comparison *comparison);

/* No metric differs, every line has its partner, and there was something to compare. */
int compare_equal(const struct comparison *comparison);

/* The first of the five losses to differ, or NULL. */
const struct metric_difference *compare_first_loss(const struct comparison *comparison);

/* The whole answer, for people or for machines. */
enum det_code compare_print(FILE *to, const struct logged_run *a, const struct logged_run *b,
                            const struct compare_options *options,
                            const struct comparison *comparison, struct det_error *err);
enum det_code compare_print_json(FILE *to, const struct logged_run *a, const struct logged_run *b,
                                 const struct comparison *comparison, struct det_error *err);

#endif
