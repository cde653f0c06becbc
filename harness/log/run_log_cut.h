/* Cutting a run log back to a checkpoint, so that a resumed run appends where it left off. */
#ifndef HARNESS_RUN_LOG_CUT_H
#define HARNESS_RUN_LOG_CUT_H

#include "detector/base/status.h"

#include <stdint.h>
#include <sys/types.h>

/* Cut the file before its first line that lies beyond `step` optimiser steps: a step line numbered
 * `step` or above, an eval, checkpoint, resume or stop line above it, any verdict, a torn last
 * line. *end receives the new size. DET_INVALID names the line where the log is damaged, or says
 * that it does not begin with a run line; then nothing is changed. */
enum det_code run_log_cut(const char *path, int64_t step, off_t *end, struct det_error *err);

#endif
