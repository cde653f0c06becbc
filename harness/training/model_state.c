#include "harness/training/model_state.h"

#include <stdlib.h>

float *parameter_part(const struct det_parameter *p, enum parameter_part part)
{
    switch (part) {
    case PART_VALUE:
        return p->value;
    case PART_GRADIENT:
        return p->grad;
    case PART_STATE1:
        return p->state1;
    case PART_STATE2:
        return p->state2;
    }
    return NULL;
}

size_t parameter_floats_count(struct det_model *model, enum parameter_part part)
{
    size_t n = 0;
    for (size_t i = 0; i < det_model_parameter_count(model); i++) {
        const struct det_parameter *p = det_model_parameter(model, i);
        n += parameter_part(p, part) ? p->size : 0;
    }
    return n;
}

enum det_code parameter_floats_take(struct parameter_floats *floats, struct det_model *model,
                                    struct det_device *dev, enum parameter_part part,
                                    struct det_error *err)
{
    size_t n = parameter_floats_count(model, part), at = 0;
    if (!floats->at || floats->n != n) {
        free(floats->at);
        floats->at = malloc((n + 1) * sizeof *floats->at);
        floats->n = n;
    }
    if (!floats->at)
        return det_fail(err, DET_NO_MEMORY, "%zu numbers of a model's state", n);
    for (size_t i = 0; i < det_model_parameter_count(model); i++) {
        const struct det_parameter *p = det_model_parameter(model, i);
        const float *from = parameter_part(p, part);
        if (!from)
            continue;
        dev->ops->download(dev, floats->at + at, from, p->size * sizeof *from);
        at += p->size;
    }
    return DET_OK;
}

void parameter_floats_put(const struct parameter_floats *floats, struct det_model *model,
                          struct det_device *dev, enum parameter_part part)
{
    size_t at = 0;
    for (size_t i = 0; i < det_model_parameter_count(model); i++) {
        const struct det_parameter *p = det_model_parameter(model, i);
        float *to = parameter_part(p, part);
        if (!to)
            continue;
        dev->ops->upload(dev, to, floats->at + at, p->size * sizeof *to);
        at += p->size;
    }
}

enum det_code model_state_take(struct model_state *state, struct det_model *model,
                               struct det_device *dev, struct det_error *err)
{
    state->counters = det_model_counters(model);
    enum det_code code = parameter_floats_take(&state->values, model, dev, PART_VALUE, err);
    if (code == DET_OK)
        code = parameter_floats_take(&state->state1, model, dev, PART_STATE1, err);
    return code == DET_OK ? parameter_floats_take(&state->state2, model, dev, PART_STATE2, err)
                          : code;
}

void model_state_put(const struct model_state *state, struct det_model *model,
                     struct det_device *dev)
{
    parameter_floats_put(&state->values, model, dev, PART_VALUE);
    parameter_floats_put(&state->state1, model, dev, PART_STATE1);
    parameter_floats_put(&state->state2, model, dev, PART_STATE2);
    det_model_set_counters(model, &state->counters);
}

void model_state_release(struct model_state *state)
{
    free(state->values.at);
    free(state->state1.at);
    free(state->state2.at);
    *state = (struct model_state){0};
}
