#include "harness/program/training_options.h"

#include "harness/program/config_file.h"
#include "harness/program/options.h"

#include <stdio.h>
#include <stdlib.h>

static const struct argp_option option_table[] = {
    {"config", 'c', "FILE", 0, "configuration over the defaults", 0},
    {"set", 's', "KEY=VALUE", 0, "one key over the file; may be repeated", 0},
    {"data", 'd', "DATA", 0, "recipe (name or .yaml file) or coco:ANN.json,IMAGE_DIR", 0},
    {"seed", 'S', "N", 0, "seed of everything that is drawn", 0},
    {"threads", 't', "N", 0, "CPU workers; 0: all cores", 0},
    {"backend", 'b', "NAME", 0, "cpu (default) or cuda", 0},
    {"out", 'o', "DIR", 0, "folder of the run", 0},
    {0},
};

/* --seed 3 is --set seed=3. */
static void set_key(struct training_options *options, const char *key, const char *value)
{
    char *text = options->texts[options->n_texts++];
    snprintf(text, sizeof options->texts[0], "%s=%s", key, value);
    options->settings[options->n_settings++] = text;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct training_options *options = state->input;
    switch (key) {
    case 'c':
        options->config_path = arg;
        return 0;
    case 's':
        options->settings[options->n_settings++] = arg;
        return 0;
    case 'd':
        set_key(options, "data", arg);
        return 0;
    case 'S':
        set_key(options, "seed", arg);
        return 0;
    case 't':
        set_key(options, "threads", arg);
        return 0;
    case 'b':
        options->backend = arg;
        return 0;
    case 'o':
        options->folder = options_folder(state, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp training_options_argp = {.options = option_table, .parser = take_option};

enum det_code training_options_begin(struct training_options *options, int argc,
                                     const char *default_folder, struct det_error *err)
{
    *options = (struct training_options){.backend = "cpu", .folder = default_folder};
    options->settings = calloc((size_t)argc, sizeof *options->settings);
    options->texts = calloc((size_t)argc, sizeof *options->texts);
    if (options->settings && options->texts)
        return DET_OK;
    training_options_end(options);
    return det_fail(err, DET_NO_MEMORY, "no memory for the options");
}

enum det_code training_options_config(const struct training_options *options,
                                      struct det_config *config, struct det_error *err)
{
    return config_load(options->config_path, options->settings, options->n_settings, config, err);
}

void training_options_end(struct training_options *options)
{
    free(options->settings);
    free(options->texts);
}
