/* The reader of safetensors files: what was written comes back; whatever is wrong with a file is an
 * error that names the file (and the tensor), never a crash. */
#include "detector/base/file.h"
#include "detector/base/safetensors.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[96];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/safetensors-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.safetensors", folder);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(safetensors, .init = make_folder, .fini = remove_folder);

/* A file of the header text and `bytes` bytes of data, counting up from 0. */
static void write_raw(const char *header, size_t bytes)
{
    size_t length = strlen(header);
    unsigned char *file = calloc(1, 8 + length + bytes);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, header, length);
    for (size_t i = 0; i < bytes; i++)
        file[8 + length + i] = (unsigned char)i;
    cr_assert_eq(det_file_write(path, file, 8 + length + bytes, NULL), DET_OK);
    free(file);
}

Test(safetensors, what_is_written_comes_back)
{
    float weights[6] = {1.0f, -2.5f, 0.0f, NAN, INFINITY, 1e-40f};
    uint8_t flags[3] = {0, 1, 2};
    int64_t ids[2] = {INT64_MIN, 9007199254740993};
    struct det_named_tensor tensors[] = {
        {"w", DET_F32, 2, {2, 3}, weights, sizeof weights},
        {"flags", DET_U8, 1, {3}, flags, sizeof flags},
        {"ids", DET_I64, 1, {2}, ids, sizeof ids}, /* not at a multiple of 8 in the file */
        {"scalar", DET_F32, 0, {0}, weights, 4},
        {"empty", DET_F64, 2, {0, 4}, NULL, 0},
    };
    const char *keys[] = {"op", "params"}, *values[] = {"conv2d", "{\"stride\": 2}"};
    struct det_error err = {0};
    cr_assert_eq(det_safetensors_write(path, tensors, 5, keys, values, 2, &err), DET_OK, "%s",
                 err.message);
    struct det_safetensors *file = NULL;
    cr_assert_eq(det_safetensors_open(path, &file, &err), DET_OK, "%s", err.message);
    cr_expect_eq(det_safetensors_count(file), 5u);
    cr_expect_str_eq(det_safetensors_metadata(file, "op"), "conv2d");
    cr_expect_str_eq(det_safetensors_metadata(file, "params"), "{\"stride\": 2}");
    cr_expect_null(det_safetensors_metadata(file, "other"));
    cr_expect_null(det_safetensors_find(file, "other"));
    for (int i = 0; i < 5; i++) {
        const struct det_named_tensor *got = det_safetensors_find(file, tensors[i].name);
        cr_assert(got, "%s is not there", tensors[i].name);
        cr_expect_eq(got->dtype, tensors[i].dtype, "%s", got->name);
        cr_expect_eq(got->n_dims, tensors[i].n_dims, "%s", got->name);
        cr_expect_eq(got->bytes, tensors[i].bytes, "%s", got->name);
        cr_expect_eq((uintptr_t)got->data % 8, 0u, "%s is not aligned", got->name);
        cr_expect(!got->bytes || !memcmp(got->data, tensors[i].data, got->bytes), "%s: other bits",
                  got->name);
    }
    det_safetensors_close(file);
}

Test(safetensors, elements_convert)
{
    struct {
        enum det_dtype dtype;
        const void *data;
        double want[3];
    } cases[] = {
        {DET_F64, (double[]){1.5, -2.0, 1e300}, {1.5, -2.0, 1e300}},
        {DET_F32, (float[]){1.5f, -2.0f, 3.0f}, {1.5, -2.0, 3.0}},
        /* half: 1.0; the least subnormal 2^-24; the greatest, 65504 */
        {DET_F16, (uint16_t[]){0x3C00, 0x0001, 0x7BFF}, {1.0, 0x1p-24, 65504.0}},
        {DET_BF16, (uint16_t[]){0x3F80, 0xC040, 0x0000}, {1.0, -3.0, 0.0}},
        {DET_I64, (int64_t[]){-1, 2, 3}, {-1, 2, 3}},
        {DET_I32, (int32_t[]){-1, 2, 3}, {-1, 2, 3}},
        {DET_I8, (int8_t[]){-128, 2, 3}, {-128, 2, 3}},
        {DET_U8, (uint8_t[]){255, 2, 3}, {255, 2, 3}},
        {DET_BOOL, (uint8_t[]){0, 1, 1}, {0, 1, 1}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct det_named_tensor t = {"t", cases[c].dtype, 1, {3}, cases[c].data, 0};
        t.bytes = 3 * det_dtype_size(t.dtype);
        const char *name = det_dtype_name(t.dtype);
        double d[3];
        float f[3];
        int64_t n[3];
        int floats = t.dtype <= DET_BF16;
        cr_expect_eq(det_tensor_to_double(&t, d, NULL), DET_OK, "%s", name);
        cr_expect_eq(det_tensor_to_float(&t, f, NULL), DET_OK, "%s", name);
        cr_expect_eq(det_tensor_to_int64(&t, n, NULL), floats ? DET_INVALID : DET_OK, "%s", name);
        for (int i = 0; i < 3; i++) {
            cr_expect(d[i] == cases[c].want[i], "%s[%d]: %g, want %g", name, i, d[i],
                      cases[c].want[i]);
            cr_expect(f[i] == (float)cases[c].want[i], "%s[%d] as float: %g", name, i,
                      (double)f[i]);
            cr_expect(floats || n[i] == (int64_t)cases[c].want[i], "%s[%d] as integer: %lld", name,
                      i, (long long)n[i]);
        }
    }
    struct det_named_tensor special = {"s", DET_F16, 1, {2}, (uint16_t[]){0x7E00, 0xFC00}, 4};
    float got[2];
    det_tensor_to_float(&special, got, NULL);
    cr_expect(isnan(got[0]) && isinf(got[1]) && got[1] < 0, "half NaN and -inf: %g %g",
              (double)got[0], (double)got[1]);
}

/* Each header is wrong in one way (8 bytes of data); the message must name what is wrong. */
static const struct {
    const char *header, *message;
} broken[] = {
    {"", "header"},
    {"[]", "not a JSON object"},
    {"{\"a\": ", "header"},
    {"{\"a\": 3}", "a: dtype"},
    {"{\"a\": {\"dtype\": \"F31\", \"shape\": [2], \"data_offsets\": [0, 8]}}", "a: dtype F31"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": 2, \"data_offsets\": [0, 8]}}", "a: shape"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [-2], \"data_offsets\": [0, 8]}}", "a: dimension 0"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2.0], \"data_offsets\": [0, 8]}}", "a: dimension 0"},
    {"{\"a\": {\"dtype\": \"U8\", \"shape\": [1,1,1,1,1,1,1,1,8], \"data_offsets\": [0, 8]}}",
     "a: shape"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], "
     "\"data_offsets\": [0, 8]}}",
     "a: its shape overflows"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 8]}}", "a: 8 bytes"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0]}}", "a: data_offsets"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2]}}", "a: data_offsets"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [8, 0]}}", "a: data_offsets"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [-8, 0]}}",
     "a: data_offsets"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}",
     "a: data_offsets"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
     " \"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}",
     "duplicate"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
     " \"b\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
     "b: its data overlap"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}", "a: its data leave"},
    {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", "4 bytes after"},
    {"{\"__metadata__\": {\"op\": 3}, "
     "\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}",
     "__metadata__.op"},
    {"{\"__metadata__\": [], \"a\": {\"dtype\": \"F32\", \"shape\": [2], "
     "\"data_offsets\": [0, 8]}}",
     "__metadata__"},
};

