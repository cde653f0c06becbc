/* A table against a run of today. */
#ifndef HARNESS_GOLDEN_COMPARE_H
#define HARNESS_GOLDEN_COMPARE_H

#include "harness/compare/compare.h"
#include "harness/golden/golden_table.h"

enum golden_mode {
    GOLDEN_MODE_BITS,      /* the same numerics: every row to the bit */
    GOLDEN_MODE_TOLERANCE, /* other numerics: each row by its tolerance */
};

enum golden_finding_kind {
    GOLDEN_MOVED,
    GOLDEN_NOT_FINITE,  /* NaN or infinite on either side */
    GOLDEN_MISSING,     /* the run has it, the table does not */
    GOLDEN_SUPERFLUOUS, /* the table has it, or has it twice, and the run does not */
    GOLDEN_UNKNOWN,     /* no run could have it */
    GOLDEN_REORDERED,   /* it stands before a row that comes earlier in the run */
};

struct golden_finding {
    enum golden_finding_kind kind;
    int line;                            /* of the table's file; 0 where it has no such row */
    struct golden_tolerance tolerance;
    struct metric_difference difference; /* name, step; a: the table, b: the run; "-": not there */
};

struct golden_report { /* owned */
    enum golden_mode mode;
    char numerics[1024]; /* what differs in the numerics; "" where nothing does */
    char head[600];      /* configuration or data that are not the table's; "" where they are */
    struct golden_finding *at;
    int n;
    int compared, not_compared; /* rows; the latter hold on the same numerics only */
    char first_loss[80];        /* the part of the loss that moved first; "" where none did */
    int64_t first_loss_step;
};

/* `mode` as golden_mode_of says, or BITS for a plain difference. *out is released by
 * golden_report_release, also after a failure. */
enum det_code golden_compare(const struct golden_table *table, const struct logged_run *run,
                             const struct golden_rows *rows, enum golden_mode mode,
                             struct golden_report *out, struct det_error *err);
void golden_report_release(struct golden_report *report);

/* BITS where the run's numerics are the table's. What differs goes into differ ("" if nothing). */
enum golden_mode golden_mode_of(const struct golden_table *table, const struct logged_run *run,
                                char *differ, size_t size);

/* Nothing found, configuration and data as in the table, and something compared. */
int golden_holds(const struct golden_report *report);

const char *golden_finding_name(enum golden_finding_kind kind);

#endif
