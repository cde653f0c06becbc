/* The text of a table: what is written reads back to the same bits; damage is named by line. */
#include "suites/golden/made_table.h"

static struct made_table t;

static void start(void)
{
    made_table_start(&t);
}

static void stop(void)
{
    made_table_drop(&t);
}

TestSuite(recorded, .init = start, .fini = stop);

static void expect_refused(const char *what, const char *words)
{
    struct det_error err = {0};
    struct golden_table table;
    enum det_code code = golden_table_read(t.path, &table, &err);
    cr_expect_eq(code, DET_INVALID, "%s: read", what);
    cr_expect(strstr(err.message, t.path), "%s: no path in: %s", what, err.message);
    cr_expect(strstr(err.message, words), "%s: no \"%s\" in: %s", what, words, err.message);
    golden_table_release(&table);
}

Test(recorded, values_read_back_to_the_same_bits)
{
    struct det_error err = {0};
    struct golden_table table;
    struct golden_rows rows;
    struct logged_run *run = made_read(&t.made);
    must(golden_select(run, &rows, &err), &err);
    must(golden_table_read(t.path, &table, &err), &err);
    cr_assert_eq(table.rows.n, rows.n, "%d rows, want %d", table.rows.n, rows.n);
    cr_expect_str_eq(table.name, "table");
    for (int i = 0; i < rows.n; i++) {
        const struct golden_row *got = &table.rows.at[i], *want = &rows.at[i];
        cr_expect_str_eq(got->metric, want->metric);
        cr_expect_eq(got->step, want->step);
        cr_expect_eq(got->value.null, want->value.null, "%s", want->metric);
        cr_expect_eq(memcmp(&got->value.number, &want->value.number, sizeof(double)), 0,
                     "%s at step %lld: %.17g, want %.17g", want->metric, (long long)want->step,
                     got->value.number, want->value.number);
        cr_expect_eq(got->value.hash, want->value.hash);
        cr_expect_eq(got->tolerance.kind, want->tolerance.kind);
        cr_expect_eq(got->tolerance.size, want->tolerance.size);
        cr_expect_str_eq(got->why, want->why);
    }
    golden_table_release(&table);
    golden_rows_release(&rows);
    logged_run_close(run);
}

Test(recorded, the_rows_are_few_and_spread)
{
    struct det_error err = {0};
    struct golden_rows rows;
    struct logged_run *run = made_read(&t.made);
    must(golden_select(run, &rows, &err), &err);
    cr_expect_leq(rows.n, 140, "%d rows of a run of 300 steps", rows.n);
    int64_t last = 0;
    for (int i = 0; i < rows.n; i++) {
        cr_expect_geq(rows.at[i].step, last, "row %d is earlier than the one before", i);
        last = rows.at[i].step;
    }
    cr_expect_eq(last, MADE_STEPS, "the last evaluation is missing");
    golden_rows_release(&rows);
    logged_run_close(run);
}

/* A share that a run has none of is a value: null equals null, and nothing else. */
Test(recorded, null_is_a_value)
{
    t.made.evals[MADE_EVALS - 1].box_ap = RUN_LOG_NONE;
    made_write(&t.made);
    made_table_record(&t);
    struct golden_report report = made_table_compare(&t);
    cr_expect(golden_holds(&report));
    golden_report_release(&report);
    t.made.evals[MADE_EVALS - 1].box_ap = 0;
    report = made_table_compare(&t);
    cr_expect_eq(report.n, 1);
    golden_report_release(&report);
}

Test(recorded, damage_is_named)
{
    static const struct {
        const char *what, *from, *to, *words;
    } cases[] = {
        {"another title", "detcheck golden run 1", "detcheck golden run 2", ":1: "},
        {"an unknown key", "dataset: ", "datasets: ", "unknown key"},
        {"no key", "dataset: ", "dataset ", "key: value"},
        {"an unknown setting", "set: data=", "set: dat=", "dat"},
        {"threads", "set: data=lookalike", "set: threads=2", "threads"},
        {"a step that is none", "| 10 ", "| 1O ", "no value of its column"},
        {"a negative step", "| 10 ", "| -1 ", "no value of its column"},
        {"a value that is none", "| 16 ", "| 16x ", "no value of its column"},
        {"a tolerance that is none", "| exact ", "| exactly ", "no value of its column"},
        {"a tolerance below zero", "| rel 0.0001", "| rel -1", "no value of its column"},
        {"a tolerance without end", "| rel 0.0001", "| rel inf", "no value of its column"},
        {"a column too few", "| exact ", "", "cut short"},
        {"a column too many", "| exact ", "| exact | x ", "cut short"},
        {"other titles", "| tolerance ", "| tolerances ", "title"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        made_table_record(&t);
        made_table_edit(&t, cases[i].from, cases[i].to);
        expect_refused(cases[i].what, cases[i].words);
    }
}

/* Cut anywhere: either it cannot be read, or rows are missing. */
Test(recorded, a_file_cut_short_never_holds)
{
    char *text = NULL;
    size_t size;
    struct det_error err = {0};
    must(det_file_read(t.path, &text, &size, &err), &err);
    for (size_t keep = 0; keep < size; keep += 97) {
        struct golden_table table;
        must(det_file_write(t.path, text, keep, &err), &err);
        enum det_code code = golden_table_read(t.path, &table, &err);
        golden_table_release(&table);
        if (code != DET_OK)
            continue;
        struct golden_report report = made_table_compare(&t);
        cr_expect_not(golden_holds(&report), "holds with %zu of %zu bytes", keep, size);
        golden_report_release(&report);
    }
    free(text);
}

Test(recorded, no_file_and_no_text)
{
    struct det_error err = {0};
    struct golden_table table;
    cr_expect_eq(golden_table_read("/nowhere/table.txt", &table, &err), DET_IO);
    golden_table_release(&table);
    must(det_file_write(t.path, "", 0, &err), &err);
    expect_refused("an empty file", "not a text");
    must(det_file_write(t.path, "a\0b\n", 4, &err), &err);
    expect_refused("a file with a NUL", "not a text");
}
