/* The JSON cursor: values as strtod and the eye read them, and texts that are no JSON. */
#include "detector/evaluation/json_cursor.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text in memory of its own size, so that reading beyond it is seen. */
static struct json_cursor cursor_on(const char *text, struct det_error *err)
{
    size_t length = strlen(text);
    char *copy = malloc(length + 1);
    cr_assert_not_null(copy);
    memcpy(copy, text, length + 1);
    *err = (struct det_error){0};
    return (struct json_cursor){.start = copy, .at = copy, .end = copy + length, .err = err};
}

Test(json_cursor, numbers_as_strtod)
{
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "1",
                                          "-17",
                                          "0.1",
                                          "123.456",
                                          "-224.47",
                                          "1e5",
                                          "1E-7",
                                          "2.5e+3",
                                          "0.000001",
                                          "9007199254740991",
                                          "9007199254740993",
                                          "123456789012345678901234567890",
                                          "1e308",
                                          "4.9e-324",
                                          "0.1463388977969985",
                                          "3.141592653589793238462643",
                                          "99999999999999999.5",
                                          "0.0000000000000000000000012345",
                                          "1e400",
                                          "-1e-400"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct det_error err;
        struct json_cursor c = cursor_on(numbers[i], &err);
        double got = cursor_number(&c), want = strtod(numbers[i], NULL);
        cr_expect_eq(memcmp(&got, &want, sizeof got), 0, "%s: got %.17g, want %.17g", numbers[i],
                     got, want);
        cursor_end(&c);
        cr_expect_eq(c.code, DET_OK, "%s: %s", numbers[i], err.message);
        free(c.start);
    }
}

Test(json_cursor, decimal_fractions_as_strtod)
{
    uint32_t state = 5;
    for (int i = 0; i < 20000; i++) {
        char text[40];
        state = state * 1664525u + 1013904223u;
        snprintf(text, sizeof text, "%.*f", (int)(state >> 28), (state >> 4) / 997.0);
        struct det_error err;
        struct json_cursor c = cursor_on(text, &err);
        double got = cursor_number(&c);
        cr_assert_eq(got, strtod(text, NULL), "%s: got %.17g", text, got);
        free(c.start);
    }
}

Test(json_cursor, python_specials)
{
    struct det_error err;
    struct json_cursor c = cursor_on("[NaN, Infinity, -Infinity]", &err);
    double got[3] = {0};
    cursor_list(&c);
    for (size_t i = 0; cursor_next(&c, i); i++)
        got[i] = cursor_number(&c);
    cr_expect(!c.code && isnan(got[0]) && got[1] > 1e308 && got[2] < -1e308, "%s", err.message);
    free(c.start);
}

Test(json_cursor, integers)
{
    const struct {
        const char *text;
        int64_t want;
        int good;
    } cases[] = {{"7", 7, 1},     {"-7", -7, 1},
                 {"7.0", 7, 1},   {"5e3", 5000, 1},
                 {"0", 0, 1},     {"123456789012345678", 123456789012345678, 1},
                 {"7.5", 0, 0},   {"1e30", 0, 0},
                 {"NaN", 0, 0},   {"99999999999999999999", 0, 0},
                 {"\"7\"", 0, 0}, {"true", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct det_error err;
        struct json_cursor c = cursor_on(cases[i].text, &err);
        int64_t got = cursor_integer(&c);
        cr_expect(got == cases[i].want && (c.code == DET_OK) == cases[i].good, "%s: got %lld, %s",
                  cases[i].text, (long long)got, err.message);
        free(c.start);
    }
}

Test(json_cursor, strings)
{
    const struct {
        const char *text, *want; /* NULL: no string */
    } cases[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"a\\\\b\\\"c\\/\\n\\t\"", "a\\b\"c/\n\t"},
        {"\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"caf\xc3\xa9\"", "caf\xc3\xa9"},
        {"\"open", NULL},
        {"\"open\\", NULL},
        {"\"open\\\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12g4\"", NULL},
        {"\"\\u12", NULL},
        {"\"two\nlines\"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct det_error err;
        struct json_cursor c = cursor_on(cases[i].text, &err);
        struct json_string got = cursor_text(&c);
        if (cases[i].want)
            cr_expect(!c.code && cursor_is(got, cases[i].want), "case %zu: %.*s, %s", i,
                      (int)got.length, got.at, err.message);
        else
            cr_expect_eq(c.code, DET_INVALID, "case %zu was taken", i);
        free(c.start);
    }
}

Test(json_cursor, skipping_ends_where_reading_would)
{
    static const char *const values[] = {
        "1",
        "-2.5e7",
        "NaN",
        "true",
        "false",
        "null",
        "\"a\\\"b\\\\\"",
        "[]",
        "{}",
        "[1, [2, []]]",
        "{\"a\": [\"]\", \"}\\\"\", {\"b\": null}], \"c\": \"{\"}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[100];
        struct det_error err;
        snprintf(text, sizeof text, " %s , 42]", values[i]);
        struct json_cursor c = cursor_on(text, &err);
        cursor_skip(&c);
        cr_expect(cursor_next(&c, 1) && cursor_integer(&c) == 42, "%s: %s", values[i], err.message);
        free(c.start);
    }
}

Test(json_cursor, broken_texts)
{
    static const char *const values[] = {"",    "[",      "[1, 2", "{\"a\": 1",  "[1}", "{]",
                                         "tru", "nulll?", "-",     "01",         "1.",  ".5",
                                         "1e",  "\"",     "[\"a]", "[{\"\\\"}]", "]",   "+1"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct det_error err;
        struct json_cursor c = cursor_on(values[i], &err);
        cursor_skip(&c);
        cursor_end(&c);
        cr_expect_eq(c.code, DET_INVALID, "%s was taken", values[i]);
        cr_expect(strstr(err.message, "line 1, column"), "%s", err.message);
        free(c.start);
    }
}

Test(json_cursor, depth_is_bounded)
{
    for (int deep = 0; deep < 2; deep++) {
        char text[600];
        int n = deep ? 250 : 200;
        memset(text, '[', (size_t)n);
        memset(text + n, ']', (size_t)n);
        text[2 * n] = '\0';
        struct det_error err;
        struct json_cursor c = cursor_on(text, &err);
        cursor_skip(&c);
        cr_expect_eq(c.code, deep ? DET_INVALID : DET_OK, "%d levels: %s", n, err.message);
        free(c.start);
    }
}

Test(json_cursor, errors_name_place_and_key_and_stick)
{
    struct det_error err;
    struct json_cursor c = cursor_on("{\"a\": 1,\n \"score\": \"high\"}", &err);
    struct json_string key;
    int values = 0;
    cursor_object(&c);
    for (size_t i = 0; cursor_next_key(&c, i, &key); i++, values++)
        cursor_number(&c);
    cr_expect_str_eq(err.message, "line 2, column 11: score: expected a number, found a string",
                     "%s", err.message);
    cr_expect_eq(values, 2);
    cursor_fail(&c, "again");
    cr_expect(!strstr(err.message, "again"), "the first error must stand");
    free(c.start);
}
