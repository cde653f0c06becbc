/* The model's parameters: declared by the builders of its parts, then planned and initialised. */
#ifndef DET_MODEL_PARAMETERS_H
#define DET_MODEL_PARAMETERS_H

#include "detector/detector.h"

/* A device's round_bf16 or round_fp16. */
typedef void det_round(struct det_device *dev, size_t n, const float *x, float *y);

/* How a tensor starts: torchvision's initialisers by their PyTorch names. */
enum det_init {
    DET_INIT_ZERO,
    DET_INIT_ONE,
    DET_INIT_NORMAL_001,             /* normal, std 0.01: RPN head */
    DET_INIT_KAIMING_NORMAL_FAN_OUT, /* std sqrt(2 / fan_out): ResNet, mask head */
    DET_INIT_KAIMING_UNIFORM_A1,     /* bound sqrt(3 / fan_in): FPN */
    DET_INIT_FAN_IN_UNIFORM,         /* bound 1 / sqrt(fan_in): nn.Linear's and nn.Conv2d's default */
};

struct det_parameter_slot {
    struct det_parameter parameter;
    enum det_init init;
    int fan_in; /* of the layer, for a bias's FAN_IN_UNIFORM; 0: from the shape */
    char name[96];
    float *compute; /* what layers read: `value`, or its rounding in mixed precision */
};

struct det_parameters {
    struct det_parameter_slot *slots; /* owned */
    size_t n, capacity;
    float *values, *grads, *states, *rounded; /* device blocks, owned */
    size_t value_floats, grad_floats;
    det_round *round; /* mixed precision; NULL: fp32, and no rounded copies */
};

/* Declare a tensor; returns its index, or -1 (err filled). dims has n_dims entries. */
int det_parameters_add(struct det_parameters *params, const char *name, int n_dims, const int *dims,
                       enum det_init init, int fan_in, int trainable, int buffer,
                       struct det_error *err);

/* Take device memory: values of all, gradients and `states` optimiser states of the trainable ones,
 * rounded copies where `round` is not NULL. */
enum det_code det_parameters_plan(struct det_parameters *params, struct det_device *dev, int states,
                                  det_round *round, struct det_error *err);

/* Initial values: element i of tensor `name` is a function of (seed, name, i) only. */
enum det_code det_parameters_initialize(struct det_parameters *params, struct det_device *dev,
                                        uint64_t seed, struct det_error *err);

/* Refresh the rounded copies; nothing to do in fp32. */
void det_parameters_round(struct det_parameters *params, struct det_device *dev);

size_t det_parameters_bytes(const struct det_parameters *params, int states);
void det_parameters_release(struct det_parameters *params, struct det_device *dev);

#endif
