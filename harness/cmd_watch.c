/* detcheck watch LOG */
#include "harness/foreign/foreign_options.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/watch/watch.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_ONCE = 256, KEY_TIMEOUT, KEY_IDLE, KEY_INTERVAL };

static const struct argp_option option_table[] = {
    {"once", KEY_ONCE, NULL, 0, "look once: how does it stand?", 0},
    {"idle", KEY_IDLE, "SECONDS", 0,
     "the run has ended when nothing was logged for so long (default 1800)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "stop after so long, with status 1 (default: never)", 0},
    {"interval", KEY_INTERVAL, "SECONDS", 0, "between looks (default 1)", 0},
    {0},
};

static double seconds(const char *name, const char *arg, const struct argp_state *state)
{
    char *end;
    double value = strtod(arg, &end);
    if (end == arg || *end || !(value >= 0.01 && value <= 1e8))
        argp_error(state, "--%s %s: not a number of seconds from 0.01 on", name, arg);
    return value;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct watch_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->foreign;
        return 0;
    case KEY_ONCE:
        options->once = 1;
        return 0;
    case KEY_TIMEOUT:
        options->timeout = seconds("timeout", arg, state);
        return 0;
    case KEY_IDLE:
        options->idle = seconds("idle", arg, state);
        return 0;
    case KEY_INTERVAL:
        options->interval = seconds("interval", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (options->path)
            argp_error(state, "%s: a second log; watch follows one", arg);
        options->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!options->path)
            argp_error(state, "no log given: a file, or the folder of a run");
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
    .args_doc = "LOG",
    .doc =
        "Follow a log while it is written, and end at the first step of a collapse, divergence or "
        "standstill that is certain. A collapse is, once the run is past judge.after of its "
        "planned steps: give --steps where the log does not say them. The log need not be there "
        "yet.\vExit status 0 where the run ends healthy, or with --once where nothing is wrong so "
        "far; 1 where it is not, or the time is up; 2 where the log cannot be read.",
};

int cmd_watch(int argc, char **argv, struct det_error *err)
{
    struct watch_options options = {.interval = 1, .idle = 1800, .foreign.growing = 1};
    enum watch_end end;
    struct verdict verdict;
    options_parse(&parser, argc, argv, &options);
    enum det_code code = watch_log(&options, stdout, &end, &verdict, err);
    if (code != DET_OK)
        return STATUS_BAD_INPUT;
    if (end == WATCH_RUNNING)
        return options.once ? STATUS_GOOD : STATUS_FAILED;
    verdict_print(stdout, options.path, &verdict);
    verdict_print_warnings(stdout, options.path, &verdict);
    return verdict_status(verdict.kind);
}
