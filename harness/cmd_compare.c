/* detcheck compare RUN_A RUN_B */
#include "harness/cmd_compare_teacher.h"
#include "harness/compare/compare.h"
#include "harness/foreign/foreign_options.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    struct compare_options compare;
    struct foreign_options foreign;
    const char *runs[2];
    int n_runs;
    int json;
};

static const struct argp_option option_table[] = {
    {"tolerance", 't', "SHARE", 0, "relative difference that counts as equal (default 0: bits)", 0},
    {"absolute", 'a', "VALUE", 0, "absolute difference that counts as equal (default 0)", 0},
    {"steps", 'n', "N", 0, "compare the first N steps only", 0},
    {"json", 'j', NULL, 0, "the answer as one JSON object", 0},
    {0},
};

static double number(struct argp_state *state, const char *what, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0))
        argp_error(state, "--%s %s: not a number of 0 or more", what, text);
    return value;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->foreign;
        return 0;
    case 't':
        options->compare.relative = number(state, "tolerance", arg);
        return 0;
    case 'a':
        options->compare.absolute = number(state, "absolute", arg);
        return 0;
    case 'n':
        options->compare.steps = (int64_t)number(state, "steps", arg);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->n_runs == 2)
            argp_error(state, "%s: a third run; compare takes two", arg);
        options->runs[options->n_runs++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->n_runs < 2)
            argp_error(state, "two runs are needed: folders, or their log.jsonl");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&foreign_format_parser, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .children = children,
    .args_doc = "RUN_A RUN_B",
    .doc = "Compare two run logs step by step: which metric differs first, at which step, by how "
           "much, and which part of the loss moved first. Speed is not compared; NaN equals "
           "nothing.\vExit status 0 where the runs are equal, 1 where they are not. For what is not equal "
           "to the bit by contract (another compiler, BLAS core, backend, precision) see `detcheck "
           "compare --teacher-forced --help`.",
};

static enum det_code compare_opened(const struct options *options, const struct logged_run *a,
                                    const struct logged_run *b, int *equal, struct det_error *err)
{
    struct comparison comparison;
    enum det_code code = compare_runs(a, b, &options->compare, &comparison, err);
    if (code == DET_OK) {
        *equal = compare_equal(&comparison);
        code = options->json ? compare_print_json(stdout, a, b, &comparison, err)
                             : compare_print(stdout, a, b, &options->compare, &comparison, err);
    }
    compare_release(&comparison);
    return code;
}

int cmd_compare(int argc, char **argv, struct det_error *err)
{
    struct options options = {0};
    if (cmd_compare_teacher_wanted(argc, argv))
        return cmd_compare_teacher(argc, argv, err);
    options_parse(&parser, argc, argv, &options);
    struct logged_run *a = NULL, *b = NULL;
    int equal = 0;
    enum det_code code = foreign_open(options.runs[0], &options.foreign, &a, err);
    if (code == DET_OK)
        code = foreign_open(options.runs[1], &options.foreign, &b, err);
    if (code == DET_OK)
        code = compare_opened(&options, a, b, &equal, err);
    logged_run_close(a);
    logged_run_close(b);
    if (code != DET_OK)
        return exit_status_of(code);
    return equal ? STATUS_GOOD : STATUS_FAILED;
}
