#include "harness/decisions/kinks.h"

#include "harness/decisions/norm.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BIAS 150 /* exponents of float32 are -149 .. 127: 1 and up */

static uint8_t code_of(float y)
{
    int exponent;
    if (!(y > 0.0f))
        return 0;
    if (isinf(y))
        return UINT8_MAX;
    frexpf(y, &exponent);
    exponent = exponent - 1 + BIAS;
    return (uint8_t)(exponent < 1 ? 1 : exponent > UINT8_MAX ? UINT8_MAX : exponent);
}

/* The most that the unit can have been. */
static double value_below(uint8_t code)
{
    return ldexp(1.0, code - BIAS + 1);
}

static size_t size_of(const struct det_activation *a)
{
    return (size_t)a->rows * (size_t)a->planes * (size_t)a->plane;
}

static size_t live_size(const struct det_activation *a, struct det_device *dev)
{
    int32_t rows = a->rows;
    if (a->count)
        dev->ops->download(dev, &rows, a->count, sizeof rows);
    rows = rows < 0 ? 0 : rows > a->rows ? a->rows : rows;
    return (size_t)rows * (size_t)a->planes * (size_t)a->plane;
}

static void count_all(struct det_model *model, size_t *units, size_t *maxima)
{
    struct det_activation a;
    *units = *maxima = 0;
    for (size_t i = 0; det_model_activation(model, i, &a); i++)
        *(a.argmax ? maxima : units) += size_of(&a);
}

static float *download_floats(struct det_device *dev, const float *from, size_t n,
                              struct det_error *err)
{
    float *to = malloc((n + 1) * sizeof *to);
    if (to && n)
        dev->ops->download(dev, to, from, n * sizeof *to);
    if (!to)
        det_fail(err, DET_NO_MEMORY, "%zu activations", n);
    return to;
}

/* ---- taking ---- */

static enum det_code make_room(struct kinks *k, struct det_model *model, struct det_error *err)
{
    size_t units, maxima;
    count_all(model, &units, &maxima);
    if (k->units && k->n_units == units && k->n_maxima == maxima)
        return DET_OK;
    kinks_release(k);
    k->units = malloc(units + 1);
    k->maxima = malloc((maxima + 1) * sizeof *k->maxima);
    k->n_units = units;
    k->n_maxima = maxima;
    return k->units && k->maxima ? DET_OK
                                 : det_fail(err, DET_NO_MEMORY, "%zu activations", units + maxima);
}

static enum det_code take_units(uint8_t *to, const struct det_activation *a,
                                struct det_device *dev, struct det_error *err)
{
    size_t live = live_size(a, dev);
    float *y = download_floats(dev, a->value, live, err);
    if (!y)
        return DET_NO_MEMORY;
    for (size_t e = 0; e < live; e++)
        to[e] = code_of(y[e]);
    memset(to + live, 0, size_of(a) - live);
    free(y);
    return DET_OK;
}

enum det_code kinks_take(struct kinks *k, struct det_model *model, struct det_device *dev,
                         struct det_error *err)
{
    struct det_activation a;
    size_t unit = 0, maximum = 0;
    enum det_code code = make_room(k, model, err);
    for (size_t i = 0; code == DET_OK && det_model_activation(model, i, &a); i++) {
        if (a.argmax) {
            dev->ops->download(dev, k->maxima + maximum, a.argmax, size_of(&a) * sizeof(int32_t));
            maximum += size_of(&a);
        } else {
            code = take_units(k->units + unit, &a, dev, err);
            unit += size_of(&a);
        }
    }
    return code;
}

/* ---- forcing ---- */

/* The largest distance of the units that flipped; *n of them. Corrects y. */
static double turn_units(const uint8_t *theirs, float *y, size_t size, int *n)
{
    double most = 0.0;
    for (size_t e = 0; e < size; e++) {
        if ((theirs[e] > 0) == (y[e] > 0.0f))
            continue;
        double distance = theirs[e] ? value_below(theirs[e]) : (double)y[e];
        y[e] = theirs[e] ? FLT_MIN : 0.0f;
        most = fmax(most, distance);
        ++*n;
    }
    return most;
}

