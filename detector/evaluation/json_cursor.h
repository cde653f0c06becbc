/* Reading JSON front to back, without building a tree of it.
 *
 * Detection files of tens of megabytes are read to be turned into numbers at once; a tree of nodes
 * (jansson's, measured) takes five to ten times as long as this cursor, more than the evaluation
 * itself. Everything else in the project that reads JSON is small and stays with jansson.
 *
 *     cursor_list(&c);
 *     for (int i = 0; cursor_next(&c, i); i++) {
 *         cursor_object(&c);
 *         for (int j = 0; cursor_next_key(&c, j, &key); j++)
 *             if (cursor_is(key, "score"))
 *                 score = cursor_number(&c);
 *             else
 *                 cursor_skip(&c);
 *     }
 *
 * The first error sticks: from then on loops end, values are 0, and c.code says that it happened.
 * Strings are unescaped in place, so no text may be read twice, except what was only skipped. */
#ifndef DET_EVALUATION_JSON_CURSOR_H
#define DET_EVALUATION_JSON_CURSOR_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Unescaped, without terminator (but the byte behind it may be overwritten with one). */
struct json_string {
    char *at;
    size_t length;
};

struct json_cursor {
    char *start, *at, *end; /* the text, *end == '\0'; owned by the caller */
    struct json_string key; /* the last one read, for messages */
    enum det_code code;
    struct det_error *err;
};

/* What the next value is: one of { [ " 0 t f n, the last four for a number, true, false, null. */
char cursor_kind(struct json_cursor *c);

/* Fail at the cursor: "line 3, column 17: key: ..."; always returns 0. */
int cursor_fail(struct json_cursor *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void cursor_list(struct json_cursor *c);   /* a [ must follow */
void cursor_object(struct json_cursor *c); /* a { must follow */
/* Is there another element? i is 0 at the first call. Takes the closing bracket. */
int cursor_next(struct json_cursor *c, size_t i);
int cursor_next_key(struct json_cursor *c, size_t i, struct json_string *key);

/* A number; NaN and Infinity, which Python writes, are read as such. */
double cursor_number(struct json_cursor *c);
/* A whole number (1 or 1.0) that an int64 holds. */
int64_t cursor_integer(struct json_cursor *c);
struct json_string cursor_text(struct json_cursor *c);
/* Any value, at most 200 levels deep. Of lists and objects only the brackets and quotes are
 * checked, so that skipping is cheap. */
void cursor_skip(struct json_cursor *c);
/* Only white space may follow. */
void cursor_end(struct json_cursor *c);

int cursor_is(struct json_string string, const char *word);

#endif
