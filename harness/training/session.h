/* A training run from start to verdict: what `train` does once and `run` twice. */
#ifndef HARNESS_TRAINING_SESSION_H
#define HARNESS_TRAINING_SESSION_H

#include "harness/training/trainer.h"
#include "harness/judge/verdict.h"

/* Train, judge the log by the run's own rules, append the verdict to it. */
enum det_code session_run(const struct trainer_options *options, struct verdict *verdict,
                          struct det_error *err);

#endif
