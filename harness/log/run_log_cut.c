#include "harness/log/run_log_cut.h"

#include "detector/base/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int lies_beyond(const json_t *line, int64_t step)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    int64_t at = json_integer_value(json_object_get(line, "step"));
    if (!event || strcmp(event, "run") == 0)
        return 0;
    if (strcmp(event, "verdict") == 0)
        return 1;
    return strcmp(event, "step") == 0 ? at >= step : at > step;
}

/* The size to cut to, or -1 with err filled. */
static off_t find_cut(const char *path, const char *text, size_t size, int64_t step,
                      struct det_error *err)
{
    const char *at = text, *newline;
    for (int number = 1; (newline = memchr(at, '\n', size - (size_t)(at - text))); number++) {
        json_error_t why;
        json_t *line = json_loadb(at, (size_t)(newline - at), 0, &why);
        if (!line) {
            det_fail(err, DET_INVALID, "%s:%d: not a line of JSON: %s", path, number, why.text);
            return -1;
        }
        int beyond = lies_beyond(line, step);
        json_decref(line);
        if (beyond)
            break;
        at = newline + 1;
    }
    if (at == text) {
        det_fail(err, DET_INVALID, "%s: no run line to resume after", path);
        return -1;
    }
    return at - text;
}

enum det_code run_log_cut(const char *path, int64_t step, off_t *end, struct det_error *err)
{
    char *text;
    size_t size;
    enum det_code code = det_file_read(path, &text, &size, err);
    if (code != DET_OK)
        return code;
    *end = find_cut(path, text, size, step, err);
    free(text);
    if (*end < 0)
        return DET_INVALID;
    if (truncate(path, *end) != 0)
        return det_fail(err, DET_IO, "%s: cannot cut back to step %lld: %s", path, (long long)step,
                        strerror(errno));
    return DET_OK;
}
