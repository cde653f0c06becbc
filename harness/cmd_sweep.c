/* detcheck sweep STUDY: many variants, many seeds, one table. */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"
#include "harness/program/options.h"
#include "harness/sweep/sweep.h"
#include "harness/sweep/sweep_table.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    const char *study;
    const char **settings; /* owned */
    size_t n_settings;
    const char *document;
    struct sweep_options sweep;
};

static const struct argp_option option_table[] = {
    {"set", 's', "KEY=VALUE", 0, "one key over every variant; may be repeated", 0},
    {"seeds", 'n', "N", 0, "seeds of every variant (default: as the study says)", 0},
    {"first-seed", 'f', "N", 0, "the first seed (default 1)", 0},
    {"jobs", 'j', "N", 0, "runs at a time, one thread each (default: as many as cores)", 0},
    {"reuse", 'r', NULL, 0, "take what DIR already holds: finished runs of the same configuration", 0},
    {"backend", 'b', "NAME", 0, "cpu (default) or cuda", 0},
    {"out", 'o', "DIR", 0, "folder of the runs (default runs/sweep)", 0},
    {"document", 'd', "FILE", 0, "write the table between the lines <!-- sweep STUDY --> and <!-- /sweep STUDY -->", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 's':
        options->settings[options->n_settings++] = arg;
        return 0;
    case 'n':
        options->sweep.seeds = (int)options_number(state, "seeds", arg, 1, 1000);
        return 0;
    case 'f':
        options->sweep.first_seed = (int)options_number(state, "first-seed", arg, 0, 1000000);
        return 0;
    case 'j':
        options->sweep.jobs = (int)options_number(state, "jobs", arg, 1, 256);
        return 0;
    case 'r':
        options->sweep.reuse = 1;
        return 0;
    case 'b':
        options->sweep.backend = arg;
        return 0;
    case 'o':
        options->sweep.folder = options_folder(state, arg);
        return 0;
    case 'd':
        options->document = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (options->study)
            argp_error(state, "%s: one study at a time", arg);
        options->study = arg;
        return 0;
    case ARGP_KEY_END:
        if (!options->study)
            argp_error(state, "no study given: a .yaml file, as in harness/studies");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .args_doc = "STUDY",
    .doc = "Train every variant of a study with every seed, judge them, print one table.\v"
           "Exit status 0 where every run ended as its variant expects, 1 where one did not.",
};

static enum det_code show(const struct options *options, const struct sweep_result *results, int n,
                          struct det_error *err)
{
    char *table = NULL;
    enum det_code code = sweep_table(options->sweep.study, results, n, &table, err);
    if (code == DET_OK && options->document)
        code = sweep_write_document(options->document, options->sweep.study->name, table, err);
    if (code == DET_OK)
        fputs(table, stdout);
    free(table);
    return code;
}

static int sweep(const struct options *options, struct det_error *err)
{
    int n = sweep_count(&options->sweep);
    struct sweep_result *results = calloc((size_t)n, sizeof *results);
    if (!results)
        return exit_status_of(det_fail(err, DET_NO_MEMORY, "results of %d runs", n));
    interrupt_watch();
    enum det_code code = sweep_run(&options->sweep, results, err);
    if (code == DET_OK)
        code = show(options, results, n, err);
    int status = exit_status_of(code);
    if (code == DET_OK && !sweep_as_expected(options->sweep.study, results, n, stdout))
        status = STATUS_FAILED;
    free(results);
    return status;
}

int cmd_sweep(int argc, char **argv, struct det_error *err)
{
    static const struct progress_options shown = {0};
    struct options options = {.sweep = {.folder = "runs/sweep", .backend = "cpu", .first_seed = 1,
                                        .progress = &shown}};
    struct study *study = calloc(1, sizeof *study);
    options.settings = calloc((size_t)argc, sizeof *options.settings);
    int status = STATUS_BAD_INPUT;
    if (!study || !options.settings) {
        det_fail(err, DET_NO_MEMORY, "no memory for the study");
    } else {
        options_parse(&parser, argc, argv, &options);
        options.sweep.study = study;
        if (study_read(options.study, options.settings, options.n_settings, study, err) == DET_OK)
            status = sweep(&options, err);
    }
    free(options.settings);
    free(study);
    return status;
}
