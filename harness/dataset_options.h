/* The command line of `detcheck dataset ...`: what its subcommands share. */
#ifndef HARNESS_DATASET_OPTIONS_H
#define HARNESS_DATASET_OPTIONS_H

#include "fixtures/fixture.h"

#include <argp.h>
#include <stdint.h>

struct dataset_options {
    const char *source; /* a recipe, or coco:ANN.json,IMAGE_DIR; NULL: not given */
    int wants_source;
    enum fixture_split split;
    uint64_t seed;
    int image_size;
    int64_t images;        /* 0: not given */
    const char *out;       /* NULL: not given */
    const char *config;    /* NULL: not given */
    const char **settings; /* --set KEY=VALUE: owned by the subcommand, room for argc */
    size_t n_settings;
};

/* Keys for the subcommands' option tables. */
#define DATASET_OPTION_SPLIT                                                                       \
    {                                                                                              \
        "split", 'p', "train|val", 0, "which split of a recipe (train)", 0                         \
    }
#define DATASET_OPTION_SEED                                                                        \
    {                                                                                              \
        "seed", 'r', "N", 0, "seed of a recipe (1)", 0                                             \
    }
#define DATASET_OPTION_SIZE                                                                        \
    {                                                                                              \
        "image-size", 'z', "PIXELS", 0, "longest side (the recipe's own; 320)", 0                  \
    }
#define DATASET_OPTION_IMAGES                                                                      \
    {                                                                                              \
        "images", 'n', "N", 0, "how many images", 0                                                \
    }
#define DATASET_OPTION_OUT                                                                         \
    {                                                                                              \
        "out", 'o', "DIR", 0, "folder to write to", 0                                              \
    }
#define DATASET_OPTION_CONFIG                                                                      \
    {                                                                                              \
        "config", 'c', "FILE", 0, "configuration over the defaults", 0                             \
    }
#define DATASET_OPTION_SET                                                                         \
    {                                                                                              \
        "set", 's', "KEY=VALUE", 0, "one key over the file; may be repeated", 0                    \
    }

/* Parse a subcommand's command line; with `args` ("SOURCE") one source must be there, without
 * (NULL) none may be. Ends the program after --help or a bad option. */
void dataset_options_parse(int argc, char **argv, const struct argp_option *table, const char *args,
                           const char *doc, struct dataset_options *options);

struct fixture_options dataset_options_fixture(const struct dataset_options *options);

#endif
