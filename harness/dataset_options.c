#include "harness/dataset_options.h"

#include "harness/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int64_t whole_number(const char *text, int64_t least, int64_t most,
                            struct argp_state *state)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        argp_error(state, "%s: want a whole number, %lld to %lld", text, (long long)least,
                   (long long)most);
    return value;
}

static enum fixture_split split_of(const char *text, struct argp_state *state)
{
    if (strcmp(text, "train") != 0 && strcmp(text, "val") != 0)
        argp_error(state, "%s: want train or val", text);
    return strcmp(text, "val") == 0 ? FIXTURE_VAL : FIXTURE_TRAIN;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct dataset_options *options = state->input;
    switch (key) {
    case 'p':
        options->split = split_of(arg, state);
        return 0;
    case 'r':
        options->seed = (uint64_t)whole_number(arg, 0, INT64_C(1) << 53, state);
        return 0;
    case 'z':
        options->image_size = (int)whole_number(arg, 32, 4096, state);
        return 0;
    case 'n':
        options->images = whole_number(arg, 1, 10000000, state);
        return 0;
    case 'o':
        options->out = arg;
        return 0;
    case 'c':
        options->config = arg;
        return 0;
    case 's':
        options->settings[options->n_settings++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (options->n_sources == DATASET_SOURCES_MAX)
            argp_error(state, "%s: more than %d sources", arg, DATASET_SOURCES_MAX);
        options->sources[options->n_sources++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void dataset_options_parse(int argc, char **argv, const struct argp_option *table, const char *args,
                           const char *doc, struct dataset_options *options)
{
    const struct argp parser = {
        .options = table, .parser = take_option, .args_doc = args, .doc = doc};
    options->seed = 1;
    options_parse(&parser, argc, argv, options);
}

enum det_code dataset_options_open(const struct dataset_options *options, int i, int all_objects,
                                   struct det_dataset **out, struct det_error *err)
{
    struct fixture_options fixture = {
        .seed = options->seed,
        .image_size = options->image_size,
        .all_objects = all_objects,
    };
    return fixture_open(options->sources[i], options->split, &fixture, out, err);
}
