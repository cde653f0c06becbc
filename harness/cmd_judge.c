/* detcheck judge RUN... */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/log/json_text.h"
#include "harness/judge/judge.h"
#include "harness/program/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    const char **runs; /* room for argc of them */
    int n_runs;
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
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        options->runs[options->n_runs++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->n_runs == 0)
            argp_error(state, "no run given: a folder, or its log.jsonl");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .args_doc = "RUN...",
    .doc = "Judge runs by their logs: healthy, collapsed, diverged, stalled or incomplete, with "
           "the rule, the first bad step and the numbers. The rules are the judge.* keys of each "
           "run's own configuration.\vExit status 0 where all are healthy, 1 where one is not, 2 "
           "where one cannot be read.",
};

static void print_line(const char *run, const struct verdict *verdict)
{
    verdict_print(stdout, run, verdict);
    for (int i = 0; i < verdict->n_warnings; i++)
        printf("%s: warning (%s) at step %" PRId64 ": %s\n", run, verdict->warnings[i].rule,
               verdict->warnings[i].step, verdict->warnings[i].why);
}

static void put_json(struct json_text *text, const char *run, const struct verdict *verdict)
{
    json_text_open(text, NULL, '{');
    json_text_string(text, "run", run);
    verdict_put_json(text, verdict);
    json_text_close(text, '}');
}

/* Judges all, so that one unreadable run does not hide the others' verdicts; the first error stays
 * in err. */
static int judge_all(const struct options *options, struct json_text *text, struct det_error *err)
{
    int status = STATUS_GOOD;
    for (int i = 0; i < options->n_runs; i++) {
        struct verdict verdict;
        enum det_code code =
            judge_log(options->runs[i], &verdict, status == STATUS_BAD_INPUT ? NULL : err);
        if (code != DET_OK) {
            status = STATUS_BAD_INPUT;
            continue;
        }
        if (status != STATUS_BAD_INPUT && verdict_status(verdict.kind) != 0)
            status = STATUS_FAILED;
        if (options->json)
            put_json(text, options->runs[i], &verdict);
        else
            print_line(options->runs[i], &verdict);
    }
    return status;
}

int cmd_judge(int argc, char **argv, struct det_error *err)
{
    struct options options = {.runs = calloc((size_t)argc, sizeof *options.runs)};
    if (!options.runs)
        return exit_status_of(det_fail(err, DET_NO_MEMORY, "no memory for the options"));
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
    free(options.runs);
    return status;
}
