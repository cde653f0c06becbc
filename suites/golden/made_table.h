/* A made table and the run that it was made of, to be bent by a test. */
#ifndef SUITES_GOLDEN_MADE_TABLE_H
#define SUITES_GOLDEN_MADE_TABLE_H

#include "detector/base/file.h"
#include "harness/golden/golden_compare.h"
#include "harness/golden/golden_config.h"
#include "harness/golden/golden_numerics.h"
#include "harness/golden/golden_select.h"
#include "suites/made_log.h"

#include <inttypes.h>

struct made_table {
    struct made made; /* write after bending: made_write */
    char path[128];   /* of the table's file */
    struct golden_table table;
};

static inline void must(enum det_code code, const struct det_error *err)
{
    cr_assert_eq(code, DET_OK, "%s", err->message);
}

/* Record the rows of the made run in t->path, as `accept` would. */
static inline void made_table_record(struct made_table *t)
{
    static const char head[] = "detcheck golden run 1\nset: data=lookalike\n";
    struct det_error err = {0};
    struct golden_rows rows;
    char text[GOLDEN_NUMERICS_MAX];
    struct logged_run *run = made_read(&t->made);
    must(det_file_write(t->path, head, strlen(head), &err), &err);
    must(golden_table_read(t->path, &t->table, &err), &err);
    must(golden_select(run, &rows, &err), &err);
    must(golden_table_put_rows(&t->table, &rows, &err), &err);
    golden_numerics_of(run, text);
    must(golden_file_set(&t->table.file, "numerics", text, &err), &err);
    snprintf(text, sizeof text, "%016" PRIx64, run->dataset_checksum);
    must(golden_file_set(&t->table.file, "dataset", text, &err), &err);
    must(golden_config_record(&t->table.file, &t->table.config, 0, &err), &err);
    must(golden_file_write(&t->table.file, &err), &err);
    golden_table_release(&t->table);
    golden_rows_release(&rows);
    logged_run_close(run);
}

static inline void made_table_start(struct made_table *t)
{
    made_start(&t->made, "golden", 3);
    made_path(&t->made, "table.txt", t->path);
    made_write(&t->made);
    made_table_record(t);
}

/* Replace the first `from` in the table's file by `to`; what is not there cannot be replaced. */
static inline void made_table_edit(const struct made_table *t, const char *from, const char *to)
{
    char *text = NULL, *whole = NULL;
    size_t size;
    struct det_error err = {0};
    must(det_file_read(t->path, &text, &size, &err), &err);
    char *at = strstr(text, from);
    cr_assert_not_null(at, "no \"%s\" in the table", from);
    int length = asprintf(&whole, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    must(det_file_write(t->path, whole, (size_t)length, &err), &err);
    free(whole);
    free(text);
}

/* The whole line that begins with `from`, with its newline, into out. */
static inline void made_table_line(const struct made_table *t, const char *from, char *out,
                                   size_t size)
{
    char *text = NULL;
    size_t length;
    struct det_error err = {0};
    must(det_file_read(t->path, &text, &length, &err), &err);
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "no \"%s\" in the table", from);
    snprintf(out, size, "%.*s", (int)(strchr(at, '\n') + 1 - at), at);
    free(text);
}

/* The table's file against the made run as it stands now. */
static inline struct golden_report made_table_compare(struct made_table *t)
{
    struct det_error err = {0};
    struct golden_rows rows;
    struct golden_report report;
    char ignored[1];
    made_write(&t->made);
    struct logged_run *run = made_read(&t->made);
    must(golden_table_read(t->path, &t->table, &err), &err);
    must(golden_select(run, &rows, &err), &err);
    enum golden_mode mode = golden_mode_of(&t->table, run, ignored, sizeof ignored);
    must(golden_compare(&t->table, run, &rows, mode, &report, &err), &err);
    golden_rows_release(&rows);
    golden_table_release(&t->table);
    logged_run_close(run);
    return report;
}

static inline void made_table_drop(const struct made_table *t)
{
    made_remove(&t->made);
}

#endif
