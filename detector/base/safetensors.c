#include "detector/base/safetensors.h"

#include "detector/base/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The reference implementation's limit: a longer header is a sign of a file of another kind. */
#define HEADER_BYTES_MAX 100000000u

struct det_safetensors {
    char *raw;      /* the whole file */
    char *aligned;  /* copies of the tensors that do not start at a multiple of 8 in it */
    json_t *header; /* owns every name and metadata value */
    struct det_named_tensor *tensors; /* in the order of their data */
    size_t count;
};

static int dtype_of_name(const char *name, enum det_dtype *out)
{
    for (int i = 0; i <= DET_BOOL; i++)
        if (!strcmp(name, det_dtype_name((enum det_dtype)i))) {
            *out = (enum det_dtype)i;
            return 1;
        }
    return 0;
}

static enum det_code read_shape(const json_t *shape, struct det_named_tensor *tensor,
                                struct det_error *err)
{
    size_t n = json_array_size(shape); /* 0 where it is no array */
    if (!json_is_array(shape) || n > DET_TENSOR_DIMS_MAX)
        return det_fail(err, DET_INVALID, "tensor %s: shape is not a list of up to %d sizes",
                        tensor->name, DET_TENSOR_DIMS_MAX);
    uint64_t bytes = det_dtype_size(tensor->dtype);
    for (size_t i = 0; i < n; i++) {
        const json_t *size = json_array_get(shape, i);
        int64_t dim = json_integer_value(size);
        if (!json_is_integer(size) || dim < 0)
            return det_fail(err, DET_INVALID, "tensor %s: dimension %zu is not a size",
                            tensor->name, i);
        if (__builtin_mul_overflow(bytes, (uint64_t)dim, &bytes) || bytes > INT64_MAX)
            return det_fail(err, DET_INVALID, "tensor %s: its shape overflows", tensor->name);
        tensor->dims[i] = dim;
    }
    tensor->n_dims = (int)n;
    tensor->bytes = (size_t)bytes;
    return DET_OK;
}

/* One entry of the header into *tensor; tensor->data points into the file's data, unaligned. */
static enum det_code read_entry(const char *name, const json_t *entry, const char *data,
                                size_t data_bytes, struct det_named_tensor *tensor,
                                struct det_error *err)
{
    tensor->name = name;
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || !dtype_of_name(dtype, &tensor->dtype))
        return det_fail(err, DET_INVALID, "tensor %s: dtype %s is not known", name,
                        dtype ? dtype : "(none)");
    enum det_code code = read_shape(json_object_get(entry, "shape"), tensor, err);
    if (code)
        return code;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return det_fail(err, DET_INVALID, "tensor %s: data_offsets is not [begin, end]", name);
    int64_t first = json_integer_value(begin), last = json_integer_value(end);
    if (first < 0 || last < first || (uint64_t)last > data_bytes)
        return det_fail(err, DET_INVALID,
                        "tensor %s: data_offsets %lld to %lld are not inside the %zu bytes of data",
                        name, (long long)first, (long long)last, data_bytes);
    if ((uint64_t)(last - first) != tensor->bytes)
        return det_fail(err, DET_INVALID, "tensor %s: %lld bytes of data, but its shape needs %zu",
                        name, (long long)(last - first), tensor->bytes);
    tensor->data = data + first;
    return DET_OK;
}

