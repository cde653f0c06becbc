/* detcheck trace: steps of a run, recorded whole, for `detcheck compare --teacher-forced`. */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/training_options.h"
#include "harness/teacher/teacher.h"

#include <stdio.h>

struct options {
    struct training_options training;
    struct teacher_steps steps;
};

static const struct argp_option option_table[] = {
    {"steps", 'n', "N", 0, "steps to record (default: all of the run)", 0},
    {"every", 'e', "K", 0, "record every K-th step of the run (default 1)", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->training;
        return 0;
    case 'n':
        options->steps.n = options_number(state, "steps", arg, 1, 100000000);
        return 0;
    case 'e':
        options->steps.every = options_number(state, "every", arg, 1, 100000000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&training_options_argp, 0, NULL, 0}, {0}};

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .children = children,
    .doc = "Train from the start and record steps whole: the state before and after, losses, every "
           "gradient, every discrete decision and what it hung on. Another build, BLAS core or "
           "precision then repeats them with `detcheck compare --teacher-forced DIR`.\v"
           "DIR (default runs/trace) receives config.yaml and a file a step, of about five times "
           "the size of the weights.",
};

int cmd_trace(int argc, char **argv, struct det_error *err)
{
    struct options options = {.steps = {.n = 0, .every = 1}};
    struct det_config config;
    enum det_code code = training_options_begin(&options.training, argc, "runs/trace", err);
    if (code != DET_OK)
        return exit_status_of(code);
    options_parse(&parser, argc, argv, &options);
    code = training_options_config(&options.training, &config, err);
    if (code == DET_OK)
        code = teacher_trace(&config, options.training.backend, options.training.folder,
                             &options.steps, err);
    if (code == DET_OK)
        printf("%s: recorded\n", options.training.folder);
    training_options_end(&options.training);
    return exit_status_of(code);
}
