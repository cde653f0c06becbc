#include "harness/foreign/foreign_options.h"

#include "harness/program/options.h"

#include <string.h>

enum {
    KEY_FORMAT = 512,
    KEY_MAP,
    KEY_TRUTH,
    KEY_RESULTS,
    KEY_STEPS,
    KEY_EPOCH_STEPS,
    KEY_SET,
    KEY_STRICT
};

static const struct argp_option format_table[] = {
    {NULL, 0, NULL, 0, "Logs of other trainers (docs/foreign_logs.md):", 1},
    {"format", KEY_FORMAT, "NAME", 0,
     "detcheck, detectron2, mmdetection3, mmdetection2, csv, jsonl or coco (default: told by the "
     "content)",
     1},
    {"map", KEY_MAP, "FILE", 0,
     "YAML that says what the columns of a CSV, or the keys of JSON lines, are", 1},
    {"gt", KEY_TRUTH, "FILE", 0, "COCO ground truth: the run is result files, or has --results", 1},
    {"results", KEY_RESULTS, "DIR", 0,
     "COCO result files, one a checkpoint, that belong to the log", 1},
    {"epoch-steps", KEY_EPOCH_STEPS, "N", 0,
     "steps of an epoch (mmdetection 2; default: the most that an epoch logged)", 1},
    {0},
};

static const struct argp_option judging_table[] = {
    {"steps", KEY_STEPS, "N", 0, "planned steps, which such logs do not say", 1},
    {"strict", KEY_STRICT, NULL, 0,
     "a run is not healthy where its log cannot tell whether detections reach judge.score", 1},
    {"set", KEY_SET, "judge.KEY=X", 0, "a rule of the judge, which such logs do not carry", 1},
    {0},
};

static void check_format(const char *arg, struct argp_state *state)
{
    int i = 0;
    while (foreign_formats[i] && strcmp(foreign_formats[i], arg) != 0)
        i++;
    if (!foreign_formats[i])
        argp_error(state,
                   "--format %s: want detcheck, detectron2, mmdetection3, mmdetection2, csv, jsonl "
                   "or coco",
                   arg);
}

static error_t take_format(int key, char *arg, struct argp_state *state)
{
    struct foreign_options *options = state->input;
    switch (key) {
    case KEY_FORMAT:
        check_format(arg, state);
        options->format = arg;
        return 0;
    case KEY_MAP:
        options->mapping = arg;
        return 0;
    case KEY_TRUTH:
        options->truth = arg;
        return 0;
    case KEY_RESULTS:
        options->results = arg;
        return 0;
    case KEY_EPOCH_STEPS:
        options->epoch_steps = options_number(state, "epoch-steps", arg, 1, 100000000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t take_judging(int key, char *arg, struct argp_state *state)
{
    struct foreign_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = options;
        return 0;
    case KEY_STEPS:
        options->steps = options_number(state, "steps", arg, 1, 100000000);
        return 0;
    case KEY_STRICT:
        options->strict = 1;
        return 0;
    case KEY_SET:
        if (options->n_sets == FOREIGN_SETS_MAX)
            argp_error(state, "--set %s: more than %d of them", arg, FOREIGN_SETS_MAX);
        options->sets[options->n_sets++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp foreign_format_parser = {.options = format_table, .parser = take_format};

static const struct argp_child children[] = {{&foreign_format_parser, 0, NULL, 0}, {0}};

const struct argp foreign_options_parser = {
    .options = judging_table, .parser = take_judging, .children = children};
