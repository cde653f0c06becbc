/* detcheck config: what a run with these options would be configured as. */
#include "harness/program/commands.h"
#include "harness/program/config_file.h"
#include "harness/program/exit_status.h"
#include "harness/program/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *config;
    const char **settings; /* room for argc of them */
    size_t n_settings;
    int keys_only;
};

static const struct argp_option option_table[] = {
    {"config", 'c', "FILE", 0, "configuration over the defaults", 0},
    {"set", 's', "KEY=VALUE", 0, "one key over the file; may be repeated", 0},
    {"keys", 'k', NULL, 0, "names of the keys only, one a line", 0},
    {0},
};

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'c':
        options->config = arg;
        return 0;
    case 's':
        options->settings[options->n_settings++] = arg;
        return 0;
    case 'k':
        options->keys_only = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .doc = "Print every configuration key with its value, unit and meaning, as YAML.",
};

static void print_keys(void)
{
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    for (size_t i = 0; i < n; i++)
        puts(keys[i].name);
}

static enum det_code print_config(const struct options *options, struct det_error *err)
{
    struct det_config config;
    enum det_code code = config_load(options->config, options->settings, options->n_settings,
                                     &config, err);
    if (code != DET_OK)
        return code;
    char *text = config_text(&config);
    if (!text)
        return det_fail(err, DET_NO_MEMORY, "no memory to print the configuration");
    fputs(text, stdout);
    free(text);
    return DET_OK;
}

int cmd_config(int argc, char **argv, struct det_error *err)
{
    struct options options = {.settings = calloc((size_t)argc, sizeof *options.settings)};
    enum det_code code = DET_OK;
    if (!options.settings)
        return exit_status_of(det_fail(err, DET_NO_MEMORY, "no memory for the options"));
    options_parse(&parser, argc, argv, &options);
    if (options.keys_only)
        print_keys();
    else
        code = print_config(&options, err);
    free(options.settings);
    return exit_status_of(code);
}
