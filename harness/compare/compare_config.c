#include "harness/compare/compare_config.h"

#include <stdio.h>
#include <string.h>

static const json_t *object_of(const struct logged_run *run, enum compare_what what)
{
    return what == COMPARE_CONFIG ? run->config : run->environment;
}

/* 1 and 1.0 are the same value. */
static int equal_values(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return a && b ? json_equal(a, b) : a == b;
}

static int listed(const char *key, const char *const *keys, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return 1;
    return 0;
}

static int differs(const struct logged_run *const *runs, int n, enum compare_what what,
                   const char *key)
{
    const json_t *first = json_object_get(object_of(runs[0], what), key);
    for (int i = 1; i < n; i++)
        if (!equal_values(first, json_object_get(object_of(runs[i], what), key)))
            return 1;
    return 0;
}

int compare_keys(const struct logged_run *const *runs, int n, enum compare_what what,
                 const char *keys[COMPARE_KEYS_MAX])
{
    int found = 0;
    for (int i = 0; i < n; i++) {
        const char *key;
        json_t *value, *object = (json_t *)object_of(runs[i], what);
        json_object_foreach(object, key,
                            value) if (found < COMPARE_KEYS_MAX && !listed(key, keys, found) &&
                                       differs(runs, n, what, key)) keys[found++] = key;
    }
    return found;
}

void compare_value(const struct logged_run *run, enum compare_what what, const char *key, char *out,
                   size_t size)
{
    const json_t *value = json_object_get(object_of(run, what), key);
    if (value)
        logged_value_text(value, out, size);
    else
        snprintf(out, size, "-");
}
