/* Linked into every Criterion program: what a failed test says on standard error.
 *
 * `meson test` keeps the TAP stream, where the failed assertions are, to its own log and shows only
 * standard error. So each failed test repeats there its name, its first failed assertions and the
 * command that runs it alone with the numerics that `meson test` pins. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN_MAX 8 /* assertions of one test: a wrong table has thousands of wrong entries */

/* As suites/meson.build sets them; what is not set is not printed. */
static const char *const pinned[] = {"OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "DETCHECK_ROOT"};

static FILE *log_file; /* standard error as it was: Criterion silences it while it writes TAP */

__attribute__((constructor)) static void keep_standard_error(void)
{
    int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    log_file = copy < 0 ? NULL : fdopen(copy, "w");
}

static void print_rerun(const struct criterion_test *test)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0)
        return;
    program[length] = '\0';
    fputs("  rerun:", log_file);
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++)
        if (getenv(pinned[i]))
            fprintf(log_file, " %s=%s", pinned[i], getenv(pinned[i]));
    fprintf(log_file, " %s --filter=%s/%s\n", program, test->category, test->name);
}

static void print_assertions(const struct criterion_test_stats *stats)
{
    int shown = 0;
    for (const struct criterion_assert_stats *a = stats->asserts; a; a = a->next) {
        if (a->passed)
            continue;
        if (++shown > SHOWN_MAX)
            break;
        fprintf(log_file, "  %s:%u: %s\n", a->file, a->line, a->message ? a->message : "");
    }
    if (stats->failed_asserts > SHOWN_MAX)
        fprintf(log_file, "  and %d more\n", stats->failed_asserts - SHOWN_MAX);
}

static void print_failure(const struct criterion_test_stats *stats, const char *how)
{
    if (!log_file)
        return;
    fprintf(log_file, "%s/%s %s\n", stats->test->category, stats->test->name, how);
    print_assertions(stats);
    print_rerun(stats->test);
    fflush(log_file);
}

ReportHook(POST_TEST)(struct criterion_test_stats *stats)
{
    if (stats->timed_out)
        print_failure(stats, "timed out");
    else if (stats->test_status == CR_STATUS_FAILED)
        print_failure(stats, "failed");
}

/* A test that crashed has no POST_TEST. */
ReportHook(TEST_CRASH)(struct criterion_test_stats *stats)
{
    print_failure(stats, "crashed");
}
