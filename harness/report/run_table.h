/* Runs side by side: what differs between them, losses, detections, AP, monitors, verdict. */
#ifndef HARNESS_RUN_TABLE_H
#define HARNESS_RUN_TABLE_H

#include "harness/log/log_reader.h"
#include "harness/report/table.h"
#include "harness/judge/verdict.h"

/* Begin and fill the table, a column a run; the caller releases it, also on failure. */
enum det_code run_table_fill(struct table *table, const struct logged_run *const *runs,
                             const struct verdict *verdicts, int n, struct det_error *err);

/* Fill and print. */
enum det_code run_table_print(FILE *to, const struct logged_run *const *runs,
                              const struct verdict *verdicts, int n, struct det_error *err);

#endif
