/* A log record seen as a row of named metrics: lists taken apart, each element a metric. */
#ifndef HARNESS_COMPARE_METRIC_H
#define HARNESS_COMPARE_METRIC_H

#include "harness/compare/compare.h"
#include "harness/log/run_log_fields.h"

enum metric_kind { METRIC_REAL, METRIC_COUNT, METRIC_HASH };

struct metric_value {
    enum metric_kind kind;
    int null;      /* a mean over nothing */
    double number; /* reals and counts */
    uint64_t hash;
};

/* How many metrics a field stands for; 0 for one that is not compared. */
int metric_elements(const struct run_log_field *field, int n_classes);
struct metric_value metric_value(const struct run_log_field *field, const void *record,
                                 int element);
/* "detections 0.5", "box_ap_per_class circle"; prefix is "" or "eval ". */
void metric_name(const struct run_log_field *field, int element, const char *prefix,
                 const struct logged_run *run, char *out, size_t size);
void metric_print(const struct metric_value *value, char out[32]);

/* Whether the two are within the tolerances. */
int metric_same(const struct metric_value *a, const struct metric_value *b,
                const struct compare_options *options);
/* |a - b| / max(|a|, |b|); NaN unless both are finite numbers. */
double metric_relative(const struct metric_value *a, const struct metric_value *b);
/* Numbers between two reals; *single is set where both are float32 numbers. */
double metric_ulps(const struct metric_value *a, const struct metric_value *b, int *single);

#endif
