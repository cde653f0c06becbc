#include "harness/log/json_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct json_text *text, size_t more)
{
    if (text->failed)
        return 0;
    if (text->size + more < text->capacity)
        return 1;
    size_t capacity = 2 * (text->size + more) + 256;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = 1;
        return 0;
    }
    text->data = data;
    text->capacity = capacity;
    return 1;
}

static void put(struct json_text *text, const char *bytes, size_t size)
{
    if (!make_room(text, size))
        return;
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static void put_text(struct json_text *text, const char *bytes)
{
    put(text, bytes, strlen(bytes));
}

static void put_quoted(struct json_text *text, const char *value)
{
    put(text, "\"", 1);
    for (const char *at = value; *at; at++) {
        unsigned char c = (unsigned char)*at;
        char escape[8];
        if (c == '"' || c == '\\')
            snprintf(escape, sizeof escape, "\\%c", c);
        else if (c < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", c);
        else
            snprintf(escape, sizeof escape, "%c", c);
        put_text(text, escape);
    }
    put(text, "\"", 1);
}

static void put_key(struct json_text *text, const char *key)
{
    if (text->comma)
        put(text, ",", 1);
    text->comma = 1;
    if (key) {
        put_quoted(text, key);
        put(text, ":", 1);
    }
}

void json_text_begin(struct json_text *text)
{
    text->size = 0;
    text->comma = 0;
    text->failed = 0;
}

enum det_code json_text_end(struct json_text *text, struct det_error *err)
{
    put(text, "\n", 1);
    return text->failed ? det_fail(err, DET_NO_MEMORY, "no memory for a line of JSON") : DET_OK;
}

void json_text_release(struct json_text *text)
{
    free(text->data);
    *text = (struct json_text){0};
}

void json_text_open(struct json_text *text, const char *key, char bracket)
{
    put_key(text, key);
    put(text, &bracket, 1);
    text->comma = 0;
}

void json_text_close(struct json_text *text, char bracket)
{
    put(text, &bracket, 1);
    text->comma = 1;
}

void json_text_string(struct json_text *text, const char *key, const char *value)
{
    put_key(text, key);
    put_quoted(text, value);
}

void json_text_int(struct json_text *text, const char *key, int64_t value)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, value);
    json_text_raw(text, key, number);
}

void json_text_flag(struct json_text *text, const char *key, int value)
{
    json_text_raw(text, key, value ? "true" : "false");
}

void json_text_null(struct json_text *text, const char *key)
{
    json_text_raw(text, key, "null");
}

void json_text_print_number(double value, char out[32])
{
    if (isnan(value)) {
        strcpy(out, "nan");
        return;
    }
    if (isinf(value)) {
        strcpy(out, value > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

void json_text_number(struct json_text *text, const char *key, double value)
{
    char number[32];
    json_text_print_number(value, number);
    if (isfinite(value))
        json_text_raw(text, key, number);
    else
        json_text_string(text, key, number);
}

void json_text_hex(struct json_text *text, const char *key, uint64_t value)
{
    char digits[20];
    snprintf(digits, sizeof digits, "%016" PRIx64, value);
    json_text_string(text, key, digits);
}

void json_text_raw(struct json_text *text, const char *key, const char *json)
{
    put_key(text, key);
    put_text(text, json);
}
