/* A run log read back into arrays (written by run_log.h, described in docs/run_log.md). */
#ifndef HARNESS_LOG_READER_H
#define HARNESS_LOG_READER_H

#include "detector/base/status.h"
#include "harness/log/run_log.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct logged_run {     /* everything is owned by the run */
    char *path;         /* of the log file */
    const char *format; /* of whose trainer; NULL: our own (static) */
    const char *name, *recipe;
    uint64_t dataset_checksum;
    int64_t seed;
    int64_t planned_steps;
    int smoothed;        /* a step's values are medians over many steps */
    int strict;          /* a run is not healthy where the log cannot tell whether it collapsed */
    int planned_unknown; /* the log does not say, nor did the user: planned_steps is steps_done */
    int64_t parameters;
    int n_classes;
    const char **classes;      /* [n_classes] */
    const json_t *config;      /* object: dotted key to value */
    const json_t *environment; /* object */

    struct run_log_step *steps; /* ascending, every step at most once */
    size_t n_steps;
    struct run_log_eval *evals; /* ascending */
    size_t n_evals;
    int64_t steps_done;      /* as far as any line says */
    int64_t skipped_steps;   /* by the loss scaler, of the steps until the last checkpoint; 0 without one */
    int n_resumes;           /* how often the run was interrupted and taken up again */
    const char *stop_reason; /* of the last stop line; NULL without one */
    int torn;                /* the last line was cut short and left out */

    json_t *header; /* the run line: name, classes, config and environment live in it */
    json_t *stop;
    size_t steps_capacity, evals_capacity;
};

/* Read a log. `path` is the file, or the run's folder. Keys and events that are not known are
 * ignored; a last line without its end is left out (torn); any other damage, a required key that
 * is missing or of the wrong type, steps out of order, or another version is DET_INVALID naming
 * file, line and key. *out is owned by the caller, who calls logged_run_close. */
enum det_code logged_run_open(const char *path, struct logged_run **out, struct det_error *err);
void logged_run_close(struct logged_run *run); /* NULL is allowed */

/* Room for one step, or evaluation, more: zeroed, not counted yet (n_steps++); NULL where there is
 * no memory. Pointers to earlier ones are void then. */
struct run_log_step *logged_run_new_step(struct logged_run *run);
struct run_log_eval *logged_run_new_eval(struct logged_run *run);

/* The number behind a configuration key, or `otherwise` where the log has none. */
double logged_config_number(const struct logged_run *run, const char *key, double otherwise);

/* A value of `config` or `environment` as one line of text: strings without quotes, else JSON; ""
 * for NULL. */
void logged_value_text(const json_t *value, char *out, size_t size);

/* The class's name; k from 0. */
const char *logged_class_name(const struct logged_run *run, int k);

/* Detections of the evaluation at or above judge.score, over all classes; RUN_LOG_UNKNOWN where the
 * log does not count them. */
int64_t logged_detections(const struct run_log_eval *eval);

#endif
