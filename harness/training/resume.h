/* Whether a run may be taken up again. */
#ifndef HARNESS_TRAINING_RESUME_H
#define HARNESS_TRAINING_RESUME_H

#include "detector/base/status.h"
#include "detector/training/training_config.h"

/* The run that `log` (its log.jsonl) tells of began with this configuration, but for `threads`, and
 * with data of this checksum. DET_INVALID names the first key that differs and both values: a log
 * of two halves of different runs would be worth nothing. DET_IO, DET_INVALID: as logged_run_open. */
enum det_code resume_check(const char *log, const struct det_config *config,
                           uint64_t dataset_checksum, struct det_error *err);

#endif