static enum det_code force_units(const uint8_t *theirs, const struct det_activation *a,
                                 struct det_device *dev, struct kink_flips *flips,
                                 struct det_error *err)
{
    size_t live = live_size(a, dev);
    float *y = download_floats(dev, a->value, live, err);
    if (!y)
        return DET_NO_MEMORY;
    double rms = root_mean_square(y, live);
    double most = turn_units(theirs, y, live, &flips->n);
    if (flips->n) {
        flips->margin = most / rms;
        dev->ops->upload(dev, a->value, y, live * sizeof *y);
    }
    free(y);
    return DET_OK;
}

static enum det_code force_maxima(const int32_t *theirs, const struct det_activation *a,
                                  struct det_device *dev, struct kink_flips *flips,
                                  struct det_error *err)
{
    size_t live = live_size(a, dev), planes = (size_t)a->plane ? live / (size_t)a->plane : 0;
    float *x = download_floats(dev, a->input, planes * (size_t)a->input_plane, err);
    int32_t *mine = x ? (int32_t *)(void *)download_floats(dev, (float *)(void *)a->argmax, live, err)
                      : NULL;
    double most = 0.0;
    for (size_t e = 0; mine && e < live; e++) {
        const float *plane = x + e / (size_t)a->plane * (size_t)a->input_plane;
        if (mine[e] == theirs[e])
            continue;
        most = fmax(most, fabs((double)plane[mine[e]] - (double)plane[theirs[e]]));
        flips->n++;
    }
    if (flips->n) {
        flips->margin = most / root_mean_square(x, planes * (size_t)a->input_plane);
        dev->ops->upload(dev, a->argmax, theirs, live * sizeof *theirs);
    }
    enum det_code code = mine ? DET_OK : DET_NO_MEMORY;
    free(x);
    free(mine);
    return code;
}

static enum det_code check_maxima(const int32_t *theirs, const struct det_activation *a,
                                  struct det_error *err)
{
    for (size_t e = 0; e < size_of(a); e++)
        if (theirs[e] < 0 || theirs[e] >= a->input_plane)
            return det_fail(err, DET_INVALID, "maximum after %s: element %d of %d", a->name,
                            theirs[e], a->input_plane);
    return DET_OK;
}

enum det_code kinks_force(const struct kinks *k, struct det_model *model, struct det_device *dev,
                          enum det_pass_stage stage, kink_teller *tell, void *arg,
                          struct det_error *err)
{
    struct det_activation a;
    size_t units, maxima, unit = 0, maximum = 0;
    enum det_code code = DET_OK;
    count_all(model, &units, &maxima);
    if (units != k->n_units || maxima != k->n_maxima)
        return det_fail(err, DET_INVALID, "%zu units, %zu maxima: the model has %zu, %zu",
                        k->n_units, k->n_maxima, units, maxima);
    for (size_t i = 0; code == DET_OK && det_model_activation(model, i, &a); i++) {
        struct kink_flips flips = {.name = a.name, .maximum = a.argmax != NULL};
        if (a.stage == stage && a.argmax) {
            code = check_maxima(k->maxima + maximum, &a, err);
            if (code == DET_OK)
                code = force_maxima(k->maxima + maximum, &a, dev, &flips, err);
        } else if (a.stage == stage) {
            code = force_units(k->units + unit, &a, dev, &flips, err);
        }
        *(a.argmax ? &maximum : &unit) += size_of(&a);
        if (code == DET_OK && flips.n)
            tell(arg, &flips);
    }
    return code;
}

void kinks_release(struct kinks *k)
{
    free(k->units);
    free(k->maxima);
    memset(k, 0, sizeof *k);
}
