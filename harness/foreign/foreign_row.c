#include "harness/foreign/foreign_row.h"

#include "detector/evaluation/json_cursor.h"

#include <stdlib.h>
#include <string.h>

static struct foreign_value *new_value(struct foreign_row *row)
{
    if (row->n == row->room) {
        size_t room = row->room ? 2 * row->room : 32;
        struct foreign_value *grown = realloc(row->at, room * sizeof *grown);
        if (!grown)
            return NULL;
        row->at = grown;
        row->room = room;
    }
    row->at[row->n] = (struct foreign_value){.kind = FOREIGN_NOTHING};
    return &row->at[row->n++];
}

void foreign_row_release(struct foreign_row *row)
{
    free(row->at);
    *row = (struct foreign_row){0};
}

/* Text that is a number, or says that it is none ("nan", "Infinity"), becomes one. */
static void set_text(struct foreign_value *value, const char *text)
{
    char *end;
    value->text = text;
    value->number = strtod(text, &end);
    value->kind = !*text ? FOREIGN_NOTHING : *end ? FOREIGN_TEXT : FOREIGN_NUMBER;
}

/* ---- JSON ---- */

/* The cursor ends strings where they end: the byte behind one is its quote. */
static char *terminated(struct json_string string)
{
    string.at[string.length] = '\0';
    return string.at;
}

static void read_list(struct json_cursor *c, struct foreign_value *value)
{
    cursor_list(c);
    for (size_t i = 0; cursor_next(c, i); i++)
        if (cursor_kind(c) == '0') {
            value->number += cursor_number(c);
            value->kind = FOREIGN_NUMBER;
        } else {
            cursor_skip(c);
        }
}

static void read_object(struct json_cursor *c, struct foreign_value *value)
{
    struct json_string key;
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &key); i++)
        if (cursor_kind(c) == '0' && value->kind == FOREIGN_NOTHING) {
            value->number = cursor_number(c);
            value->kind = FOREIGN_NUMBER;
        } else {
            cursor_skip(c);
        }
}

static void read_value(struct json_cursor *c, struct foreign_value *value)
{
    switch (cursor_kind(c)) {
    case '0':
        value->number = cursor_number(c);
        value->kind = FOREIGN_NUMBER;
        return;
    case '"':
        set_text(value, terminated(cursor_text(c)));
        return;
    case '[':
        read_list(c, value);
        return;
    case '{':
        read_object(c, value);
        return;
    case 't':
        value->number = 1;
        value->kind = FOREIGN_NUMBER;
        cursor_skip(c);
        return;
    case 'f':
        value->kind = FOREIGN_NUMBER;
        cursor_skip(c);
        return;
    }
    cursor_skip(c);
}

static int only_blanks(const char *at)
{
    return at[strspn(at, " \t\r\n")] == '\0';
}

enum det_code foreign_row_json(struct foreign_row *row, char *line, size_t size,
                               struct det_error *err)
{
    struct json_cursor c = {.start = line, .at = line, .end = line + size, .err = err};
    struct json_string key;
    row->n = 0;
    cursor_object(&c);
    for (size_t i = 0; cursor_next_key(&c, i, &key); i++) {
        struct foreign_value *value = new_value(row);
        if (!value)
            return det_fail(err, DET_NO_MEMORY, "no memory for a line of a log");
        value->key = terminated(key);
        read_value(&c, value);
    }
    if (!c.code && (c.at > c.end || !only_blanks(c.at)))
        cursor_fail(&c, "something behind the object");
    return c.code;
}

/* ---- CSV ---- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* Cut the field at *at off the line, without its quotes; *at moves to the next one, or NULL. */
static char *take_field(char **at, char delimiter)
{
    char *from = *at, *to = *at, *start = *at;
    int quoted = 0;
    for (; *from && (quoted || *from != delimiter); from++) {
        if (*from != '"')
            *to++ = *from;
        else if (quoted && from[1] == '"')
            *to++ = *from++;
        else
            quoted = !quoted;
    }
    *at = *from ? from + 1 : NULL;
    *to = '\0';
    return trimmed(start);
}

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

enum det_code foreign_row_header(struct foreign_row *row, char *line, char *delimiter,
                                 struct det_error *err)
{
    *delimiter = ',';
    for (const char *other = ";\t"; *other; other++)
        if (count(line, *other) > count(line, *delimiter))
            *delimiter = *other;
    row->n = 0;
    for (char *at = line; at;) {
        struct foreign_value *value = new_value(row);
        if (!value)
            return det_fail(err, DET_NO_MEMORY, "no memory for the header");
        value->key = take_field(&at, *delimiter);
    }
    return DET_OK;
}

enum det_code foreign_row_csv(struct foreign_row *row, const struct foreign_row *header, char *line,
                              char delimiter, struct det_error *err)
{
    row->n = 0;
    for (char *at = line; at;) {
        if (row->n == header->n)
            return det_fail(err, DET_INVALID, "more fields than the header's %zu", header->n);
        struct foreign_value *value = new_value(row);
        if (!value)
            return det_fail(err, DET_NO_MEMORY, "no memory for a line of a log");
        value->key = header->at[row->n - 1].key;
        set_text(value, take_field(&at, delimiter));
    }
    if (row->n < header->n)
        return det_fail(err, DET_INVALID, "%zu fields, the header has %zu", row->n, header->n);
    return DET_OK;
}

/* ---- looking up ---- */

const struct foreign_value *foreign_row_find(const struct foreign_row *row, const char *key)
{
    for (size_t i = row->n; i-- > 0;)
        if (strcmp(row->at[i].key, key) == 0)
            return &row->at[i];
    return NULL;
}

int foreign_row_number(const struct foreign_row *row, const char *key, double *out)
{
    const struct foreign_value *value = foreign_row_find(row, key);
    if (!value || value->kind != FOREIGN_NUMBER)
        return 0;
    *out = value->number;
    return 1;
}

const char *foreign_row_text(const struct foreign_row *row, const char *key)
{
    const struct foreign_value *value = foreign_row_find(row, key);
    return value && value->kind == FOREIGN_TEXT ? value->text : NULL;
}
