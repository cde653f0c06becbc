#include "detector/training/training_config.h"

#include "detector/base/edit_distance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_LENGTH 32 /* "-1.2345678901234567e-308" and its NUL */

static const struct det_config_key keys[] = {
#define ROW(field, name, type, def, lo, hi, choices, unit, doc)                                    \
    {name, type, offsetof(struct det_config, field), def, lo, hi, choices, unit, doc},
#define DET_KEY_INT(field, name, def, lo, hi, unit, doc)                                           \
    ROW(field, name, DET_CONFIG_INT, def, lo, hi, NULL, unit, doc)
#define DET_KEY_FLOAT(field, name, def, lo, hi, unit, doc)                                         \
    ROW(field, name, DET_CONFIG_FLOAT, def, lo, hi, NULL, unit, doc)
#define DET_KEY_LIST(field, name, def, lo, hi, unit, doc)                                          \
    ROW(field, name, DET_CONFIG_LIST, def, lo, hi, NULL, unit, doc)
#define DET_KEY_CHOICE(field, name, def, choices, doc)                                             \
    ROW(field, name, DET_CONFIG_CHOICE, def, 0, 0, choices, "", doc)
#define DET_KEY_BOOL(field, name, def, doc)                                                        \
    ROW(field, name, DET_CONFIG_BOOL, def, 0, 1, NULL, "", doc)
#define DET_KEY_TEXT(field, name, def, doc)                                                        \
    ROW(field, name, DET_CONFIG_TEXT, def, 0, 0, NULL, "", doc)
#include "detector/training/training_config.def"
#undef ROW
};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

const struct det_config_key *det_config_keys(size_t *n)
{
    *n = KEY_COUNT;
    return keys;
}

const struct det_config_key *det_config_find(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* A key's last word alone ("lr") is as near as a slip of one letter. */
static int distance_to(const char *wrong, const char *name)
{
    const char *dot = strrchr(name, '.');
    int whole = det_edit_distance(wrong, name);
    int last = dot ? 1 + det_edit_distance(wrong, dot + 1) : whole;
    return last < whole ? last : whole;
}

const char *det_config_nearest(const char *name)
{
    size_t best = 0;
    for (size_t i = 1; i < KEY_COUNT; i++)
        if (distance_to(name, keys[i].name) < distance_to(name, keys[best].name))
            best = i;
    return keys[best].name;
}

/* ---- text to value --------------------------------------------------------------------------- */

static enum det_code check_range(const struct det_config_key *key, double number,
                                 struct det_error *err)
{
    if (key->low <= number && number <= key->high) /* not NaN */
        return DET_OK;
    return det_fail(err, DET_INVALID, "%s: %.17g is out of range; allowed are %.17g to %.17g %s",
                    key->name, number, key->low, key->high, key->unit);
}

static enum det_code wrong_type(const struct det_config_key *key, const char *wanted,
                                const char *value, struct det_error *err)
{
    return det_fail(err, DET_INVALID, "%s: expected %s (such as %s), got `%.64s`", key->name, wanted,
                    key->def, value);
}

/* The decimal number at *text, which is moved behind it; 0 if there is none. */
static int take_number(const char **text, double *out)
{
    size_t length = strspn(*text, "+-.0123456789eE"); /* strtod also takes nan, inf and hex */
    char *end;
    *out = strtod(*text, &end);
    if (length == 0 || end != *text + length)
        return 0;
    *text = end;
    return 1;
}

static enum det_code parse_int(const struct det_config_key *key, const char *value, int64_t *out,
                               struct det_error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (end == value || *end || strspn(value, "+-0123456789") != strlen(value))
        return wrong_type(key, "a whole number", value, err);
    enum det_code code = check_range(key, errno == ERANGE ? (double)INT64_MAX : (double)number, err);
    if (code == DET_OK)
        *out = number;
    return code;
}

static enum det_code parse_float(const struct det_config_key *key, const char *value, double *out,
                                 struct det_error *err)
{
    double number;
    const char *rest = value;
    if (!take_number(&rest, &number) || *rest)
        return wrong_type(key, "a number", value, err);
    enum det_code code = check_range(key, number, err);
    if (code == DET_OK)
        *out = number;
    return code;
}

static enum det_code parse_bool(const struct det_config_key *key, const char *value, int *out,
                                struct det_error *err)
{
    int is_true = strcmp(value, "true") == 0;
    if (!is_true && strcmp(value, "false") != 0)
        return wrong_type(key, "true or false", value, err);
    *out = is_true;
    return DET_OK;
}

static enum det_code parse_choice(const struct det_config_key *key, const char *value, int *out,
                                  struct det_error *err)
{
    const char *choice = key->choices;
    for (int i = 0;; i++) {
        size_t length = strcspn(choice, "|");
        if (strlen(value) == length && strncmp(choice, value, length) == 0) {
            *out = i;
            return DET_OK;
        }
        if (!choice[length])
            break;
        choice += length + 1;
    }
    return det_fail(err, DET_INVALID, "%s: `%.64s` is none of %s", key->name, value, key->choices);
}

static enum det_code parse_list(const struct det_config_key *key, const char *value,
                                struct det_config_list *out, struct det_error *err)
{
    struct det_config_list list = {0};
    const char *rest = value + strspn(value, " ");

    if (*rest++ != '[')
        return wrong_type(key, "a list of numbers", value, err);
    rest += strspn(rest, " ");
    while (*rest && *rest != ']') {
        if (list.n == DET_CONFIG_LIST_MAX)
            return det_fail(err, DET_INVALID, "%s: more than %d numbers", key->name,
                            DET_CONFIG_LIST_MAX);
        if (!take_number(&rest, &list.at[list.n]))
            return wrong_type(key, "a list of numbers", value, err);
        enum det_code code = check_range(key, list.at[list.n++], err);
        if (code != DET_OK)
            return code;
        rest += strspn(rest, " ");
        if (*rest == ',' && rest[1 + strspn(rest + 1, " ")] != ']')
            rest += 1 + strspn(rest + 1, " ");
        else if (*rest != ']')
            break;
    }
    if (*rest != ']' || rest[1 + strspn(rest + 1, " ")])
        return wrong_type(key, "a list of numbers", value, err);
    *out = list;
    return DET_OK;
}

static enum det_code parse_text(const struct det_config_key *key, const char *value, char *out,
                                struct det_error *err)
{
    if (strlen(value) >= DET_CONFIG_TEXT_MAX)
        return det_fail(err, DET_INVALID, "%s: longer than %d bytes", key->name,
                        DET_CONFIG_TEXT_MAX - 1);
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return det_fail(err, DET_INVALID, "%s: control characters are not allowed", key->name);
    strcpy(out, value);
    return DET_OK;
}

enum det_code det_config_set(struct det_config *config, const char *name, const char *value,
                             struct det_error *err)
{
    const struct det_config_key *key = det_config_find(name);
    if (!key)
        return det_fail(err, DET_INVALID, "%.64s: unknown key; nearest is %s", name,
                        det_config_nearest(name));

    void *field = (char *)config + key->offset;
    switch (key->type) {
    case DET_CONFIG_INT:
        return parse_int(key, value, field, err);
    case DET_CONFIG_FLOAT:
        return parse_float(key, value, field, err);
    case DET_CONFIG_BOOL:
        return parse_bool(key, value, field, err);
    case DET_CONFIG_CHOICE:
        return parse_choice(key, value, field, err);
    case DET_CONFIG_LIST:
        return parse_list(key, value, field, err);
    case DET_CONFIG_TEXT:
        return parse_text(key, value, field, err);
    }
    return DET_INVALID;
}

void det_config_defaults(struct det_config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < KEY_COUNT; i++)
        det_config_set(config, keys[i].name, keys[i].def, NULL); /* a test parses every default */
}

