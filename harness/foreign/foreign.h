/* Logs of other trainers as runs: harness/judge, compare and report then work on them unchanged.
 * docs/foreign_logs.md describes the formats.
 *
 * What a log lacks is never 0 (run_log.h); rules that need it are not applied, and the verdict
 * lists them. */
#ifndef HARNESS_FOREIGN_H
#define HARNESS_FOREIGN_H

#include "harness/log/log_reader.h"

#define FOREIGN_SETS_MAX 8

struct foreign_options {
    const char *format;  /* one of foreign_formats; NULL: told by the content */
    const char *mapping; /* YAML file that says what a CSV's or JSON lines' columns are, or NULL */
    const char *truth;   /* COCO ground truth of result files, or NULL */
    const char *results; /* folder of COCO result files that belong to a log, or NULL */
    int64_t steps;       /* planned; 0: not known */
    int64_t epoch_steps; /* steps of an epoch (mmdetection 2 counts within epochs); 0: not known */
    int strict;          /* not healthy where the log cannot tell a collapse */
    int growing;         /* a last line without its end may be cut short, and is left out */
    int n_sets;
    const char *sets[FOREIGN_SETS_MAX]; /* "judge.score=0.3"; borrowed */
};

/* NULL-terminated: "detcheck", "detectron2", "mmdetection3", "mmdetection2", "csv", "jsonl",
 * "coco". */
extern const char *const foreign_formats[];

/* Read a run of any format: our own (logged_run_open), another trainer's log, or COCO results.
 * `path` is a file or a folder that holds one. DET_INVALID names file and line, or says what was
 * tried. *out is owned by the caller (logged_run_close). */
enum det_code foreign_open(const char *path, const struct foreign_options *options,
                           struct logged_run **out, struct det_error *err);

/* A number that changes when what foreign_open would read does; 0 where there is nothing yet. */
uint64_t foreign_stamp(const char *path, const struct foreign_options *options);

#endif
