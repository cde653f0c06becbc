/* detcheck golden check and diff: the run of a table made again, and compared. */
#include "harness/golden/golden_commands.h"
#include "harness/golden/golden_options.h"
#include "harness/golden/golden_print.h"
#include "harness/golden/golden_select.h"
#include "harness/golden/golden_run.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"

struct checked { /* how a subcommand judges and prints */
    int bits;    /* compare to the bit, whatever the numerics */
    enum det_code (*print)(FILE *to, const char *name, const struct golden_report *report,
                           struct det_error *err);
};

static enum det_code compare_and_print(const struct checked *how, const struct golden_table *table,
                                       const struct logged_run *run, int *holds,
                                       struct det_error *err)
{
    struct golden_rows rows;
    struct golden_report report;
    char ignored[1];
    enum golden_mode mode =
        how->bits ? GOLDEN_MODE_BITS : golden_mode_of(table, run, ignored, sizeof ignored);
    enum det_code code = golden_select(run, &rows, err);
    if (code == DET_OK) {
        code = golden_compare(table, run, &rows, mode, &report, err);
        if (code == DET_OK)
            code = how->print(stdout, table->name, &report, err);
        *holds = code == DET_OK && golden_holds(&report);
        golden_report_release(&report);
    }
    golden_rows_release(&rows);
    return code;
}

static enum det_code check_one(const struct checked *how, const char *name, int threads, int *holds,
                               struct det_error *err)
{
    struct golden_table table;
    struct logged_run *run;
    enum det_code code = golden_run_table(name, threads, &table, &run, err);
    if (code == DET_OK)
        code = compare_and_print(how, &table, run, holds, err);
    fflush(stdout);
    logged_run_close(run);
    golden_table_release(&table);
    return code;
}

/* All of them, also after one that fails: the whole answer in one go. */
static int check_all(const struct checked *how, const struct golden_options *options,
                     struct det_error *err)
{
    int status = STATUS_GOOD;
    interrupt_watch();
    for (int i = 0; i < options->n_names; i++) {
        int holds = 0;
        enum det_code code = check_one(how, options->names[i], options->threads, &holds, err);
        if (code != DET_OK)
            return exit_status_of(code);
        if (!holds)
            status = STATUS_FAILED;
    }
    return status;
}

static int check(const struct checked *how, int argc, char **argv, const char *doc,
                 struct det_error *err)
{
    struct golden_options options;
    enum det_code code = golden_options_parse(argc, argv, "t", doc, "runs", &options, err);
    int status = code == DET_OK ? check_all(how, &options, err) : exit_status_of(code);
    golden_options_end(&options);
    return status;
}

int golden_check(int argc, char **argv, struct det_error *err)
{
    static const struct checked how = {0, golden_print_check};
    return check(&how, argc, argv,
                 "Make the run of each table (all of golden/runs without a name) again and compare: "
                 "to the bit where the numerics are the table's, by each row's tolerance "
                 "otherwise.\vExit status 0 where all hold, 1 where one does not, 2 where a table "
                 "cannot be read.",
                 err);
}

int golden_diff(int argc, char **argv, struct det_error *err)
{
    static const struct checked how = {1, golden_print_diff};
    return check(&how, argc, argv,
                 "Make the run of each table (all of golden/runs without a name) again and show "
                 "which rows moved in any bit, by how much (absolute, relative, ulp), and which "
                 "part of the loss moved first.\vExit status 0 where nothing moved, 1 where "
                 "something did, 2 where a table cannot be read.",
                 err);
}
