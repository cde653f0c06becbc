#include "harness/compare/compare_metric.h"

#include "harness/log/json_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int metric_elements(const struct run_log_field *field, int n_classes)
{
    if (strcmp(field->key, "step") == 0 || strcmp(field->key, "images_per_second") == 0)
        return 0;
    switch (field->type) {
    case RUN_LOG_LADDER:
        return RUN_LOG_THRESHOLDS;
    case RUN_LOG_CLASS_COUNTS:
    case RUN_LOG_CLASS_SHARES:
        return n_classes;
    case RUN_LOG_CLASS_LADDERS:
        return n_classes * RUN_LOG_THRESHOLDS;
    default:
        return 1;
    }
}

static struct metric_value count(int64_t value)
{
    return (struct metric_value){
        .kind = METRIC_COUNT, .null = value == RUN_LOG_UNKNOWN, .number = (double)value};
}

static struct metric_value real(double value)
{
    return (struct metric_value){
        .kind = METRIC_REAL, .null = value == RUN_LOG_NONE, .number = value};
}

static struct metric_value ladder_of_classes(const int64_t (*ladders)[RUN_LOG_THRESHOLDS],
                                             int element)
{
    if (!ladders)
        return (struct metric_value){.kind = METRIC_COUNT, .null = 1};
    return count(ladders[element / RUN_LOG_THRESHOLDS][element % RUN_LOG_THRESHOLDS]);
}

struct metric_value metric_value(const struct run_log_field *field, const void *record, int element)
{
    const void *at = (const char *)record + field->offset;
    switch (field->type) {
    case RUN_LOG_INT:
        return count(*(const int64_t *)at);
    case RUN_LOG_FLAG:
        return count(*(const int *)at);
    case RUN_LOG_NUMBER:
    case RUN_LOG_SHARE:
        return real(*(const double *)at);
    case RUN_LOG_LADDER:
        return count(((const int64_t *)at)[element]);
    case RUN_LOG_CLASS_COUNTS:
        return *(void *const *)at ? count((*(const int64_t *const *)at)[element])
                                  : count(RUN_LOG_UNKNOWN);
    case RUN_LOG_CLASS_SHARES:
        return real(*(void *const *)at ? (*(const double *const *)at)[element] : RUN_LOG_NONE);
    case RUN_LOG_CLASS_LADDERS:
        return ladder_of_classes(*(const int64_t(*const *)[RUN_LOG_THRESHOLDS])at, element);
    case RUN_LOG_HASH:
        break;
    }
    return (struct metric_value){.kind = METRIC_HASH, .hash = *(const uint64_t *)at};
}

void metric_name(const struct run_log_field *field, int element, const char *prefix,
                 const struct logged_run *run, char *out, size_t size)
{
    switch (field->type) {
    case RUN_LOG_LADDER:
        snprintf(out, size, "%s%s %g", prefix, field->key, run_log_thresholds[element]);
        break;
    case RUN_LOG_CLASS_COUNTS:
    case RUN_LOG_CLASS_SHARES:
        snprintf(out, size, "%s%s %s", prefix, field->key, logged_class_name(run, element));
        break;
    case RUN_LOG_CLASS_LADDERS:
        snprintf(out, size, "%s%s %s %g", prefix, field->key,
                 logged_class_name(run, element / RUN_LOG_THRESHOLDS),
                 run_log_thresholds[element % RUN_LOG_THRESHOLDS]);
        break;
    default:
        snprintf(out, size, "%s%s", prefix, field->key);
    }
}

void metric_print(const struct metric_value *value, char out[32])
{
    if (value->null)
        strcpy(out, "null");
    else if (value->kind == METRIC_HASH)
        snprintf(out, 32, "%016" PRIx64, value->hash);
    else
        json_text_print_number(value->number, out);
}

int metric_same(const struct metric_value *a, const struct metric_value *b,
                const struct compare_options *options)
{
    if (a->kind == METRIC_HASH)
        return a->hash == b->hash || options->relative > 0 || options->absolute > 0;
    if (a->null || b->null)
        return a->null == b->null;
    double difference = fabs(a->number - b->number);
    double scale = fmax(fabs(a->number), fabs(b->number));
    return a->number == b->number || difference <= options->absolute ||
           (isfinite(scale) && difference <= options->relative * scale);
}

double metric_relative(const struct metric_value *a, const struct metric_value *b)
{
    if (a->kind == METRIC_HASH || a->null || b->null || !isfinite(a->number) ||
        !isfinite(b->number))
        return (double)NAN;
    double scale = fmax(fabs(a->number), fabs(b->number));
    return scale > 0 ? fabs(a->number - b->number) / scale : 0;
}

/* Bits of a float, made to count upwards from the most negative to the most positive number. */
static double ordered_float(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? -(double)(bits & INT32_MAX) : (double)bits;
}

static int64_t ordered_double(double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? -(bits & INT64_MAX) : bits;
}

double metric_ulps(const struct metric_value *a, const struct metric_value *b, int *single)
{
    *single = 0;
    if (a->kind != METRIC_REAL || isnan(metric_relative(a, b)))
        return (double)NAN;
    *single = (double)(float)a->number == a->number && (double)(float)b->number == b->number;
    if (*single)
        return fabs(ordered_float((float)a->number) - ordered_float((float)b->number));
    /* Opposite signs could overflow as integers; doubles hold the distance well enough. */
    int64_t x = ordered_double(a->number), y = ordered_double(b->number);
    return (x < 0) == (y < 0) ? (double)llabs(x - y) : fabs((double)x - (double)y);
}
