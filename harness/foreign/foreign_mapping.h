/* The mapping file: which column of a CSV, or key of JSON lines, is what. Private to this room.
 *
 *     step: {column: iter, offset: -1}      # optimiser steps from 0
 *     steps: 300                            # planned; may be left out
 *     training:                             # our names (docs/run_log.md): their columns
 *       loss: train/total
 *       loss_cls: {column: "train/cls x10", scale: 0.1, offset: 0}
 *     evaluation:
 *       step: iter                          # steps done; `step` + 1 where left out
 *       box_ap: {column: AP%, scale: 0.01}
 *       detections: {0.05: n_05, 0.5: n_50} # the ladder of score thresholds */
#ifndef HARNESS_FOREIGN_MAPPING_H
#define HARNESS_FOREIGN_MAPPING_H

#include "harness/foreign/foreign_row.h"
#include "harness/log/run_log_fields.h"

#include <stdint.h>

struct mapped_column {
    char *column; /* owned */
    double scale, offset;
    const struct run_log_field *field; /* NULL for the two steps */
    int element;                       /* of a ladder */
    int seen;                          /* some row had a number there */
};

struct mapping {
    char *path;                /* owned */
    struct mapped_column step; /* of training; column NULL: none given */
    struct mapped_column eval_step;
    struct mapped_column *training, *evaluation; /* owned */
    size_t n_training, n_evaluation;
    int64_t steps; /* 0: not given */
};

/* DET_INVALID names file, line and, for an unknown name, the nearest one. Filled as far as it got,
 * also on failure: the caller calls mapping_release (safe on a zeroed mapping). */
enum det_code mapping_read(const char *path, struct mapping *mapping, struct det_error *err);
void mapping_release(struct mapping *mapping);

/* The column's number in the row, scaled; 0 where it has none. */
int mapping_number(struct mapped_column *column, const struct foreign_row *row, double *out);

/* The first mapped column that no row has had; NULL where each was seen. */
const char *mapping_unseen(const struct mapping *mapping);

#endif
