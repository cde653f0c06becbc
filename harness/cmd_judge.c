/* detcheck judge RUN... */
#include "harness/foreign/foreign_options.h"
#include "harness/judge/judge.h"
#include "harness/log/json_text.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/path_list.h"

#include <stdio.h>
#include <stdlib.h>

struct options {
    struct path_list runs;
    struct foreign_options foreign;
    int json;
};

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0, "a list of verdicts as JSON", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->foreign;
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
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
    .doc = "Judge runs by their logs: healthy, collapsed, diverged, stalled or incomplete, with "
           "the rule, the first bad step and the numbers. The rules are the judge.* keys of each "
           "run's own configuration. Other trainers' logs are judged by the rules that they hold "
           "enough for.\vExit status 0 where all are healthy, 1 where one is not, 2 "
           "where one cannot be read.",
};

static void put_json(struct json_text *text, const char *run, const struct verdict *verdict)
{
    json_text_open(text, NULL, '{');
    json_text_string(text, "run", run);
    verdict_put_json(text, verdict);
    json_text_close(text, '}');
}

static enum det_code judge_one(const char *path, const struct foreign_options *options,
                               struct verdict *verdict, struct det_error *err)
{
    struct logged_run *run;
    enum det_code code = foreign_open(path, options, &run, err);
    if (code != DET_OK)
        return code;
    struct judge_rules rules;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, verdict);
    logged_run_close(run);
    return DET_OK;
}

/* Judges all, so that one unreadable run does not hide the others' verdicts; the first error stays
 * in err. */
static int judge_all(const struct options *options, struct json_text *text, struct det_error *err)
{
    int status = STATUS_GOOD;
    for (int i = 0; i < options->runs.n; i++) {
        const char *run = options->runs.at[i];
        struct verdict verdict;
        enum det_code code =
            judge_one(run, &options->foreign, &verdict, status == STATUS_BAD_INPUT ? NULL : err);
        if (code != DET_OK) {
            status = STATUS_BAD_INPUT;
            continue;
        }
        if (status != STATUS_BAD_INPUT && verdict_status(verdict.kind) != 0)
            status = STATUS_FAILED;
        if (options->json) {
            put_json(text, run, &verdict);
        } else {
            verdict_print(stdout, run, &verdict);
            verdict_print_warnings(stdout, run, &verdict);
        }
    }
    return status;
}

int cmd_judge(int argc, char **argv, struct det_error *err)
{
    struct options options = {0};
    options_parse(&parser, argc, argv, &options);
    struct json_text text = {0};
    json_text_begin(&text);
    json_text_open(&text, NULL, '[');
    int status = judge_all(&options, &text, err);
    json_text_close(&text, ']');
    if (options.json && json_text_end(&text, err) != DET_OK)
        status = STATUS_BAD_INPUT;
    else if (options.json)
        fputs(text.data, stdout);
    json_text_release(&text);
    free(options.runs.at);
    return status;
}
