/* Making the run that a golden file describes. */
#ifndef HARNESS_GOLDEN_RUN_H
#define HARNESS_GOLDEN_RUN_H

#include "detector/training/training_config.h"
#include "harness/golden/golden_table.h"

/* The table of that name (golden_path), and its run made again on `threads` threads. Both are to be
 * released by the caller, also after a failure: golden_table_release, logged_run_close. Fails as
 * golden_path, golden_table_read and golden_run. */
enum det_code golden_run_table(const char *name, int threads, struct golden_table *table,
                               struct logged_run **run, struct det_error *err);

/* Train with the configuration on `threads` threads in a folder of its own under TMPDIR (/tmp), read
 * the log, remove the folder. *out is owned by the caller (logged_run_close). Fails as trainer_run;
 * DET_INVALID "interrupted" after Ctrl-C. */
enum det_code golden_run(const struct det_config *config, const char *name, const char *backend,
                         int threads, struct logged_run **out, struct det_error *err);

#endif
