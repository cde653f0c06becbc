/* Initial values as torchvision 0.14 gives them, drawn from Philox instead of torch's generator. */
#include "detector/bodies/philox.h"
#include "detector/model/parameters.h"

#include <math.h>
#include <stdlib.h>

/* FNV-1a: the stream of a tensor follows from its name, not from its place in the list. */
static uint32_t stream_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash;
}

static int receptive_field(const struct det_parameter *p)
{
    return p->n_dims == 4 ? p->dims[2] * p->dims[3] : 1;
}

/* PyTorch's _calculate_fan_in_and_fan_out: dimension 1 is fan-in, dimension 0 fan-out. */
static int fan_in_of(const struct det_parameter_slot *slot)
{
    const struct det_parameter *p = &slot->parameter;
    return slot->fan_in ? slot->fan_in : p->dims[1] * receptive_field(p);
}

static int fan_out_of(const struct det_parameter_slot *slot)
{
    return slot->parameter.dims[0] * receptive_field(&slot->parameter);
}

static void fill(float *to, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        to[i] = value;
}

static void fill_uniform(float *to, size_t n, double bound, uint32_t stream, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        struct det_philox r = det_philox((uint32_t)i, stream, 0, DET_PURPOSE_INIT, seed);
        to[i] = (float)((2.0 * (double)det_philox_uniform(r.word[0]) - 1.0) * bound);
    }
}

/* Box and Muller's transform in double, so that rounding to float hides libm's last bits. */
static void fill_normal(float *to, size_t n, double std, uint32_t stream, uint64_t seed)
{
    const double two_pi = 6.283185307179586;
    for (size_t i = 0; i < n; i++) {
        struct det_philox r = det_philox((uint32_t)i, stream, 0, DET_PURPOSE_INIT, seed);
        double u = ((double)r.word[0] + 0.5) / 4294967296.0;
        double v = (double)r.word[1] / 4294967296.0;
        to[i] = (float)(std * sqrt(-2.0 * log(u)) * cos(two_pi * v));
    }
}

static void fill_slot(const struct det_parameter_slot *slot, float *to, uint64_t seed)
{
    size_t n = slot->parameter.size;
    uint32_t stream = stream_of(slot->name);
    switch (slot->init) {
    case DET_INIT_ZERO:
        fill(to, n, 0.0f);
        break;
    case DET_INIT_ONE:
        fill(to, n, 1.0f);
        break;
    case DET_INIT_NORMAL_001:
        fill_normal(to, n, 0.01, stream, seed);
        break;
    case DET_INIT_KAIMING_NORMAL_FAN_OUT:
        fill_normal(to, n, sqrt(2.0 / fan_out_of(slot)), stream, seed);
        break;
    case DET_INIT_KAIMING_UNIFORM_A1:
        fill_uniform(to, n, sqrt(3.0 / fan_in_of(slot)), stream, seed);
        break;
    case DET_INIT_FAN_IN_UNIFORM:
        fill_uniform(to, n, 1.0 / sqrt((double)fan_in_of(slot)), stream, seed);
        break;
    }
}

enum det_code det_parameters_initialize(struct det_parameters *params, struct det_device *dev,
                                        uint64_t seed, struct det_error *err)
{
    size_t largest = 1;
    for (size_t i = 0; i < params->n; i++)
        if (params->slots[i].parameter.size > largest)
            largest = params->slots[i].parameter.size;
    float *host = malloc(largest * sizeof *host);
    if (!host)
        return det_fail(err, DET_NO_MEMORY, "initial values: %zu bytes", largest * sizeof *host);
    for (size_t i = 0; i < params->n; i++) {
        struct det_parameter *p = &params->slots[i].parameter;
        fill_slot(&params->slots[i], host, seed);
        dev->ops->upload(dev, p->value, host, p->size * sizeof *host);
    }
    free(host);
    det_parameters_round(params, dev);
    return DET_OK;
}
