#include "harness/log/log_fields_reader.h"

#include "harness/log/run_log_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts beyond this are damage; below it their sums cannot overflow. */
#define COUNT_MAX (INT64_C(1) << 48)

/* Each reader returns what it expected where the value is not that, NULL where all is well. */

static const char *read_count(const json_t *value, int64_t *out)
{
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= COUNT_MAX ? NULL : "a count";
}

static const char *read_number(const json_t *value, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", (double)NAN}, {"inf", (double)INFINITY}, {"-inf", -(double)INFINITY}};
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return NULL;
    }
    for (size_t i = 0; json_is_string(value) && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(json_string_value(value), words[i].word) == 0) {
            *out = words[i].value;
            return NULL;
        }
    return "a number, \"nan\", \"inf\" or \"-inf\"";
}

static const char *read_share(const json_t *value, double *out)
{
    if (!json_is_null(value))
        return read_number(value, out);
    *out = RUN_LOG_NONE;
    return NULL;
}

static const char *read_flag(const json_t *value, int *out)
{
    if (!json_is_boolean(value))
        return "true or false";
    *out = json_is_true(value);
    return NULL;
}

static const char *read_hash(const json_t *value, uint64_t *out)
{
    const char *text = json_string_value(value);
    char *end;
    if (!text || strlen(text) != 16)
        return "16 hexadecimal digits";
    *out = strtoull(text, &end, 16);
    return *end ? "16 hexadecimal digits" : NULL;
}

static const char *read_counts(const json_t *value, int64_t *out, size_t n)
{
    if (json_array_size(value) != n || !json_is_array(value))
        return "a list of as many counts as there are thresholds or classes";
    for (size_t i = 0; i < n; i++)
        if (read_count(json_array_get(value, i), &out[i]))
            return "a list of counts";
    return NULL;
}

static const char *read_class_shares(const json_t *value, size_t n, const double **out)
{
    if (json_array_size(value) != n || !json_is_array(value))
        return "a list of as many numbers as there are classes";
    double *values = calloc(n + 1, sizeof *values);
    *out = values;
    if (!values)
        return "more memory";
    for (size_t i = 0; i < n; i++)
        if (read_share(json_array_get(value, i), &values[i]))
            return "a list of numbers and nulls";
    return NULL;
}

static const char *read_class_counts(const json_t *value, size_t n, const int64_t **out)
{
    int64_t *counts = calloc(n + 1, sizeof *counts);
    *out = counts;
    return counts ? read_counts(value, counts, n) : "more memory";
}

static const char *read_class_ladders(const json_t *value, size_t n,
                                      const int64_t (**out)[RUN_LOG_THRESHOLDS])
{
    if (json_array_size(value) != n || !json_is_array(value))
        return "a list of as many lists as there are classes";
    int64_t(*ladders)[RUN_LOG_THRESHOLDS] = calloc(n + 1, sizeof *ladders);
    *out = (const int64_t(*)[RUN_LOG_THRESHOLDS])ladders;
    if (!ladders)
        return "more memory";
    const char *expected = NULL;
    for (size_t i = 0; !expected && i < n; i++)
        expected = read_counts(json_array_get(value, i), ladders[i], RUN_LOG_THRESHOLDS);
    return expected;
}

static const char *read_value(const json_t *value, enum run_log_type type, void *at, int n_classes)
{
    switch (type) {
    case RUN_LOG_INT:
        return read_count(value, at);
    case RUN_LOG_FLAG:
        return read_flag(value, at);
    case RUN_LOG_NUMBER:
        return read_number(value, at);
    case RUN_LOG_SHARE:
        return read_share(value, at);
    case RUN_LOG_HASH:
        return read_hash(value, at);
    case RUN_LOG_LADDER:
        return read_counts(value, at, RUN_LOG_THRESHOLDS);
    case RUN_LOG_CLASS_COUNTS:
        return read_class_counts(value, (size_t)n_classes, at);
    case RUN_LOG_CLASS_SHARES:
        return read_class_shares(value, (size_t)n_classes, at);
    case RUN_LOG_CLASS_LADDERS:
        return read_class_ladders(value, (size_t)n_classes, at);
    }
    return "a known type";
}

static enum det_code read_record(const json_t *line, const struct run_log_field *fields, size_t n,
                                 void *record, int n_classes, struct det_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(line, fields[i].key);
        if (!value && fields[i].optional)
            continue;
        if (!value)
            return det_fail(err, DET_INVALID, "\"%s\" is missing", fields[i].key);
        const char *expected =
            read_value(value, fields[i].type, (char *)record + fields[i].offset, n_classes);
        if (expected)
            return det_fail(err, DET_INVALID, "\"%s\" must be %s", fields[i].key, expected);
    }
    return DET_OK;
}

enum det_code log_read_count(const json_t *line, const char *key, int64_t *out,
                             struct det_error *err)
{
    const char *expected = read_count(json_object_get(line, key), out);
    return expected ? det_fail(err, DET_INVALID, "\"%s\" must be %s", key, expected) : DET_OK;
}

enum det_code log_read_step(const json_t *line, struct run_log_step *out, struct det_error *err)
{
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    return read_record(line, fields, n, out, 0, err);
}

enum det_code log_read_eval(const json_t *line, struct run_log_eval *out, struct det_error *err)
{
    size_t n;
    const struct run_log_field *fields = run_log_eval_fields(&n);
    return read_record(line, fields, n, out, out->n_classes, err);
}

void log_release_eval(struct run_log_eval *eval)
{
    free((void *)eval->detections_per_class);
    free((void *)eval->objects_per_class);
    free((void *)eval->ladder_per_class);
    free((void *)eval->box_ap_per_class);
}
