/* JSON text put together piece by piece in one growing buffer.
 *
 * jansson writes every real with the same number of digits and has no place for NaN; a run log
 * wants the shortest text that reads back to the same bits, and "nan" as a word. A writer that is
 * reused stops allocating once its buffer fits the longest line. Running out of memory is
 * remembered and reported once, by json_text_end. */
#ifndef HARNESS_JSON_TEXT_H
#define HARNESS_JSON_TEXT_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct json_text {
    char *data; /* owned */
    size_t size, capacity;
    int comma;  /* the next value of this object or list needs one before it */
    int failed; /* out of memory */
};

/* Start over with an empty text; the buffer is kept. Safe on a zeroed struct. */
void json_text_begin(struct json_text *text);
/* A newline behind all. DET_NO_MEMORY where any piece did not fit. */
enum det_code json_text_end(struct json_text *text, struct det_error *err);
void json_text_release(struct json_text *text);

/* key NULL: inside a list. */
void json_text_open(struct json_text *text, const char *key, char bracket);
void json_text_close(struct json_text *text, char bracket);
void json_text_string(struct json_text *text, const char *key, const char *value);
void json_text_int(struct json_text *text, const char *key, int64_t value);
void json_text_flag(struct json_text *text, const char *key, int value);
void json_text_null(struct json_text *text, const char *key);
/* The shortest of 15, 16 or 17 digits that reads back to the same bits; "nan", "inf", "-inf". */
void json_text_number(struct json_text *text, const char *key, double value);
void json_text_hex(struct json_text *text, const char *key, uint64_t value);
/* Text that is JSON already. */
void json_text_raw(struct json_text *text, const char *key, const char *json);

/* What json_text_number writes, without quotes; out holds 32 bytes. */
void json_text_print_number(double value, char out[32]);

#endif