Test(safetensors, broken_headers_are_named)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct det_safetensors *file = NULL;
        struct det_error err = {0};
        write_raw(broken[i].header, 8);
        cr_expect_eq(det_safetensors_open(path, &file, &err), DET_INVALID, "accepted: %s",
                     broken[i].header);
        cr_expect_null(file);
        cr_expect(strstr(err.message, path) && strstr(err.message, broken[i].message),
                  "%s: message \"%s\" lacks \"%s\"", broken[i].header, err.message,
                  broken[i].message);
        det_safetensors_close(file);
    }
}

/* A good file, cut anywhere: always refused. With one byte changed: refused or read, no more. */
Test(safetensors, cut_and_changed_files)
{
    const char *header = "{\"a\": {\"dtype\": \"F32\", \"shape\": [2, 1], \"data_offsets\": [0, 8]}, "
                         "\"__metadata__\": {\"op\": \"x\"}}";
    char *whole = NULL;
    size_t size = 0;
    write_raw(header, 8);
    cr_assert_eq(det_file_read(path, &whole, &size, NULL), DET_OK);
    for (size_t cut = 0; cut < size; cut++) {
        struct det_safetensors *file = NULL;
        cr_assert_eq(det_file_write(path, whole, cut, NULL), DET_OK);
        cr_expect_neq(det_safetensors_open(path, &file, NULL), DET_OK, "cut to %zu bytes", cut);
        det_safetensors_close(file);
    }
    const char values[] = {0, 1, '"', '9', '}', ' ', (char)0x80, (char)0xFF};
    for (size_t at = 0; at < size - 8; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            struct det_safetensors *file = NULL;
            char kept = whole[at];
            whole[at] = values[v];
            FILE *out = fopen(path, "wb"); /* det_file_write syncs: too slow for so many */
            cr_assert(out && fwrite(whole, 1, size, out) == size && !fclose(out));
            whole[at] = kept;
            if (!det_safetensors_open(path, &file, NULL) && det_safetensors_count(file)) {
                float *to = malloc(det_safetensors_at(file, 0)->bytes * 4 + 1);
                det_tensor_to_float(det_safetensors_at(file, 0), to, NULL);
                free(to);
            }
            det_safetensors_close(file);
        }
    free(whole);
}

Test(safetensors, writing_refuses_what_it_could_not_read)
{
    float two[2] = {1, 2};
    struct det_named_tensor twice[] = {{"a", DET_F32, 1, {2}, two, 8}, {"a", DET_F32, 1, {2}, two, 8}};
    struct det_named_tensor short_of[] = {{"a", DET_F32, 1, {3}, two, 8}};
    struct det_error err = {0};
    cr_expect_eq(det_safetensors_write(path, twice, 2, NULL, NULL, 0, &err), DET_INVALID);
    cr_expect(strstr(err.message, "a: twice"), "%s", err.message);
    cr_expect_eq(det_safetensors_write(path, short_of, 1, NULL, NULL, 0, &err), DET_INVALID);
    cr_expect(strstr(err.message, "tensor a"), "%s", err.message);
    cr_expect_neq(access(path, F_OK), 0, "a refused file was left behind");
    cr_expect_eq(det_safetensors_write("/nowhere/t", short_of, 0, NULL, NULL, 0, &err), DET_IO);
    struct det_safetensors *file = NULL;
    cr_expect_eq(det_safetensors_open("/nowhere/t", &file, &err), DET_IO);
    cr_expect(strstr(err.message, "/nowhere/t"), "%s", err.message);
}
