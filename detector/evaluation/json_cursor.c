#include "detector/evaluation/json_cursor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200

int cursor_fail(struct json_cursor *c, const char *format, ...)
{
    if (c->code)
        return 0;
    size_t line = 1;
    const char *line_start = c->start;
    for (const char *p = c->start; p < c->at; p++)
        if (*p == '\n') {
            line++;
            line_start = p + 1;
        }
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int key = c->key.length > 40 ? 40 : (int)c->key.length;
    c->code = det_fail(c->err, DET_INVALID, "line %zu, column %td: %.*s%s%s", line,
                       c->at - line_start + 1, key, c->key.at, key ? ": " : "", what);
    return 0;
}

static void skip_space(struct json_cursor *c)
{
    while (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')
        c->at++;
}

/* What is found where something else was expected, for messages. */
static const char *found(const struct json_cursor *c)
{
    static const char marks[] = "{}[],:\"-";
    static const char *const names[] = {"{", "}", "[", "]", ",", ":", "a string", "a number"};
    if (c->at >= c->end)
        return "the end of the file";
    const char *mark = *c->at ? strchr(marks, *c->at) : NULL;
    if (mark)
        return names[mark - marks];
    return *c->at >= '0' && *c->at <= '9' ? "a number" : "a word";
}

static int take(struct json_cursor *c, char wanted)
{
    skip_space(c);
    if (c->code || *c->at != wanted)
        return cursor_fail(c, "expected %c, found %s", wanted, found(c));
    c->at++;
    return 1;
}

char cursor_kind(struct json_cursor *c)
{
    skip_space(c);
    switch (*c->at) {
    case '{':
    case '[':
    case '"':
    case 't':
    case 'f':
    case 'n':
        return *c->at;
    }
    return '0';
}

/* ---- lists and objects ---- */

void cursor_list(struct json_cursor *c)
{
    take(c, '[');
}

void cursor_object(struct json_cursor *c)
{
    take(c, '{');
}

static int next_or_close(struct json_cursor *c, size_t i, char close)
{
    if (c->code)
        return 0;
    skip_space(c);
    if (*c->at == close) {
        c->at++;
        return 0;
    }
    return i == 0 || take(c, ',');
}

int cursor_next(struct json_cursor *c, size_t i)
{
    return next_or_close(c, i, ']');
}

int cursor_next_key(struct json_cursor *c, size_t i, struct json_string *key)
{
    c->key.length = 0;
    if (!next_or_close(c, i, '}'))
        return 0;
    *key = c->key = cursor_text(c);
    return take(c, ':');
}

/* ---- numbers ---- */

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The digits of a number and where its parts end. */
struct digits {
    uint64_t mantissa; /* all digits, where they are at most 19 */
    int count;         /* of digits behind leading zeros */
    int fraction;      /* of them, behind the point */
    int plain;         /* no exponent */
    int whole;         /* neither point nor exponent */
};

static int scan_digits(struct json_cursor *c, struct digits *d)
{
    int any = 0;
    for (; *c->at >= '0' && *c->at <= '9'; c->at++, any = 1) {
        d->mantissa = d->mantissa * 10 + (uint64_t)(*c->at - '0');
        d->count += d->mantissa != 0;
    }
    return any;
}

/* Moves behind a number of JSON's grammar; the sign has been taken. */
static int scan_number(struct json_cursor *c, struct digits *d)
{
    const char *first = c->at;
    *d = (struct digits){.plain = 1, .whole = 1};
    if (!scan_digits(c, d) || (*first == '0' && c->at - first > 1))
        return 0;
    if (*c->at == '.') {
        const char *point = c->at++;
        d->whole = 0;
        if (!scan_digits(c, d))
            return 0;
        d->fraction = c->at - point > 1000 ? 1000 : (int)(c->at - point - 1);
    }
    if (*c->at == 'e' || *c->at == 'E') {
        struct digits exponent = {0};
        d->plain = d->whole = 0;
        c->at++;
        if (*c->at == '+' || *c->at == '-')
            c->at++;
        return scan_digits(c, &exponent);
    }
    return 1;
}

static int take_word(struct json_cursor *c, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(c->at, word, length) != 0)
        return 0;
    c->at += length;
    return 1;
}

/* Moves behind a number; 0 where there is none. */
static int take_number(struct json_cursor *c, struct digits *d)
{
    char *start = c->at;
    c->at += *c->at == '-';
    if (scan_number(c, d))
        return 1;
    c->at = start;
    return cursor_fail(c, "expected a number, found %s", found(c));
}

/* NaN, Infinity, -Infinity; 0 where there is none of them. */
static double take_special(struct json_cursor *c)
{
    if (*c->at == 'N' && take_word(c, "NaN"))
        return (double)NAN;
    if (*c->at == 'I' && take_word(c, "Infinity"))
        return (double)INFINITY;
    return *c->at == '-' && take_word(c, "-Infinity") ? -(double)INFINITY : 0;
}

/* A mantissa below 2^53 and a power of ten up to 22 are both exact in a double, so that one
 * division rounds rightly (Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990);
 * the rest is strtod's. */
double cursor_number(struct json_cursor *c)
{
    if (c->code)
        return 0;
    skip_space(c);
    char *start = c->at;
    struct digits d;
    double special = take_special(c);
    if (special != 0)
        return special;
    if (!take_number(c, &d))
        return 0;
    if (!d.plain || d.count > 18 || d.mantissa >> 53 || d.fraction > 22)
        return strtod(start, NULL);
    double value = (double)d.mantissa / powers_of_ten[d.fraction];
    return *start == '-' ? -value : value;
}