static int by_data(const void *a, const void *b)
{
    const struct det_named_tensor *x = a, *y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    if (x->bytes != y->bytes) /* an empty tensor comes before the one that starts at its place */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* As the format demands: the data are wholly indexed, without overlap and without holes. */
static enum det_code check_order(struct det_safetensors *file, const char *data, size_t data_bytes,
                                 struct det_error *err)
{
    if (file->count)
        qsort(file->tensors, file->count, sizeof *file->tensors, by_data);
    const char *expected = data;
    for (size_t i = 0; i < file->count; i++) {
        const struct det_named_tensor *tensor = &file->tensors[i];
        const char *begin = tensor->data;
        if (begin != expected)
            return det_fail(err, DET_INVALID, "tensor %s: its data %s", tensor->name,
                            begin < expected ? "overlap another tensor's" : "leave a hole");
        expected = begin + tensor->bytes;
    }
    if (expected != data + data_bytes)
        return det_fail(err, DET_INVALID, "%zu bytes after the last tensor",
                        data_bytes - (size_t)(expected - data));
    return DET_OK;
}

/* Give every tensor that is not aligned to 8 a copy that is. */
static enum det_code align_data(struct det_safetensors *file, struct det_error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < file->count; i++)
        if ((uintptr_t)file->tensors[i].data % 8)
            bytes += (file->tensors[i].bytes + 7) / 8 * 8;
    if (!bytes)
        bytes = 8; /* empty tensors may point to it */
    char *at = file->aligned = malloc(bytes);
    if (!at)
        return det_fail(err, DET_NO_MEMORY, "%zu bytes for tensors", bytes);
    for (size_t i = 0; i < file->count; i++) {
        struct det_named_tensor *tensor = &file->tensors[i];
        if (!tensor->bytes)
            tensor->data = file->aligned;
        else if ((uintptr_t)tensor->data % 8) {
            memcpy(at, tensor->data, tensor->bytes);
            tensor->data = at;
            at += (tensor->bytes + 7) / 8 * 8;
        }
    }
    return DET_OK;
}

static enum det_code check_metadata(const json_t *metadata, struct det_error *err)
{
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return det_fail(err, DET_INVALID, "__metadata__ is not an object");
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value))
            return det_fail(err, DET_INVALID, "__metadata__.%s is not a text", key);
    }
    return DET_OK;
}

static enum det_code read_tensors(struct det_safetensors *file, const char *data,
                                  size_t data_bytes, struct det_error *err)
{
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors)
        return det_fail(err, DET_NO_MEMORY, "a list of tensors");
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        enum det_code code =
            !strcmp(name, "__metadata__")
                ? check_metadata(entry, err)
                : read_entry(name, entry, data, data_bytes, &file->tensors[file->count++], err);
        if (code)
            return code;
    }
    enum det_code code = check_order(file, data, data_bytes, err);
    return code ? code : align_data(file, err);
}

static enum det_code parse(struct det_safetensors *file, size_t size, struct det_error *err)
{
    if (size < 8)
        return det_fail(err, DET_INVALID, "%zu bytes are too few for a safetensors file", size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | (unsigned char)file->raw[i];
    if (length > HEADER_BYTES_MAX || length > size - 8)
        return det_fail(err, DET_INVALID,
                        "header of %llu bytes in a file of %zu: truncated, or no safetensors file",
                        (unsigned long long)length, size);
    json_error_t json;
    file->header = json_loadb(file->raw + 8, (size_t)length, JSON_REJECT_DUPLICATES, &json);
    if (!file->header)
        return det_fail(err, DET_INVALID, "header: %s", json.text);
    if (!json_is_object(file->header))
        return det_fail(err, DET_INVALID, "header: not a JSON object");
    return read_tensors(file, file->raw + 8 + length, size - 8 - (size_t)length, err);
}

enum det_code det_safetensors_open(const char *path, struct det_safetensors **out,
                                   struct det_error *err)
{
    *out = NULL;
    struct det_safetensors *file = calloc(1, sizeof *file);
    if (!file)
        return det_fail(err, DET_NO_MEMORY, "%s: opening it", path);
    size_t size = 0;
    enum det_code code = det_file_read(path, &file->raw, &size, err);
    if (!code) {
        code = parse(file, size, err);
        if (code)
            det_fail_in(err, code, path);
    }
    if (code) {
        det_safetensors_close(file);
        return code;
    }
    *out = file;
    return DET_OK;
}

void det_safetensors_close(struct det_safetensors *file)
{
    if (!file)
        return;
    json_decref(file->header);
    free(file->tensors);
    free(file->aligned);
    free(file->raw);
    free(file);
}

size_t det_safetensors_count(const struct det_safetensors *file)
{
    return file->count;
}

const struct det_named_tensor *det_safetensors_at(const struct det_safetensors *file, size_t i)
{
    return &file->tensors[i];
}

const struct det_named_tensor *det_safetensors_find(const struct det_safetensors *file,
                                                    const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensors[i].name, name))
            return &file->tensors[i];
    return NULL;
}

const char *det_safetensors_metadata(const struct det_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
