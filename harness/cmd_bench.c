/* detcheck bench: how long a training step takes, and an inference pass. */
#include "harness/log/json_text.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"
#include "harness/program/training_options.h"
#include "harness/training/bench.h"

#include <stdio.h>

struct options {
    struct training_options training;
    int steps, json;
};

static const struct argp_option option_table[] = {
    {"steps", 'n', "N", 0, "training steps and inference passes to time (default 50)", 0},
    {"json", 'j', NULL, 0, "the figures as JSON", 0},
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
        options->steps = (int)options_number(state, "steps", arg, 1, 100000);
        return 0;
    case 'j':
        options->json = 1;
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
    .doc = "Time the training step (zero gradients, forward, backward, clip, update) and the "
           "inference pass of a configuration, after a warm-up; medians with minimum and maximum. "
           "Loading images is timed apart. --out is not used.",
};

static void print_row(const char *what, const struct spread *times)
{
    printf("%-16s %9.3f %9.3f %9.3f\n", what, 1e3 * times->median, 1e3 * times->least,
           1e3 * times->most);
}

static void print_text(const struct det_config *config, const struct bench_result *result)
{
    printf("%s, batch %lld, %d x %d pixels, %lld parameters, %zu bytes planned, %d threads, %s\n\n",
           config->data, (long long)config->train_batch_size, result->width, result->height,
           (long long)result->parameters, result->memory, result->threads, result->blas_core);
    printf("%-16s %9s %9s %9s\n", "milliseconds", "median", "least", "most");
    print_row("training step", &result->step);
    print_row("inference pass", &result->inference);
    print_row("loading a batch", &result->loading);
    printf("\nmean positives a step: %.1f anchors, %.1f RoIs\n", result->rpn_positives,
           result->roi_positives);
}

static void put_times(struct json_text *text, const char *key, const struct spread *times)
{
    json_text_open(text, key, '{');
    json_text_number(text, "median", times->median);
    json_text_number(text, "least", times->least);
    json_text_number(text, "most", times->most);
    json_text_close(text, '}');
}

static enum det_code print_json(const struct bench_result *result, struct det_error *err)
{
    struct json_text text = {0};
    json_text_begin(&text);
    json_text_open(&text, NULL, '{');
    put_times(&text, "training_step", &result->step);
    put_times(&text, "inference_pass", &result->inference);
    put_times(&text, "loading", &result->loading);
    json_text_int(&text, "memory_planned", (int64_t)result->memory);
    json_text_int(&text, "parameters", result->parameters);
    json_text_int(&text, "threads", result->threads);
    json_text_string(&text, "blas_core", result->blas_core);
    json_text_close(&text, '}');
    enum det_code code = json_text_end(&text, err);
    if (code == DET_OK)
        fputs(text.data, stdout);
    json_text_release(&text);
    return code;
}

static int bench(const struct options *options, struct det_error *err)
{
    struct det_config config;
    struct bench_result result;
    enum det_code code = training_options_config(&options->training, &config, err);
    if (code == DET_OK)
        code = bench_run(&config, options->training.backend, options->steps, &result, err);
    if (code == DET_OK && options->json)
        code = print_json(&result, err);
    else if (code == DET_OK)
        print_text(&config, &result);
    return exit_status_of(code);
}

int cmd_bench(int argc, char **argv, struct det_error *err)
{
    struct options options = {.steps = 50};
    enum det_code code = training_options_begin(&options.training, argc, "", err);
    if (code != DET_OK)
        return exit_status_of(code);
    options_parse(&parser, argc, argv, &options);
    int status = bench(&options, err);
    training_options_end(&options.training);
    return status;
}
