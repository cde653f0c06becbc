/* Logs of other trainers, written by a test and read back. */
#ifndef SUITES_FOREIGN_LOGS_H
#define SUITES_FOREIGN_LOGS_H

#include "harness/foreign/foreign.h"
#include "harness/judge/judge.h"
#include "suites/temporary_folder.h"

#include <math.h>
#include <string.h>

static struct temporary_folder folder;
static struct det_error why;

static inline void make_folder(void)
{
    temporary_folder_make(&folder);
}

static inline void remove_folder(void)
{
    temporary_folder_remove(&folder);
}

static inline void write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(in_folder(&folder, name), "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* The run in the folder's file, or NULL with the reason in `why`. */
static inline struct logged_run *open_log(const char *name, const struct foreign_options *options)
{
    static const struct foreign_options none;
    struct logged_run *run = NULL;
    why = (struct det_error){0};
    enum det_code code =
        foreign_open(in_folder(&folder, name), options ? options : &none, &run, &why);
    cr_expect_eq(code == DET_OK, run != NULL, "%s: code %d", name, code);
    return run;
}

/* Writes and opens a log that must be readable. */
static inline struct logged_run *read_log(const char *text, const struct foreign_options *options)
{
    write_text("log", text);
    struct logged_run *run = open_log("log", options);
    cr_assert_not_null(run, "%s", why.message);
    return run;
}

/* A log that must be refused, with `want` in the message; the message is one line. */
static inline void refuse(const char *name, const char *text, const struct foreign_options *options,
                          const char *want)
{
    write_text("log", text);
    struct logged_run *run = open_log("log", options);
    cr_expect_null(run, "%s: was read", name);
    cr_expect(strstr(why.message, want), "%s: message \"%s\" lacks \"%s\"", name, why.message,
              want);
    cr_expect_null(strchr(why.message, '\n'), "%s: more than a line", name);
    logged_run_close(run);
}

static inline struct verdict verdict_of(const struct logged_run *run)
{
    struct judge_rules rules;
    struct verdict verdict;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, &verdict);
    return verdict;
}

static inline void expect_verdict(const char *name, const struct logged_run *run,
                                  enum verdict_kind kind, const char *rule, int64_t step)
{
    struct verdict got = verdict_of(run);
    cr_expect(got.kind == kind && strcmp(got.rule, rule) == 0 && got.step == step,
              "%s: got %s (%s) at %ld: %s; want %s (%s) at %ld", name, verdict_name(got.kind),
              got.rule, (long)got.step, got.why, verdict_name(kind), rule, (long)step);
}

static inline int is_untold(const struct verdict *verdict, const char *rule)
{
    for (int i = 0; i < verdict->n_untold; i++)
        if (strstr(verdict->untold[i], rule))
            return 1;
    return 0;
}

#endif
