/* detcheck report RUN... -o report.html */
#include "harness/foreign/foreign_options.h"
#include "harness/judge/judge.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/path_list.h"
#include "harness/report/plot.h"
#include "harness/report/report.h"
#include "harness/report/run_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct path_list runs;
    struct foreign_options foreign;
    const char *output;
    const char *plots;
    int no_plots;
};

enum { KEY_PLOTS = 256, KEY_NO_PLOTS };

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "the page (default report.html)", 0},
    {"plots", KEY_PLOTS, "DIR", 0, "folder for the plots (default: FILE without .html, _plots)", 0},
    {"no-plots", KEY_NO_PLOTS, NULL, 0, "a page without plots; gnuplot is not needed", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->foreign;
        return 0;
    case 'o':
        options->output = arg;
        return 0;
    case KEY_PLOTS:
        options->plots = options_folder(state, arg);
        return 0;
    case KEY_NO_PLOTS:
        options->no_plots = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->runs.n == PLOT_RUNS_MAX)
            argp_error(state, "more than %d runs on one page", PLOT_RUNS_MAX);
        path_list_add(&options->runs, arg, state);
        return 0;
    case ARGP_KEY_END:
        path_list_check(&options->runs, RUN_MISSING, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&foreign_options_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .children = children,
    .args_doc = "RUN...",
    .doc = "Write one self-contained HTML page about runs: verdicts, the runs side by side, plots, "
           "what differs between their configurations, environments. The table also goes to "
           "standard output.",
};

struct opened {
    struct logged_run *runs[PLOT_RUNS_MAX];
    struct verdict verdicts[PLOT_RUNS_MAX];
};

static enum det_code open_runs(const struct options *options, struct opened *opened,
                               struct det_error *err)
{
    for (int i = 0; i < options->runs.n; i++) {
        enum det_code code =
            foreign_open(options->runs.at[i], &options->foreign, &opened->runs[i], err);
        if (code != DET_OK)
            return code;
        struct judge_rules rules;
        judge_rules_of(opened->runs[i], &rules);
        judge_run(opened->runs[i], &rules, &opened->verdicts[i]);
    }
    return DET_OK;
}

static void default_plots(const char *output, char *out, size_t size)
{
    size_t length = strlen(output);
    if (length > 5 && strcmp(output + length - 5, ".html") == 0)
        length -= 5;
    snprintf(out, size, "%.*s_plots", (int)length, output);
}

static enum det_code write_report(const struct options *options, const struct opened *opened,
                                  struct det_error *err)
{
    const struct logged_run *const *runs = (const struct logged_run *const *)opened->runs;
    char plots[4000];
    enum det_code code = DET_OK;
    if (options->plots)
        snprintf(plots, sizeof plots, "%s", options->plots);
    else
        default_plots(options->output, plots, sizeof plots);
    if (!options->no_plots) {
        struct plot_run plotted[PLOT_RUNS_MAX];
        for (int i = 0; i < options->runs.n; i++)
            plotted[i] = (struct plot_run){opened->runs[i], -1};
        code = plot_runs(plotted, options->runs.n, plots, err);
    }
    if (code == DET_OK)
        code = report_write(runs, opened->verdicts, options->runs.n,
                            options->no_plots ? NULL : plots, options->output, err);
    return code == DET_OK ? run_table_print(stdout, runs, opened->verdicts, options->runs.n, err)
                          : code;
}

int cmd_report(int argc, char **argv, struct det_error *err)
{
    struct options options = {.output = "report.html"};
    struct opened opened = {0};
    options_parse(&parser, argc, argv, &options);
    enum det_code code = open_runs(&options, &opened, err);
    if (code == DET_OK)
        code = write_report(&options, &opened, err);
    for (int i = 0; i < options.runs.n; i++)
        logged_run_close(opened.runs[i]);
    free(options.runs.at);
    return exit_status_of(code);
}
