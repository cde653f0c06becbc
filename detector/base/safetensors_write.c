#include "detector/base/file.h"
#include "detector/base/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *header_entry(const struct det_named_tensor *tensor, size_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->n_dims; i++)
        json_array_append_new(shape, json_integer(tensor->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", det_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + tensor->bytes));
}

static enum det_code build_header(const struct det_named_tensor *tensors, size_t n,
                                  const char *const *keys, const char *const *values, size_t m,
                                  json_t *header, struct det_error *err)
{
    if (m) {
        json_t *metadata = json_object();
        json_object_set_new(header, "__metadata__", metadata);
        for (size_t i = 0; i < m; i++)
            if (json_object_set_new(metadata, keys[i], json_string(values[i])))
                return det_fail(err, DET_INVALID, "__metadata__.%s: not UTF-8", keys[i]);
    }
    size_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        const struct det_named_tensor *tensor = &tensors[i];
        uint64_t elements = (uint64_t)det_tensor_elements(tensor);
        if (tensor->bytes != elements * det_dtype_size(tensor->dtype))
            return det_fail(err, DET_INVALID, "tensor %s: %zu bytes do not agree with its shape",
                            tensor->name, tensor->bytes);
        if (json_object_get(header, tensor->name))
            return det_fail(err, DET_INVALID, "tensor %s: twice", tensor->name);
        if (json_object_set_new(header, tensor->name, header_entry(tensor, offset)))
            return det_fail(err, DET_INVALID, "tensor %s: not UTF-8", tensor->name);
        offset += tensor->bytes;
    }
    return DET_OK;
}

/* Length and header, padded with spaces so that the data start at a multiple of 8. */
static enum det_code append_header(struct det_file_writer *writer, const json_t *header,
                                   struct det_error *err)
{
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    size_t padded = (length + 7) / 8 * 8;
    char *text = malloc(8 + padded);
    if (!text)
        return det_fail(err, DET_NO_MEMORY, "a header of %zu bytes", padded);
    for (int i = 0; i < 8; i++)
        text[i] = (char)(padded >> 8 * i & 255);
    memset(text + 8, ' ', padded);
    json_dumpb(header, text + 8, length, JSON_COMPACT);
    enum det_code code = det_file_append(writer, text, 8 + padded, err);
    free(text);
    return code;
}

static enum det_code write_file(const char *path, const json_t *header,
                                const struct det_named_tensor *tensors, size_t n,
                                struct det_error *err)
{
    struct det_file_writer *writer = NULL;
    enum det_code code = det_file_begin(path, &writer, err);
    if (code)
        return code;
    code = append_header(writer, header, err);
    for (size_t i = 0; i < n && !code; i++)
        if (tensors[i].bytes)
            code = det_file_append(writer, tensors[i].data, tensors[i].bytes, err);
    if (code) {
        det_file_abandon(writer);
        return code;
    }
    return det_file_commit(writer, err);
}

enum det_code det_safetensors_write(const char *path, const struct det_named_tensor *tensors,
                                    size_t n, const char *const *keys, const char *const *values,
                                    size_t m, struct det_error *err)
{
    json_t *header = json_object();
    if (!header)
        return det_fail(err, DET_NO_MEMORY, "%s: its header", path);
    enum det_code code = build_header(tensors, n, keys, values, m, header, err);
    if (code)
        det_fail_in(err, code, path);
    else
        code = write_file(path, header, tensors, n, err);
    json_decref(header);
    return code;
}