/* ---- value to text --------------------------------------------------------------------------- */

/* The shortest text that reads back to the same bits: 15 digits always survive, 17 always do it. */
static void print_number(double number, char out[NUMBER_LENGTH])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, NUMBER_LENGTH, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}

static void print_float(double number, char *out, size_t size)
{
    char text[NUMBER_LENGTH];
    print_number(number, text);
    snprintf(out, size, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_list(const struct det_config_list *list, char *out, size_t size)
{
    char text[DET_CONFIG_LIST_MAX * (NUMBER_LENGTH + 2) + 3] = "[", number[NUMBER_LENGTH];
    size_t used = 1;
    for (int i = 0; i < list->n; i++) {
        print_number(list->at[i], number);
        used += (size_t)sprintf(text + used, "%s%s", i ? ", " : "", number);
    }
    snprintf(out, size, "%s]", text);
}

static void print_choice(const char *choices, int i, char *out, size_t size)
{
    while (i-- > 0)
        choices += strcspn(choices, "|") + 1;
    snprintf(out, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

void det_config_print(const struct det_config *config, const struct det_config_key *key, char *out,
                      size_t size)
{
    const void *field = (const char *)config + key->offset;
    switch (key->type) {
    case DET_CONFIG_INT:
        snprintf(out, size, "%lld", (long long)*(const int64_t *)field);
        break;
    case DET_CONFIG_FLOAT:
        print_float(*(const double *)field, out, size);
        break;
    case DET_CONFIG_BOOL:
        snprintf(out, size, "%s", *(const int *)field ? "true" : "false");
        break;
    case DET_CONFIG_CHOICE:
        print_choice(key->choices, *(const int *)field, out, size);
        break;
    case DET_CONFIG_LIST:
        print_list(field, out, size);
        break;
    case DET_CONFIG_TEXT:
        snprintf(out, size, "%s", (const char *)field);
        break;
    }
}
