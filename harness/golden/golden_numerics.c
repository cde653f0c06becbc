#include "harness/golden/golden_numerics.h"

#include <stdio.h>
#include <string.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

static const char *libc_version(void)
{
#ifdef __GLIBC__
    return gnu_get_libc_version();
#else
    return "unknown";
#endif
}

static const char *libm_kernels(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2"))
        return "fma";
#endif
    return "generic";
}

/* The words of the compiler's flags that may change how floats are rounded. */
static void float_flags(char *flags, char *out, size_t size)
{
    size_t used = 0;
    char *rest = NULL;
    out[0] = '\0';
    for (char *word = strtok_r(flags, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        int counts = strcmp(word, "-Ofast") == 0 ||
                     (strncmp(word, "-f", 2) == 0 && strncmp(word, "-fsanitize", 10) != 0);
        if (counts && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", word);
    }
}

static void text_of(const struct logged_run *run, const char *key, char *out, size_t size)
{
    logged_value_text(json_object_get(run->environment, key), out, size);
}

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ... MAX_THREADS=64": name and version. */
static void cut_after_two_words(char *text)
{
    char *first = strchr(text, ' ');
    char *second = first ? strchr(first + 1, ' ') : NULL;
    if (second)
        *second = '\0';
}

void golden_numerics_of(const struct logged_run *run, char out[GOLDEN_NUMERICS_MAX])
{
    char backend[32], blas[128], core[32], precision[32], flags[512], floats[160];
    text_of(run, "backend", backend, sizeof backend);
    text_of(run, "blas", blas, sizeof blas);
    text_of(run, "blas_core", core, sizeof core);
    text_of(run, "precision", precision, sizeof precision);
    text_of(run, "flags", flags, sizeof flags);
    cut_after_two_words(blas);
    float_flags(flags, floats, sizeof floats);
    snprintf(out, GOLDEN_NUMERICS_MAX,
             "backend=%s; blas=%s; core=%s; precision=%s; float=%s; libm=glibc %s %s", backend, blas,
             core, precision, floats, libc_version(), libm_kernels());
}

/* The value of `name=` in the line, up to the next "; ". */
static int part_of(const char *line, const char *name, size_t name_length, const char **value)
{
    for (const char *at = line; at; at = strstr(at, "; ") ? strstr(at, "; ") + 2 : NULL) {
        if (strncmp(at, name, name_length) != 0 || at[name_length] != '=')
            continue;
        *value = at + name_length + 1;
        const char *end = strstr(*value, "; ");
        return end ? (int)(end - *value) : (int)strlen(*value);
    }
    *value = "nothing";
    return (int)strlen(*value);
}

int golden_numerics_differ(const char *table, const char *here, char *out, size_t size)
{
    int differ = 0;
    size_t used = 0;
    out[0] = '\0';
    for (const char *at = here; at; at = strstr(at, "; ") ? strstr(at, "; ") + 2 : NULL) {
        size_t name = strcspn(at, "=");
        const char *was, *is;
        int was_length = part_of(table, at, name, &was), is_length = part_of(here, at, name, &is);
        if (was_length == is_length && memcmp(was, is, (size_t)is_length) == 0)
            continue;
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s is %.*s in the table, %.*s here",
                                     differ ? "; " : "", (int)name, at, was_length, was, is_length,
                                     is);
        differ++;
    }
    return differ;
}
