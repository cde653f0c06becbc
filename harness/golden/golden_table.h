/* A table of recorded values: one short run, the rows that a reader can review, and how they came
 * to be. golden/runs/NAME.txt; docs/goldens.md describes the file. */
#ifndef HARNESS_GOLDEN_TABLE_H
#define HARNESS_GOLDEN_TABLE_H

#include "detector/training/training_config.h"
#include "harness/compare/compare_metric.h"
#include "harness/golden/golden_file.h"

extern const struct golden_kind golden_table_kind;

enum golden_tolerance_kind {
    GOLDEN_BITS,     /* bits on the same numerics; on others not compared */
    GOLDEN_EXACT,    /* the same on any numerics */
    GOLDEN_RELATIVE, /* on other numerics within `size` times the larger */
    GOLDEN_ABSOLUTE, /* on other numerics within `size` */
};

struct golden_tolerance {
    enum golden_tolerance_kind kind;
    double size;
};

struct golden_row {
    char metric[80]; /* as `detcheck compare` calls it: "loss_cls", "eval detections 0.5" */
    int64_t step;
    struct metric_value value;
    struct golden_tolerance tolerance;
    char why[120];
    int line; /* in the table's file; 0 for a row of a run */
};

struct golden_rows { /* owned */
    struct golden_row *at;
    int n, capacity;
};

enum det_code golden_rows_add(struct golden_rows *rows, const struct golden_row *row,
                              struct det_error *err);
void golden_rows_release(struct golden_rows *rows);

struct golden_table { /* owned; released by golden_table_release, also after a failure */
    struct golden_file file;
    char name[64]; /* the file's, without folder and .txt */
    struct golden_rows rows;
    struct det_config config; /* the defaults, then the head's `set` lines */
};

/* Read the table at path. DET_INVALID names file and line: what golden_file_read refuses, a value,
 * step or tolerance that is none, a setting that is none. */
enum det_code golden_table_read(const char *path, struct golden_table *out, struct det_error *err);
void golden_table_release(struct golden_table *table);

/* Put the rows into the table's file in place of its own, as text. */
enum det_code golden_table_put_rows(struct golden_table *table, const struct golden_rows *rows,
                                    struct det_error *err);

/* "bits", "exact", "rel 1e-05", "abs 2". */
void golden_tolerance_print(const struct golden_tolerance *tolerance, char out[32]);

/* NaN or infinite: never a value to record, never equal to anything. */
int golden_not_finite(const struct metric_value *value);

#endif
