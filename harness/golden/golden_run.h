/* Making the run that a golden file describes. */
#ifndef HARNESS_GOLDEN_RUN_H
#define HARNESS_GOLDEN_RUN_H

#include "detector/training/training_config.h"
#include "harness/log/log_reader.h"

/* Train with the configuration on `threads` threads in a folder of its own under TMPDIR (/tmp), read
 * the log, remove the folder. *out is owned by the caller (logged_run_close). Fails as trainer_run;
 * DET_INVALID "interrupted" after Ctrl-C. */
enum det_code golden_run(const struct det_config *config, const char *name, const char *backend,
                         int threads, struct logged_run **out, struct det_error *err);

#endif
