/* One oracle vector being verified: its inputs as device memory, its answers compared.
 *
 * Everything here fails softly: the first thing wrong with the file is kept in case->err, later
 * calls do nothing, and an operation looks once, with case_failed, before it computes. */
#ifndef HARNESS_VERIFY_CASE_H
#define HARNESS_VERIFY_CASE_H

#include "detector/backend/backend.h"
#include "detector/base/safetensors.h"
#include "detector/base/status.h"

#include <jansson.h>

/* How one tensor of answers compared. */
struct comparison {
    const char *tensor; /* owned by the case's file or a string literal */
    int pass;
    int64_t at;              /* element with the worst error; -1 where there is none */
    double got, want;        /* of that element */
    double error, tolerance; /* error NaN: a number against none, or a tensor missing */
    const char *note;        /* what is wrong beside numbers ("missing"), or NULL */
};

struct verify_case {
    struct det_device *dev;
    struct det_safetensors *file;
    const char *op;
    json_t *params; /* of __metadata__.params */
    struct det_error err;
    struct comparison *comparisons; /* owned */
    size_t n_comparisons;
    char remark[512];     /* a line for people, or empty */
    void **device_blocks; /* owned; released with the case */
    void **host_blocks;   /* owned; freed with the case */
    size_t n_device_blocks, n_host_blocks;
};

enum det_code case_open(const char *path, struct det_device *dev, struct verify_case *out,
                        struct det_error *err);
void case_close(struct verify_case *c);
static inline int case_failed(const struct verify_case *c)
{
    return c->err.code != DET_OK;
}

/* ---- parameters ---- */

int case_has_param(const struct verify_case *c, const char *name);
double case_number(struct verify_case *c, const char *name);
int case_int(struct verify_case *c, const char *name);
int case_bool(struct verify_case *c, const char *name);
const char *case_text(struct verify_case *c, const char *name);
/* A list of up to max numbers; returns how many. */
int case_numbers(struct verify_case *c, const char *name, int max, double *out);
/* A list of exactly n numbers. */
void case_floats_param(struct verify_case *c, const char *name, int n, float *out);

/* ---- inputs: all owned by the case ---- */

int case_has(const struct verify_case *c, const char *name);
/* The n_dims sizes of a tensor; every one fits an int. */
void case_shape(struct verify_case *c, const char *name, int n_dims, int *dims);
/* `elements` numbers on the device (at least one is allocated). The tensor must have that many. */
float *case_floats(struct verify_case *c, const char *name, size_t elements);
int32_t *case_int32s(struct verify_case *c, const char *name, size_t elements);
int8_t *case_int8s(struct verify_case *c, const char *name, size_t elements);
/* As case_floats, or NULL where the file has no such tensor. */
float *case_optional(struct verify_case *c, const char *name, size_t elements);
/* The same on the host. */
float *case_host_floats(struct verify_case *c, const char *name, size_t elements);
int64_t *case_host_int64s(struct verify_case *c, const char *name, size_t elements);

/* ---- memory for results, owned by the case ---- */

void *case_host(struct verify_case *c, size_t bytes);   /* zeroed */
void *case_device(struct verify_case *c, size_t bytes); /* zeroed */
void *case_upload(struct verify_case *c, const void *from, size_t bytes);
/* Floats that start as NaN: what an operation forgets to write is found. */
float *case_blank(struct verify_case *c, size_t elements);
float *case_download(struct verify_case *c, const float *from, size_t elements);
void case_scratch(struct verify_case *c, size_t per_worker, size_t shared);

/* ---- answers ---- */

/* The tolerance of float32 is 2e-5 * max(1, max|want|), five times that for sums of more than
 * 10000 terms (oracle/README.md). */
#define CASE_TOLERANCE 2e-5
#define CASE_TOLERANCE_LONG_SUM 1e-4
#define CASE_LONG_SUM 10000

/* Compare `elements` numbers on the device with the answer of that name, sums of `terms` terms. */
void case_check(struct verify_case *c, const char *name, const float *got, size_t elements,
                double terms);
/* Numbers on the host, |got - want| <= tolerance * max(1, max|want|). */
void case_check_numbers(struct verify_case *c, const char *name, const double *got, size_t elements,
                        double tolerance);
void case_check_number(struct verify_case *c, const char *name, double got, double terms);
void case_check_floats(struct verify_case *c, const char *name, const float *got, size_t elements,
                       double tolerance);
/* Integers on the host, exactly. */
void case_check_int64s(struct verify_case *c, const char *name, const int64_t *got,
                       size_t elements);
/* A verdict of the operation's own. */
void case_add(struct verify_case *c, struct comparison comparison);

/* Compare n numbers with an answer, filling all but `tensor`: equal NaNs and infinities agree; a
 * NaN against a number never does. */
struct comparison compare_numbers(const double *got, const double *want, size_t n,
                                  double relative_tolerance);
/* Whether a tensor of that name has been compared. */
int case_compared(const struct verify_case *c, const char *name);

#endif
