/* A model's whole state on the host: what a training step starts from and leaves behind. */
#ifndef HARNESS_TRAINING_MODEL_STATE_H
#define HARNESS_TRAINING_MODEL_STATE_H

#include "detector/detector.h"

/* One number of each parameter: its value, its gradient, its first or second moment. */
enum parameter_part { PART_VALUE, PART_GRADIENT, PART_STATE1, PART_STATE2 };

/* The device memory of a parameter's part, or NULL where it has none. */
float *parameter_part(const struct det_parameter *parameter, enum parameter_part part);

struct parameter_floats { /* that part of all parameters, one after another */
    float *at;            /* owned */
    size_t n;
};

/* How many floats that part of all parameters has. */
size_t parameter_floats_count(struct det_model *model, enum parameter_part part);
/* Copy from the model; memory is taken at the first call. DET_NO_MEMORY. */
enum det_code parameter_floats_take(struct parameter_floats *floats, struct det_model *model,
                                    struct det_device *dev, enum parameter_part part,
                                    struct det_error *err);
/* Copy to the model. floats->n must be parameter_floats_count. */
void parameter_floats_put(const struct parameter_floats *floats, struct det_model *model,
                          struct det_device *dev, enum parameter_part part);

struct model_state {
    struct parameter_floats values, state1, state2; /* state2 empty for SGD */
    struct det_counters counters;
};

enum det_code model_state_take(struct model_state *state, struct det_model *model,
                               struct det_device *dev, struct det_error *err);
void model_state_put(const struct model_state *state, struct det_model *model,
                     struct det_device *dev);
void model_state_release(struct model_state *state);

#endif
