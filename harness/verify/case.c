#include "harness/verify/case.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum det_code read_params(struct verify_case *c, struct det_error *err)
{
    const char *text = det_safetensors_metadata(c->file, "params");
    c->op = det_safetensors_metadata(c->file, "op");
    if (!c->op)
        return det_fail(err, DET_INVALID, "no __metadata__.op: not a vector of an operation");
    json_error_t json;
    c->params = text ? json_loads(text, JSON_REJECT_DUPLICATES, &json) : json_object();
    if (!json_is_object(c->params))
        return det_fail(err, DET_INVALID, "__metadata__.params is not a JSON object");
    return DET_OK;
}

enum det_code case_open(const char *path, struct det_device *dev, struct verify_case *out,
                        struct det_error *err)
{
    *out = (struct verify_case){.dev = dev};
    enum det_code code = det_safetensors_open(path, &out->file, err);
    if (code)
        return code;
    code = read_params(out, err);
    if (code) {
        det_fail_in(err, code, path);
        case_close(out);
    }
    return code;
}

void case_close(struct verify_case *c)
{
    for (size_t i = 0; i < c->n_device_blocks; i++)
        c->dev->ops->release(c->dev, c->device_blocks[i]);
    for (size_t i = 0; i < c->n_host_blocks; i++)
        free(c->host_blocks[i]);
    free(c->device_blocks);
    free(c->host_blocks);
    free(c->comparisons);
    json_decref(c->params);
    det_safetensors_close(c->file);
    *c = (struct verify_case){0};
}

/* ---- parameters ---- */

int case_has_param(const struct verify_case *c, const char *name)
{
    return json_object_get(c->params, name) != NULL;
}

