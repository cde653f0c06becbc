#include "harness/dataset/dataset_options.h"

#include "harness/program/options.h"

#include <stdlib.h>
#include <string.h>

static const struct argp_option all_options[] = {
    {"images", 'n', "N", 0, "how many images", 0},
    {"out", 'o', "DIR", 0, "folder to write to", 0},
    {"split", 'p', "train|val", 0, "which split of a recipe (train)", 0},
    {"seed", 'r', "N", 0, "seed of a recipe (1)", 0},
    {"image-size", 'z', "PIXELS", 0, "longest side (the recipe's own; 320 for COCO)", 0},
    {"config", 'c', "FILE", 0, "configuration over the defaults", 0},
    {"set", 's', "KEY=VALUE", 0, "one key over the file; may be repeated", 0},
};

#define OPTION_COUNT (sizeof all_options / sizeof all_options[0])

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
        options->seed = (uint64_t)options_number(state, "seed", arg, 0, INT64_C(1) << 53);
        return 0;
    case 'z':
        options->image_size = (int)options_number(state, "image-size", arg, 32, 4096);
        return 0;
    case 'n':
        options->images = options_number(state, "images", arg, 1, 10000000);
        return 0;
    case 'o':
        options->out = options_folder(state, arg);
        return 0;
    case 'c':
        options->config = arg;
        return 0;
    case 's':
        options->settings[options->n_settings++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (options->source || !options->wants_source)
            argp_error(state, "%s: one argument too many", arg);
        options->source = arg;
        return 0;
    case ARGP_KEY_END:
        if (options->wants_source && !options->source)
            argp_error(state, "want a recipe or coco:ANN.json,IMAGE_DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void dataset_options_parse(int argc, char **argv, const char *keys, const char *args,
                           const char *doc, struct dataset_options *options)
{
    struct argp_option table[OPTION_COUNT + 1] = {{0}};
    const struct argp parser = {
        .options = table, .parser = take_option, .args_doc = args, .doc = doc};
    int n = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strchr(keys, all_options[i].key))
            table[n++] = all_options[i];
    options->seed = 1;
    options->wants_source = args != NULL;
    options_parse(&parser, argc, argv, options);
}

struct fixture_options dataset_options_fixture(const struct dataset_options *options)
{
    return (struct fixture_options){.seed = options->seed, .image_size = options->image_size};
}
