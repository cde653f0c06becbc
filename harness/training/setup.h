/* What a training run and a benchmark need before their first step: data, device, model. */
#ifndef HARNESS_TRAINING_SETUP_H
#define HARNESS_TRAINING_SETUP_H

#include "detector/base/pool.h"
#include "detector/detector.h"

struct training_setup { /* everything owned */
    struct det_dataset *train, *val;
    struct det_device *device;
    struct det_pool *pool; /* loads images */
    struct det_model *model;
    int threads;
};

/* Open the data of `config`, the backend of that name with config->threads workers (0: all cores)
 * and a model for them. On failure what was opened stays, for training_setup_close. */
enum det_code training_setup_open(struct training_setup *setup, const struct det_config *config,
                                  const char *backend, struct det_error *err);
void training_setup_close(struct training_setup *setup);

#endif