static json_t *param(struct verify_case *c, const char *name)
{
    json_t *value = json_object_get(c->params, name);
    if (!value && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s is missing", name);
    return value;
}

double case_number(struct verify_case *c, const char *name)
{
    const json_t *value = param(c, name);
    if (value && !json_is_number(value) && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s is not a number", name);
    return json_number_value(value);
}

int case_int(struct verify_case *c, const char *name)
{
    double value = case_number(c, name);
    int fits = value >= INT_MIN && value <= INT_MAX && value == floor(value);
    if (!fits && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s: %g is not an integer", name, value);
    return fits ? (int)value : 0;
}

int case_bool(struct verify_case *c, const char *name)
{
    const json_t *value = param(c, name);
    if (value && !json_is_boolean(value) && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s is not true or false", name);
    return json_is_true(value);
}

const char *case_text(struct verify_case *c, const char *name)
{
    const json_t *value = param(c, name);
    if (value && !json_is_string(value) && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s is not a text", name);
    return json_is_string(value) ? json_string_value(value) : "";
}

int case_numbers(struct verify_case *c, const char *name, int max, double *out)
{
    const json_t *list = param(c, name);
    size_t n = json_array_size(list);
    if ((!json_is_array(list) || n > (size_t)max) && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s is not a list of up to %d numbers", name, max);
    for (size_t i = 0; i < n && i < (size_t)max; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_number(value) && !case_failed(c))
            det_fail(&c->err, DET_INVALID, "params.%s[%zu] is not a number", name, i);
        out[i] = json_number_value(value);
    }
    return case_failed(c) ? 0 : (int)n;
}

void case_floats_param(struct verify_case *c, const char *name, int n, float *out)
{
    double numbers[16];
    int found = case_numbers(c, name, n < 16 ? n : 16, numbers);
    if (found != n && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params.%s: %d numbers, %d expected", name, found, n);
    for (int i = 0; i < found; i++)
        out[i] = (float)numbers[i];
}

/* ---- memory ---- */

/* Room for one more pointer in a list that doubles at powers of two. */
static void **grow(void **blocks, size_t n)
{
    return n & (n - 1) ? blocks : realloc(blocks, (n ? 2 * n : 1) * sizeof *blocks);
}

void *case_host(struct verify_case *c, size_t bytes)
{
    void **blocks = case_failed(c) ? NULL : grow(c->host_blocks, c->n_host_blocks);
    if (blocks)
        c->host_blocks = blocks;
    void *block = blocks ? calloc(bytes ? bytes : 1, 1) : NULL;
    if (block)
        c->host_blocks[c->n_host_blocks++] = block;
    else if (!case_failed(c))
        det_fail(&c->err, DET_NO_MEMORY, "%zu bytes", bytes);
    return block;
}

void *case_device(struct verify_case *c, size_t bytes)
{
    void *block = NULL;
    void **blocks = case_failed(c) ? NULL : grow(c->device_blocks, c->n_device_blocks);
    if (!blocks)
        return NULL;
    c->device_blocks = blocks;
    if (c->dev->ops->alloc(c->dev, bytes ? bytes : 1, c->op, &block, &c->err))
        return NULL;
    c->device_blocks[c->n_device_blocks++] = block;
    return block;
}

void *case_upload(struct verify_case *c, const void *from, size_t bytes)
{
    void *block = case_device(c, bytes);
    if (block && bytes)
        c->dev->ops->upload(c->dev, block, from, bytes);
    return block;
}

float *case_blank(struct verify_case *c, size_t elements)
{
    float *nans = case_host(c, elements * sizeof *nans);
    for (size_t i = 0; nans && i < elements; i++)
        nans[i] = NAN;
    return case_upload(c, nans, elements * sizeof *nans);
}

float *case_download(struct verify_case *c, const float *from, size_t elements)
{
    float *to = case_host(c, elements * sizeof *to);
    if (to && elements)
        c->dev->ops->download(c->dev, to, from, elements * sizeof *to);
    return to;
}

void case_scratch(struct verify_case *c, size_t per_worker, size_t shared)
{
    if (!case_failed(c))
        c->dev->ops->reserve_scratch(c->dev, per_worker, shared, &c->err);
}

/* ---- inputs ---- */

int case_has(const struct verify_case *c, const char *name)
{
    return det_safetensors_find(c->file, name) != NULL;
}

static const struct det_named_tensor *find(struct verify_case *c, const char *name)
{
    const struct det_named_tensor *tensor = det_safetensors_find(c->file, name);
    if (!tensor && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "tensor %s is missing", name);
    return case_failed(c) ? NULL : tensor;
}

static const struct det_named_tensor *find_sized(struct verify_case *c, const char *name,
                                                 size_t elements)
{
    const struct det_named_tensor *tensor = find(c, name);
    if (tensor && (size_t)det_tensor_elements(tensor) != elements) {
        det_fail(&c->err, DET_INVALID, "tensor %s: %lld elements, %zu expected", name,
                 (long long)det_tensor_elements(tensor), elements);
        return NULL;
    }
    return tensor;
}

void case_shape(struct verify_case *c, const char *name, int n_dims, int *dims)
{
    memset(dims, 0, (size_t)n_dims * sizeof *dims);
    const struct det_named_tensor *tensor = find(c, name);
    if (!tensor)
        return;
    if (tensor->n_dims != n_dims) {
        det_fail(&c->err, DET_INVALID, "tensor %s: %d dimensions, %d expected", name,
                 tensor->n_dims, n_dims);
        return;
    }
    for (int i = 0; i < n_dims; i++) {
        if (tensor->dims[i] > INT_MAX && !case_failed(c))
            det_fail(&c->err, DET_INVALID, "tensor %s: dimension %d is too large", name, i);
        dims[i] = (int)tensor->dims[i];
    }
}

float *case_host_floats(struct verify_case *c, const char *name, size_t elements)
{
    const struct det_named_tensor *tensor = find_sized(c, name, elements);
    float *to = tensor ? case_host(c, elements * sizeof *to) : NULL;
    if (to)
        det_tensor_to_float(tensor, to, &c->err);
    return to;
}

int64_t *case_host_int64s(struct verify_case *c, const char *name, size_t elements)
{
    const struct det_named_tensor *tensor = find_sized(c, name, elements);
    int64_t *to = tensor ? case_host(c, elements * sizeof *to) : NULL;
    if (to)
        det_tensor_to_int64(tensor, to, &c->err);
    return to;
}

float *case_floats(struct verify_case *c, const char *name, size_t elements)
{
    const float *host = case_host_floats(c, name, elements);
    return host ? case_upload(c, host, elements * sizeof *host) : NULL;
}

float *case_optional(struct verify_case *c, const char *name, size_t elements)
{
    return case_has(c, name) ? case_floats(c, name, elements) : NULL;
}

/* Integers of the file that must lie in [low, high]. */
static const int64_t *ranged(struct verify_case *c, const char *name, size_t elements, int64_t low,
                             int64_t high)
{
    const int64_t *values = case_host_int64s(c, name, elements);
    for (size_t i = 0; values && i < elements && !case_failed(c); i++)
        if (values[i] < low || values[i] > high)
            det_fail(&c->err, DET_INVALID, "tensor %s[%zu]: %lld is out of range", name, i,
                     (long long)values[i]);
    return case_failed(c) ? NULL : values;
}

int32_t *case_int32s(struct verify_case *c, const char *name, size_t elements)
{
    const int64_t *values = ranged(c, name, elements, INT32_MIN, INT32_MAX);
    int32_t *narrow = values ? case_host(c, elements * sizeof *narrow) : NULL;
    for (size_t i = 0; narrow && i < elements; i++)
        narrow[i] = (int32_t)values[i];
    return narrow ? case_upload(c, narrow, elements * sizeof *narrow) : NULL;
}

int8_t *case_int8s(struct verify_case *c, const char *name, size_t elements)
{
    const int64_t *values = ranged(c, name, elements, INT8_MIN, INT8_MAX);
    int8_t *narrow = values ? case_host(c, elements) : NULL;
    for (size_t i = 0; narrow && i < elements; i++)
        narrow[i] = (int8_t)values[i];
    return narrow ? case_upload(c, narrow, elements) : NULL;
}