int64_t cursor_integer(struct json_cursor *c)
{
    const double limit = 9007199254740992.0; /* 2^53: beyond it doubles skip whole numbers */
    skip_space(c);
    char *start = c->at;
    int negative = *c->at == '-';
    struct digits d;
    c->at += negative;
    if (!c->code && scan_number(c, &d) && d.whole && d.count <= 18)
        return negative ? -(int64_t)d.mantissa : (int64_t)d.mantissa;
    c->at = start;
    double value = cursor_number(c);
    if (!c->code && (!(fabs(value) <= limit) || value != floor(value))) {
        c->at = start;
        cursor_fail(c, "expected a whole number");
    }
    return c->code ? 0 : (int64_t)value;
}

/* ---- strings ---- */

static int hex_digits(const char *from, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char h = from[i];
        int digit = h >= '0' && h <= '9'   ? h - '0'
                    : h >= 'a' && h <= 'f' ? h - 'a' + 10
                    : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                           : -1;
        if (digit < 0)
            return 0;
        *code = *code * 16 + (uint32_t)digit;
    }
    return 1;
}

static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | code >> 6 * more);
    while (more--)
        *to++ = (char)(0x80 | (code >> 6 * more & 0x3f));
    return to;
}

/* The escape behind a backslash at c->at, written to *to: never more bytes than it takes. */
static int unescape(struct json_cursor *c, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *simple = *c->at ? strchr(from, *c->at) : NULL;
    if (simple) {
        c->at++;
        *(*to)++ = into[simple - from];
        return 1;
    }
    uint32_t code, low;
    if (*c->at != 'u' || !hex_digits(c->at + 1, &code))
        return cursor_fail(c, "no such escape in a string");
    c->at += 5;
    if (code >= 0xd800 && code < 0xdc00 && c->at[0] == '\\' && c->at[1] == 'u' &&
        hex_digits(c->at + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        c->at += 6;
    }
    *to = put_utf8(*to, code);
    return 1;
}

struct json_string cursor_text(struct json_cursor *c)
{
    struct json_string none = {c->end, 0};
    if (c->code || !take(c, '"'))
        return none;
    char *first = c->at, *to;
    while (*c->at != '"' && *c->at != '\\' && (unsigned char)*c->at >= ' ')
        c->at++;
    for (to = c->at; *c->at != '"';) {
        if ((unsigned char)*c->at < ' ') {
            cursor_fail(c, "a string without its closing quote");
            return none;
        }
        if (*c->at != '\\') {
            *to++ = *c->at++;
            continue;
        }
        c->at++;
        if (!unescape(c, &to))
            return none;
    }
    c->at++;
    return (struct json_string){first, (size_t)(to - first)};
}

int cursor_is(struct json_string string, const char *word)
{
    return strlen(word) == string.length && memcmp(string.at, word, string.length) == 0;
}

/* ---- whatever else ---- */

static void skip_number(struct json_cursor *c)
{
    struct digits d;
    if (take_special(c) == 0)
        take_number(c, &d);
}

/* Behind the next quote that no backslash escapes; the opening one has been taken. */
static void skip_text(struct json_cursor *c)
{
    for (;;) {
        char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
        if (!quote) {
            cursor_fail(c, "a string without its closing quote");
            return;
        }
        int backslashes = 0;
        while (quote - backslashes > c->at && quote[-backslashes - 1] == '\\')
            backslashes++;
        c->at = quote + 1;
        if (backslashes % 2 == 0)
            return;
    }
}

/* What skip_brackets stops at; the NUL is the text's end. */
static const unsigned char stops[256] = {
    ['\0'] = 1, ['"'] = 1, ['['] = 1, [']'] = 1, ['{'] = 1, ['}'] = 1};

/* A list or object by its brackets alone. */
static void skip_brackets(struct json_cursor *c)
{
    char closing[DEPTH_MAX];
    int depth = 0;
    do {
        while (!stops[(unsigned char)*c->at])
            c->at++;
        char bracket = *c->at;
        if ((bracket == '[' || bracket == '{') && depth == DEPTH_MAX)
            cursor_fail(c, "nested more than %d levels deep", DEPTH_MAX);
        else if (bracket == '[' || bracket == '{')
            closing[depth++] = bracket == '[' ? ']' : '}';
        else if (bracket != '"' && bracket != closing[--depth])
            cursor_fail(c, "expected %c, found %s", closing[depth], found(c));
        if (c->code)
            return;
        c->at++;
        if (bracket == '"')
            skip_text(c);
    } while (depth > 0 && !c->code);
}

void cursor_skip(struct json_cursor *c)
{
    if (c->code)
        return;
    char kind = cursor_kind(c);
    if (kind == '[' || kind == '{') {
        skip_brackets(c);
    } else if (kind == '"') {
        c->at++;
        skip_text(c);
    } else if (kind == '0') {
        skip_number(c);
    } else if (!take_word(c, "true") && !take_word(c, "false") && !take_word(c, "null")) {
        cursor_fail(c, "expected a value, found %s", found(c));
    }
}

void cursor_end(struct json_cursor *c)
{
    skip_space(c);
    if (c->at < c->end)
        cursor_fail(c, "expected the end of the file, found %s", found(c));
}
