#include "detector/base/status.h"

#include <stdio.h>

enum det_code det_fail(struct det_error *err, enum det_code code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        err->code = code;
    }
    return code;
}

enum det_code det_fail_in(struct det_error *err, enum det_code code, const char *prefix)
{
    if (!err)
        return code;
    char inner[DET_ERROR_LENGTH];
    snprintf(inner, sizeof inner, "%s", err->message);
    /* The inner message may be cut: the prefix (which file, which key) matters more. */
    snprintf(err->message, sizeof err->message, "%.200s: %.300s", prefix, inner);
    return err->code;
}
