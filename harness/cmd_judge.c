/* detcheck judge RUN... */
#include "harness/foreign/foreign_options.h"
#include "harness/golden/envelope_judge.h"
#include "harness/golden/golden_names.h"
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
    const char *envelope_name;        /* NULL: none */
    const struct envelope *envelope;  /* NULL: none */
    int json;
};

static const struct argp_option option_table[] = {
    {"envelope", 'e', "NAME", 0, "hold the runs against this envelope as well: a file, or a name in golden/envelopes", 0},
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
    case 'e':
        options->envelope_name = arg;
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
    .doc = "Judge runs by their logs: healthy, collapsed, diverged, stalled, incomplete or off_golden, with "
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

static enum det_code judge_one(const char *path, const struct options *options,
                               struct verdict *verdict, struct det_error *err)
{
    struct logged_run *run;
    enum det_code code = foreign_open(path, &options->foreign, &run, err);
    if (code != DET_OK)
        return code;
    struct judge_rules rules;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, verdict);
    if (options->envelope)
        code = envelope_judge(options->envelope, run, verdict, err);
    logged_run_close(run);
    return code;
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
            judge_one(run, options, &verdict, status == STATUS_BAD_INPUT ? NULL : err);
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

static int judge(const struct options *options, struct det_error *err)
{
    struct json_text text = {0};
    json_text_begin(&text);
    json_text_open(&text, NULL, '[');
    int status = judge_all(options, &text, err);
    json_text_close(&text, ']');
    if (options->json && json_text_end(&text, err) != DET_OK)
        status = STATUS_BAD_INPUT;
    else if (options->json)
        fputs(text.data, stdout);
    json_text_release(&text);
    return status;
}

static int judge_by_envelope(struct options *options, struct det_error *err)
{
    char path[4096];
    struct envelope envelope;
    enum det_code code = golden_path("envelopes", options->envelope_name, path, sizeof path, err);
    if (code != DET_OK)
        return exit_status_of(code);
    code = envelope_read(path, &envelope, err);
    options->envelope = &envelope;
    int status = code == DET_OK ? judge(options, err) : exit_status_of(code);
    envelope_release(&envelope);
    return status;
}

int cmd_judge(int argc, char **argv, struct det_error *err)
{
    struct options options = {0};
    options_parse(&parser, argc, argv, &options);
    int status = options.envelope_name ? judge_by_envelope(&options, err) : judge(&options, err);
    free(options.runs.at);
    return status;
}
