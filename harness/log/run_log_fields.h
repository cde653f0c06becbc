/* Every key of the step and eval lines, once: the writer and the reader both walk these tables. */
#ifndef HARNESS_RUN_LOG_FIELDS_H
#define HARNESS_RUN_LOG_FIELDS_H

#include <stddef.h>

enum run_log_type {
    RUN_LOG_INT,           /* int64_t */
    RUN_LOG_FLAG,          /* int 0/1 */
    RUN_LOG_NUMBER,        /* double */
    RUN_LOG_SHARE,         /* double, RUN_LOG_NONE is null */
    RUN_LOG_HASH,          /* uint64_t as 16 hex digits */
    RUN_LOG_LADDER,        /* int64_t[RUN_LOG_THRESHOLDS] */
    RUN_LOG_CLASS_COUNTS,  /* const int64_t * of n_classes */
    RUN_LOG_CLASS_SHARES,  /* const double * of n_classes, RUN_LOG_NONE is null */
    RUN_LOG_CLASS_LADDERS, /* const int64_t (*)[RUN_LOG_THRESHOLDS] of n_classes; NULL: left out */
};

struct run_log_field {
    const char *key;
    enum run_log_type type;
    size_t offset; /* in struct run_log_step or run_log_eval */
    int optional;  /* a log without it can be read; it then reads as 0, or NULL */
};

/* In the order in which they are written; *n receives their number. */
const struct run_log_field *run_log_step_fields(size_t *n);
const struct run_log_field *run_log_eval_fields(size_t *n);

/* The field of that key, NULL without one. */
const struct run_log_field *run_log_find(const struct run_log_field *fields, size_t n,
                                         const char *key);

/* Set every field of the record to "not in this log" (run_log.h), the step too. */
void run_log_clear(const struct run_log_field *fields, size_t n, void *record);

/* Whether the record has a value for the field. */
int run_log_has(const struct run_log_field *field, const void *record);

#endif
