/* How a function says that it failed.
 *
 * Every fallible function returns an enum det_code (DET_OK is 0) and takes, as its last argument,
 * a struct det_error that it fills with one line naming the file, key or tensor that is wrong and,
 * where there is one, the way out. Nothing below a program's main() prints or exits. */
#ifndef DET_BASE_STATUS_H
#define DET_BASE_STATUS_H

#include <stdarg.h>

#ifdef __cplusplus /* nvcc */
extern "C" {
#endif

enum det_code {
    DET_OK = 0,
    DET_INVALID = 1,     /* bad input: a file, key, shape or value that the caller gave */
    DET_IO = 2,          /* the system refused: open, read, write, sync, rename */
    DET_NO_MEMORY = 3,   /* the message says what was asked for */
    DET_UNAVAILABLE = 4, /* cannot run here: no GPU, built without CUDA */
    DET_NOT_FINITE = 5,  /* a loss, gradient, weight or box is NaN or infinite */
};

#define DET_ERROR_LENGTH 512

struct det_error {
    enum det_code code;
    char message[DET_ERROR_LENGTH]; /* one line, no newline; empty while code is DET_OK */
};

/* Fill err (which may be NULL) with code and the printf-style message; returns code, so that a
 * function can end with `return det_fail(err, DET_INVALID, "%s: no such key", key);`. */
enum det_code det_fail(struct det_error *err, enum det_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put `prefix: ` before the message that err already holds; returns err's code (code if NULL). */
enum det_code det_fail_in(struct det_error *err, enum det_code code, const char *prefix);

#ifdef __cplusplus
}
#endif

#endif
