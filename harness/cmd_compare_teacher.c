/* detcheck compare --teacher-forced TRACE, or --teacher-forced --backends A,B. */
#include "harness/cmd_compare_teacher.h"

#include "harness/program/config_file.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/training_options.h"
#include "harness/teacher/teacher.h"
#include "harness/teacher/teacher_print.h"

#include <stdio.h>
#include <string.h>

#define SIDE_SIZE 48

struct options {
    struct training_options training;
    struct teacher_steps steps;
    const char *trace, *tolerances;
    char sides[2][SIDE_SIZE]; /* NAME[:PRECISION]; empty: a trace */
    int flips, json;
};

enum { KEY_TEACHER = 1000, KEY_BACKENDS, KEY_TOLERANCES, KEY_FLIPS };

static const struct argp_option option_table[] = {
    {"teacher-forced", KEY_TEACHER, NULL, 0, "every step starts from the teacher's state", 0},
    {"backends", KEY_BACKENDS, "A,B", 0, "teacher and pupil in this process, NAME[:PRECISION] each: cpu,cuda or cpu,cpu:bf16", 0},
    {"tolerances", KEY_TOLERANCES, "FILE", 0, "a table like golden/teacher/tolerances.txt in place of that", 0},
    {"steps", 'n', "N", 0, "compare the first N recorded steps only", 0},
    {"every", 'e', "K", 0, "with --backends: compare every K-th step of the run", 0},
    {"flips", KEY_FLIPS, NULL, 0, "tell every flip, also those within their limits", 0},
    {"json", 'j', NULL, 0, "the answer as one JSON object", 0},
    {0},
};

static void take_backends(struct argp_state *state, struct options *options, const char *arg)
{
    const char *comma = strchr(arg, ',');
    if (!comma || comma == arg || !comma[1] || strchr(comma + 1, ',') ||
        comma - arg >= SIDE_SIZE || strlen(comma + 1) >= SIDE_SIZE)
        argp_error(state, "--backends %s: not two names, as in cpu,cuda", arg);
    snprintf(options->sides[0], SIDE_SIZE, "%.*s", (int)(comma - arg), arg);
    snprintf(options->sides[1], SIDE_SIZE, "%s", comma + 1);
}

static void check(struct argp_state *state, const struct options *options)
{
    if (!options->sides[0][0] && !options->trace)
        argp_error(state, "--teacher-forced needs a folder that `detcheck trace` wrote, or --backends");
    if (options->sides[0][0] && options->trace)
        argp_error(state, "%s: a trace and --backends exclude one another", options->trace);
    if (options->trace && options->training.config_path)
        argp_error(state, "--config: a trace has its own config.yaml; --set changes single keys");
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->training;
        return 0;
    case KEY_TEACHER:
        return 0;
    case KEY_BACKENDS:
        take_backends(state, options, arg);
        return 0;
    case KEY_TOLERANCES:
        options->tolerances = arg;
        return 0;
    case KEY_FLIPS:
        options->flips = 1;
        return 0;
    case 'n':
        options->steps.n = options_number(state, "steps", arg, 1, 100000000);
        return 0;
    case 'e':
        options->steps.every = options_number(state, "every", arg, 1, 100000000);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->trace)
            argp_error(state, "%s: a second trace; one is compared at a time", arg);
        options->trace = arg;
        return 0;
    case ARGP_KEY_END:
        check(state, options);
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
    .args_doc = "--teacher-forced TRACE\n--teacher-forced --backends A,B",
    .doc = "Make every step of a run a second time, from the teacher's state and with its discrete "
           "decisions: losses, gradients and updates within tolerance, every decision that falls to "
           "the other side within its margin of a tie.\v"
           "Exit status 0 where all steps agree, 1 where one does not, 77 where a backend cannot "
           "run here.",
};

/* NAME[:PRECISION] as a side: the configuration with that precision, the name cut off. */
static enum det_code resolve_side(const struct options *options, int i,
                                  const struct det_config *common, char name[SIDE_SIZE],
                                  struct det_config *config, struct teacher_side *side,
                                  struct det_error *err)
{
    const char *colon = strchr(options->sides[i], ':');
    char setting[SIDE_SIZE + 32];
    const char *settings[] = {setting};
    size_t length = colon ? (size_t)(colon - options->sides[i]) : strlen(options->sides[i]);
    snprintf(name, SIDE_SIZE, "%.*s", (int)length, options->sides[i]);
    *config = *common;
    *side = (struct teacher_side){config, name};
    if (!colon)
        return DET_OK;
    snprintf(setting, sizeof setting, "model.precision=%s", colon + 1);
    return config_override(config, "--backends", settings, 1, err);
}

static enum det_code compare_backends(const struct options *options, struct teacher_report *report,
                                      struct det_error *err)
{
    struct det_config common, configs[2];
    char names[2][SIDE_SIZE];
    struct teacher_side sides[2];
    enum det_code code = training_options_config(&options->training, &common, err);
    for (int i = 0; i < 2 && code == DET_OK; i++)
        code = resolve_side(options, i, &common, names[i], &configs[i], &sides[i], err);
    return code == DET_OK ? teacher_compare_live(&sides[0], &sides[1], options->tolerances,
                                                 &options->steps, report, err)
                          : code;
}

static enum det_code compare_trace(struct options *options, struct teacher_report *report,
                                   struct det_error *err)
{
    char path[4096];
    struct det_config config;
    struct teacher_side pupil = {&config, options->training.backend};
    snprintf(path, sizeof path, "%s/config.yaml", options->trace);
    options->training.config_path = path;
    enum det_code code = training_options_config(&options->training, &config, err);
    return code == DET_OK ? teacher_compare_trace(options->trace, &pupil, options->tolerances,
                                                  &options->steps, report, err)
                          : code;
}

int cmd_compare_teacher_wanted(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "--teacher-forced", 16) || !strncmp(argv[i], "--backends", 10))
            return 1;
    return 0;
}

int cmd_compare_teacher(int argc, char **argv, struct det_error *err)
{
    struct options options = {.steps = {.n = 0, .every = 1}};
    struct teacher_report report = {.n = 0};
    int passes = 0;
    enum det_code code = training_options_begin(&options.training, argc, "", err);
    if (code != DET_OK)
        return exit_status_of(code);
    options_parse(&parser, argc, argv, &options);
    code = options.trace ? compare_trace(&options, &report, err)
                         : compare_backends(&options, &report, err);
    if (code == DET_OK) {
        passes = teacher_report_passes(&report);
        code = options.json ? teacher_print_json(stdout, &report, err)
                            : teacher_print(stdout, &report, options.flips, err);
    }
    teacher_report_release(&report);
    training_options_end(&options.training);
    if (code != DET_OK)
        return exit_status_of(code);
    return passes ? STATUS_GOOD : STATUS_FAILED;
}
