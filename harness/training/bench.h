/* Timing a configuration's training step and inference pass. */
#ifndef HARNESS_TRAINING_BENCH_H
#define HARNESS_TRAINING_BENCH_H

#include "detector/training/training_config.h"
#include "harness/statistics/spread.h"

#include <stddef.h>

struct bench_result {
    struct spread step, inference, loading; /* seconds */
    int height, width, threads;
    size_t memory; /* bytes planned on the device */
    int64_t parameters;
    double rpn_positives, roi_positives; /* means a step: what the heads' cost depends on */
    const char *blas_core;
};

/* `steps` training steps and as many inference passes of train.batch_size images, after a tenth of
 * that (at least 3) as warm-up. */
enum det_code bench_run(const struct det_config *config, const char *backend, int steps,
                        struct bench_result *out, struct det_error *err);

#endif
