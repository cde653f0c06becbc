/* detcheck train: one run. */
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/program/interrupt.h"
#include "harness/program/options.h"
#include "harness/training/session.h"
#include "harness/training/shown.h"
#include "harness/program/training_options.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 64

struct options {
    struct training_options training;
    int resume;
    const char *weights;
};

static const struct argp_option option_table[] = {
    {"resume", 'r', NULL, 0, "go on from DIR's checkpoint with DIR's config.yaml; only threads may be other", 0},
    {"weights", 'w', "FILE", 0, "start from the weights of a checkpoint (safetensors)", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->training;
        return 0;
    case 'r':
        options->resume = 1;
        return 0;
    case 'w':
        options->weights = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->resume && (options->training.config_path || options->weights))
            argp_error(state, "--resume goes on with the run's own config.yaml and weights: leave "
                              "--config and --weights out");
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
    .doc = "Train the reference detector once, evaluate it on the way, and judge the run.\v"
           "DIR (default runs/train) receives config.yaml, log.jsonl and checkpoint.safetensors. Exit "
           "status 0 where the run is healthy, 1 where it is not.",
};

static enum det_code resolve(struct options *options, struct det_config *config,
                             struct det_error *err)
{
    char path[4096];
    if (options->resume) {
        snprintf(path, sizeof path, "%s/config.yaml", options->training.folder);
        options->training.config_path = path;
    }
    return training_options_config(&options->training, config, err);
}

static int finish(const struct options *options, const struct verdict *verdict)
{
    verdict_print(stdout, options->training.folder, verdict);
    if (interrupt_came(NULL))
        printf("interrupted: go on with detcheck train --resume --out %s\n",
               options->training.folder);
    return verdict_status(verdict->kind);
}

/* A run is called what its folder is called. */
static void name_run(const char *folder, char name[NAME_SIZE])
{
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && folder[start - 1] != '/')
        start--;
    snprintf(name, NAME_SIZE, "%.*s", (int)(end - start), folder + start);
}

static int train(struct options *options, struct det_error *err)
{
    char name[NAME_SIZE];
    struct det_config config;
    struct verdict verdict;
    struct shown_run shown = {NULL, 0};
    enum det_code code = resolve(options, &config, err);
    name_run(options->training.folder, name);
    if (code == DET_OK)
        code = progress_create(NULL, (const char *const[]){name}, &config.schedule_steps, 1,
                               &shown.progress, err);
    if (code != DET_OK)
        return exit_status_of(code);
    struct trainer_options trainer = {
        .config = &config,
        .folder = options->training.folder,
        .name = name,
        .backend = options->training.backend,
        .resume = options->resume,
        .weights = options->weights,
        .observer = shown_run_observer(&shown),
    };
    interrupt_watch();
    code = session_run(&trainer, &verdict, err);
    progress_destroy(shown.progress);
    return code == DET_OK ? finish(options, &verdict) : exit_status_of(code);
}

int cmd_train(int argc, char **argv, struct det_error *err)
{
    struct options options = {.resume = 0};
    enum det_code code = training_options_begin(&options.training, argc, "runs/train", err);
    if (code != DET_OK)
        return exit_status_of(code);
    options_parse(&parser, argc, argv, &options);
    int status = train(&options, err);
    training_options_end(&options.training);
    return status;
}
