/* detcheck golden accept: today's values become the table's, with the reason. */
#include "harness/golden/golden_commands.h"
#include "harness/golden/golden_compare.h"
#include "harness/golden/golden_config.h"
#include "harness/golden/golden_numerics.h"
#include "harness/golden/golden_options.h"
#include "harness/golden/golden_run.h"
#include "harness/golden/golden_select.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REASON_MAX 200

/* One line, and not an empty one: it stands in the table's head. */
static enum det_code check_reason(const char *reason, struct det_error *err)
{
    int letters = 0;
    if (!reason)
        return det_fail(err, DET_INVALID, "no reason given: --reason 'why the values are other ones'");
    for (const char *c = reason; *c; c++) {
        letters += isalnum((unsigned char)*c) != 0;
        if (iscntrl((unsigned char)*c))
            return det_fail(err, DET_INVALID, "--reason: one line of text, please");
    }
    if (letters < 3 || strlen(reason) > REASON_MAX)
        return det_fail(err, DET_INVALID, "--reason: say why the values are other ones now, in at "
                                          "most %d characters", REASON_MAX);
    return DET_OK;
}

static enum det_code refuse_not_finite(const struct golden_table *table,
                                       const struct golden_rows *rows, struct det_error *err)
{
    for (int i = 0; i < rows->n; i++) {
        char value[32];
        metric_print(&rows->at[i].value, value);
        if (golden_not_finite(&rows->at[i].value))
            return det_fail(err, DET_INVALID, "%s: %s is %s at step %" PRId64 ": not a value to accept",
                            table->file.path, rows->at[i].metric, value, rows->at[i].step);
    }
    return DET_OK;
}

/* Tolerances and reasons of rows that the table has are a person's work: they stay. */
static void keep_tolerances(const struct golden_table *table, struct golden_rows *rows)
{
    for (int i = 0; i < rows->n; i++)
        for (int j = 0; j < table->rows.n; j++) {
            const struct golden_row *old = &table->rows.at[j];
            if (old->step != rows->at[i].step || strcmp(old->metric, rows->at[i].metric) != 0)
                continue;
            rows->at[i].tolerance = old->tolerance;
            memcpy(rows->at[i].why, old->why, sizeof old->why);
            break;
        }
}

static enum det_code record_environment(struct golden_file *file, const struct logged_run *run,
                                        struct det_error *err)
{
    static const char *const keys[] = {"compiler", "flags", "blas", "cpu", "threads", "commit"};
    char text[GOLDEN_NUMERICS_MAX];
    golden_numerics_of(run, text);
    enum det_code code = golden_file_set(file, "numerics", text, err);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && code == DET_OK; i++) {
        logged_value_text(json_object_get(run->environment, keys[i]), text, sizeof text);
        code = golden_file_set(file, keys[i], text, err);
    }
    snprintf(text, sizeof text, "%016" PRIx64, run->dataset_checksum);
    return code == DET_OK ? golden_file_set(file, "dataset", text, err) : code;
}

static enum det_code add_history(struct golden_table *table, const struct logged_run *run,
                                 const char *reason, int moved, struct det_error *err)
{
    char commit[64], date[16], line[REASON_MAX + 160];
    time_t now = time(NULL);
    struct tm day;
    gmtime_r(&now, &day);
    strftime(date, sizeof date, "%Y-%m-%d", &day);
    logged_value_text(json_object_get(run->environment, "commit"), commit, sizeof commit);
    snprintf(line, sizeof line, "%s, built from %s, %d rows: %s", date, commit, moved, reason);
    return golden_file_add(&table->file, "accepted", line, err);
}

static enum det_code rewrite(struct golden_table *table, const struct logged_run *run,
                             struct golden_rows *rows, const char *reason, int moved,
                             struct det_error *err)
{
    keep_tolerances(table, rows);
    enum det_code code = golden_table_put_rows(table, rows, err);
    if (code == DET_OK)
        code = record_environment(&table->file, run, err);
    if (code == DET_OK)
        code = golden_config_record(&table->file, &table->config, 0, err);
    if (code == DET_OK)
        code = add_history(table, run, reason, moved, err);
    return code == DET_OK ? golden_file_write(&table->file, err) : code;
}

/* Values made with other numerics would quietly turn every later check into one by tolerance. */
static enum det_code refuse_numerics(const struct golden_table *table,
                                     const struct golden_report *report,
                                     const struct golden_options *options, struct det_error *err)
{
    if (options->new_numerics || !report->numerics[0] ||
        !golden_file_get(&table->file, "numerics", 0))
        return DET_OK;
    return det_fail(err, DET_INVALID, "%s: %.300s: --new-numerics records that as well",
                    table->file.path, report->numerics);
}

static enum det_code accept_run(struct golden_table *table, const struct logged_run *run,
                                const struct golden_options *options, int *accepted,
                                struct det_error *err)
{
    struct golden_rows rows;
    struct golden_report report = {0};
    enum det_code code = golden_select(run, &rows, err);
    if (code == DET_OK)
        code = refuse_not_finite(table, &rows, err);
    if (code == DET_OK)
        code = golden_compare(table, run, &rows, GOLDEN_MODE_BITS, &report, err);
    int moved = report.n || report.head[0] || report.numerics[0];
    if (code == DET_OK && moved)
        code = refuse_numerics(table, &report, options, err);
    if (code == DET_OK && moved)
        code = rewrite(table, run, &rows, options->reason, report.n, err);
    if (code == DET_OK && moved) {
        printf("%s: %d rows accepted\n", table->name, report.n);
        fflush(stdout);
        *accepted += 1;
    }
    golden_report_release(&report);
    golden_rows_release(&rows);
    return code;
}

static enum det_code accept_one(const char *name, const struct golden_options *options,
                                int *accepted, struct det_error *err)
{
    struct golden_table table;
    struct logged_run *run;
    enum det_code code = golden_run_table(name, options->threads, &table, &run, err);
    if (code == DET_OK)
        code = accept_run(&table, run, options, accepted, err);
    logged_run_close(run);
    golden_table_release(&table);
    return code;
}

static enum det_code accept_all(const struct golden_options *options, struct det_error *err)
{
    int accepted = 0;
    enum det_code code = check_reason(options->reason, err);
    interrupt_watch();
    for (int i = 0; i < options->n_names && code == DET_OK; i++)
        code = accept_one(options->names[i], options, &accepted, err);
    if (code == DET_OK && accepted == 0)
        code = det_fail(err, DET_INVALID, "nothing moved: nothing to accept");
    return code;
}

int golden_accept(int argc, char **argv, struct det_error *err)
{
    struct golden_options options;
    enum det_code code = golden_options_parse(
        argc, argv, "rtN",
        "Make the run of each table (all of golden/runs without a name) again and record its values "
        "in place of the old ones, with the reason. A table of which nothing moved stays as it "
        "is.\vA file with nothing but its first line and `set` lines is a new table. Exit status 0 "
        "where a table was rewritten, 2 where none was: nothing moved, or a value is not finite.",
        "runs", &options, err);
    if (code == DET_OK)
        code = accept_all(&options, err);
    golden_options_end(&options);
    return exit_status_of(code);
}
