#include "detector/model/parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum det_code grow(struct det_parameters *params, struct det_error *err)
{
    if (params->n < params->capacity)
        return DET_OK;
    size_t capacity = params->capacity ? 2 * params->capacity : 64;
    struct det_parameter_slot *slots = realloc(params->slots, capacity * sizeof *slots);
    if (!slots)
        return det_fail(err, DET_NO_MEMORY, "parameter table of %zu", capacity);
    params->slots = slots;
    params->capacity = capacity;
    return DET_OK;
}

int det_parameters_add(struct det_parameters *params, const char *name, int n_dims, const int *dims,
                       enum det_init init, int fan_in, int trainable, int buffer,
                       struct det_error *err)
{
    if (grow(params, err) != DET_OK)
        return -1;
    struct det_parameter_slot *slot = &params->slots[params->n];
    memset(slot, 0, sizeof *slot);
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->init = init;
    slot->fan_in = fan_in;
    struct det_parameter *p = &slot->parameter;
    p->n_dims = n_dims;
    p->size = 1;
    for (int i = 0; i < n_dims; i++) {
        p->dims[i] = dims[i];
        p->size *= (size_t)dims[i];
    }
    p->trainable = trainable;
    p->buffer = buffer;
    params->value_floats += p->size;
    if (trainable)
        params->grad_floats += p->size;
    return (int)params->n++;
}

size_t det_parameters_bytes(const struct det_parameters *params, int states)
{
    size_t floats = params->value_floats * (params->round ? 2 : 1);
    return (floats + params->grad_floats * (size_t)(1 + states)) * sizeof(float);
}

static void point_into_blocks(struct det_parameters *params, int states)
{
    size_t value = 0;
    size_t grad = 0;
    for (size_t i = 0; i < params->n; i++) {
        struct det_parameter_slot *slot = &params->slots[i];
        struct det_parameter *p = &slot->parameter;
        p->name = slot->name; /* the table no longer moves */
        p->value = params->values + value;
        slot->compute = params->rounded ? params->rounded + value : p->value;
        value += p->size;
        if (!p->trainable)
            continue;
        p->grad = params->grads + grad;
        p->state1 = params->states + grad;
        p->state2 = states > 1 ? params->states + params->grad_floats + grad : NULL;
        grad += p->size;
    }
}

enum det_code det_parameters_plan(struct det_parameters *params, struct det_device *dev, int states,
                                  det_round *round, struct det_error *err)
{
    params->round = round;
    const struct {
        float **block;
        size_t floats;
        const char *what;
    } blocks[] = {
        {&params->values, params->value_floats, "parameters"},
        {&params->grads, params->grad_floats, "parameter gradients"},
        {&params->states, params->grad_floats * (size_t)states, "optimiser state"},
        {&params->rounded, round ? params->value_floats : 0, "rounded parameters"},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        void *memory = NULL;
        if (!blocks[i].floats)
            continue;
        enum det_code code =
            dev->ops->alloc(dev, blocks[i].floats * sizeof(float), blocks[i].what, &memory, err);
        if (code != DET_OK)
            return code;
        *blocks[i].block = memory;
    }
    point_into_blocks(params, states);
    return DET_OK;
}

void det_parameters_round(struct det_parameters *params, struct det_device *dev)
{
    if (params->round)
        params->round(dev, params->value_floats, params->values, params->rounded);
}

void det_parameters_release(struct det_parameters *params, struct det_device *dev)
{
    float *blocks[] = {params->values, params->grads, params->states, params->rounded};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i])
            dev->ops->release(dev, blocks[i]);
    free(params->slots);
    memset(params, 0, sizeof *params);
}
