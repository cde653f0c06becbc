/* Running a study: every variant with every seed, several runs at a time, each on one thread. */
#ifndef HARNESS_SWEEP_SWEEP_H
#define HARNESS_SWEEP_SWEEP_H

#include "harness/sweep/study.h"
#include "harness/judge/verdict.h"
#include "harness/report/tally.h"

#define SWEEP_CLASSES_MAX 16

struct sweep_result { /* of one run; what it ended with */
    int variant;
    int64_t seed;
    enum verdict_kind verdict;
    int64_t step;                 /* first bad one, -1 where healthy */
    int64_t detections, objects;  /* at judge.score, in the last evaluation */
    int n_classes;                /* those that fit */
    int64_t class_detections[SWEEP_CLASSES_MAX], class_objects[SWEEP_CLASSES_MAX];
    double max_score, mean_object_score, max_objectness;
    double box_ap, mask_ap;
    int64_t last_eval; /* step of the last evaluation; -1: there was none */
};

struct sweep_options {
    const struct study *study;
    const char *folder;  /* receives <variant>/seed-<n>/ */
    const char *backend;
    int64_t first_seed;
    int seeds;           /* of every variant; 0: as the study says */
    int reuse;           /* a finished run of the same configuration is not made again */
    int jobs;            /* runs at a time; 0: as many as cores */
    const struct progress_options *progress; /* under the study's name; NULL: none */
};

/* Runs that a sweep has. */
int sweep_count(const struct sweep_options *options);

/* results[sweep_count], variant by variant, seeds ascending. The first run that cannot be made stops
 * the sweep. */
enum det_code sweep_run(const struct sweep_options *options, struct sweep_result *results,
                        struct det_error *err);

#endif
