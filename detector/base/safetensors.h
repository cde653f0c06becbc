/* The safetensors format: an 8-byte little-endian header length, a JSON header, raw tensors. */
#ifndef DET_BASE_SAFETENSORS_H
#define DET_BASE_SAFETENSORS_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define DET_TENSOR_DIMS_MAX 8

enum det_dtype { DET_F64, DET_F32, DET_F16, DET_BF16, DET_I64, DET_I32, DET_I8, DET_U8, DET_BOOL };

struct det_named_tensor {
    const char *name; /* owned by the file (reading) or by the caller (writing) */
    enum det_dtype dtype;
    int n_dims;
    int64_t dims[DET_TENSOR_DIMS_MAX];
    const void *data; /* as in the file, little-endian; owned as name is; aligned to 8 */
    size_t bytes;
};

struct det_safetensors; /* an opened file, read whole; opaque */

/* Read and check a whole file: header length, JSON, every offset inside the file, in order, without
 * overlap, shapes that agree with sizes. DET_INVALID or DET_IO name the file and the tensor.
 * *out is owned by the caller. */
enum det_code det_safetensors_open(const char *path, struct det_safetensors **out,
                                   struct det_error *err);
void det_safetensors_close(struct det_safetensors *file);

size_t det_safetensors_count(const struct det_safetensors *file);
const struct det_named_tensor *det_safetensors_at(const struct det_safetensors *file, size_t i);
/* By name, or NULL. */
const struct det_named_tensor *det_safetensors_find(const struct det_safetensors *file,
                                                    const char *name);
/* A value of __metadata__, or NULL. */
const char *det_safetensors_metadata(const struct det_safetensors *file, const char *key);

size_t det_dtype_size(enum det_dtype dtype);
const char *det_dtype_name(enum det_dtype dtype); /* "F32" */
/* Product of dims; 1 for a scalar. */
int64_t det_tensor_elements(const struct det_named_tensor *tensor);
/* Convert all elements to float / double / int64; `to` holds det_tensor_elements of them.
 * DET_INVALID where the type does not fit (floats to integers). */
enum det_code det_tensor_to_float(const struct det_named_tensor *, float *to, struct det_error *);
enum det_code det_tensor_to_double(const struct det_named_tensor *, double *to, struct det_error *);
enum det_code det_tensor_to_int64(const struct det_named_tensor *, int64_t *to, struct det_error *);

/* Write n tensors and m metadata pairs (keys[i], values[i]): to a temporary name beside path, synced,
 * renamed, directory synced. On failure nothing is left behind and an old file stands. */
enum det_code det_safetensors_write(const char *path, const struct det_named_tensor *tensors,
                                    size_t n, const char *const *keys, const char *const *values,
                                    size_t m, struct det_error *err);

#endif
