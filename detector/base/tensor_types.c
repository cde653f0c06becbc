/* The data types of tensors in files, and their conversion to those that we compute with. */
#include "detector/base/safetensors.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DET_F64] = {"F64", 8}, [DET_F32] = {"F32", 4}, [DET_F16] = {"F16", 2},
    [DET_BF16] = {"BF16", 2}, [DET_I64] = {"I64", 8}, [DET_I32] = {"I32", 4},
    [DET_I8] = {"I8", 1}, [DET_U8] = {"U8", 1}, [DET_BOOL] = {"BOOL", 1},
};

size_t det_dtype_size(enum det_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *det_dtype_name(enum det_dtype dtype)
{
    return dtypes[dtype].name;
}

int64_t det_tensor_elements(const struct det_named_tensor *tensor)
{
    int64_t n = 1;
    for (int i = 0; i < tensor->n_dims; i++)
        n *= tensor->dims[i];
    return n;
}

static double half_to_double(uint16_t bits)
{
    double sign = bits & 0x8000 ? -1.0 : 1.0;
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return fraction ? (double)__builtin_nanf("") : sign * __builtin_inf();
    /* subnormals count in units of 2^-24; normals have 1024 added and 2^(exponent - 25) units */
    double unit = 1.0 / 16777216.0;
    for (int i = 1; i < exponent; i++)
        unit *= 2.0;
    return sign * unit * (exponent ? fraction + 1024 : fraction);
}

static double bf16_to_double(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

static double element_as_double(const struct det_named_tensor *tensor, int64_t i)
{
    switch (tensor->dtype) {
    case DET_F64:
        return ((const double *)tensor->data)[i];
    case DET_F32:
        return (double)((const float *)tensor->data)[i];
    case DET_F16:
        return half_to_double(((const uint16_t *)tensor->data)[i]);
    case DET_BF16:
        return bf16_to_double(((const uint16_t *)tensor->data)[i]);
    case DET_I64:
        return (double)((const int64_t *)tensor->data)[i];
    case DET_I32:
        return ((const int32_t *)tensor->data)[i];
    case DET_I8:
        return ((const int8_t *)tensor->data)[i];
    case DET_U8:
        return ((const uint8_t *)tensor->data)[i];
    case DET_BOOL:
        return ((const uint8_t *)tensor->data)[i] != 0;
    }
    return 0.0;
}

enum det_code det_tensor_to_double(const struct det_named_tensor *tensor, double *to,
                                   struct det_error *err)
{
    (void)err; /* every type fits */
    int64_t n = det_tensor_elements(tensor);
    for (int64_t i = 0; i < n; i++)
        to[i] = element_as_double(tensor, i);
    return DET_OK;
}

enum det_code det_tensor_to_float(const struct det_named_tensor *tensor, float *to,
                                  struct det_error *err)
{
    (void)err; /* every type fits, rounded */
    int64_t n = det_tensor_elements(tensor);
    if (tensor->dtype == DET_F32 && n) /* keeps the bits of a NaN too */
        memcpy(to, tensor->data, tensor->bytes);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)element_as_double(tensor, i);
    return DET_OK;
}

static int holds_floats(enum det_dtype dtype)
{
    return dtype == DET_F64 || dtype == DET_F32 || dtype == DET_F16 || dtype == DET_BF16;
}

enum det_code det_tensor_to_int64(const struct det_named_tensor *tensor, int64_t *to,
                                  struct det_error *err)
{
    int64_t n = det_tensor_elements(tensor);
    if (holds_floats(tensor->dtype))
        return det_fail(err, DET_INVALID, "tensor %s: %s where integers are expected",
                        tensor->name, det_dtype_name(tensor->dtype));
    for (int64_t i = 0; i < n; i++)
        to[i] = tensor->dtype == DET_I64 ? ((const int64_t *)tensor->data)[i]
                                         : (int64_t)element_as_double(tensor, i);
    return DET_OK;
}
