/* As much of Criterion as the suite `emulation` uses: its own process for each test does not go
 * with the thread sanitizer. Tests run one after the other; the first fatal failure ends the
 * program. Arguments: parts of the names of the tests to run. */
#ifndef SUITES_RACES_CRITERION_H
#define SUITES_RACES_CRITERION_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void races_test(void);

static struct {
    const char *name;
    races_test *run;
} races_tests[32];
static int races_count, races_failures;

#define Test(suite, title)                                                                         \
    static void title##_test(void);                                                                \
    __attribute__((constructor)) static void title##_register(void)                                \
    {                                                                                              \
        races_tests[races_count].name = #suite "/" #title;                                         \
        races_tests[races_count++].run = title##_test;                                             \
    }                                                                                              \
    static void title##_test(void)

/* What failed, as its test put it. */
static inline void races_check(int good, int fatal, int line, const char *format, ...)
{
    va_list args;
    if (good)
        return;
    printf("# line %d: ", line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    races_failures++;
    if (fatal)
        exit(1);
}

/* The message may be left out: an empty one is always there at the end. */
#define RACES_THAT(fatal, c, ...) races_check(!!(c), fatal, __LINE__, "" __VA_ARGS__)
#define RACES_COMPARE(fatal, relation, a, b, ...)                                                  \
    races_check((a)relation(b), fatal, __LINE__, "" __VA_ARGS__)
#define cr_assert(...) RACES_THAT(1, __VA_ARGS__, "")
#define cr_expect(...) RACES_THAT(0, __VA_ARGS__, "")
#define cr_assert_not_null(...) RACES_THAT(1, __VA_ARGS__, "")
#define cr_assert_eq(...) RACES_COMPARE(1, ==, __VA_ARGS__, "")
#define cr_expect_eq(...) RACES_COMPARE(0, ==, __VA_ARGS__, "")
#define cr_expect_gt(...) RACES_COMPARE(0, >, __VA_ARGS__, "")

static int races_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int ran = 0;
    for (int i = 0; i < races_count; i++) {
        if (!races_wanted(races_tests[i].name, argc, argv))
            continue;
        int before = races_failures;
        races_tests[i].run();
        printf("%s %d - %s\n", races_failures > before ? "not ok" : "ok", ++ran,
               races_tests[i].name);
        fflush(stdout);
    }
    printf("1..%d\n", ran);
    return races_failures > 0;
}

#endif
