/* The command line of `detcheck dataset ...`: what its subcommands share. */
#ifndef HARNESS_DATASET_OPTIONS_H
#define HARNESS_DATASET_OPTIONS_H

#include "fixtures/fixture.h"

#include <stddef.h>
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

/* Parse a subcommand's command line. keys: the options it takes, of
 *   n --images   o --out   p --split   r --seed   z --image-size   c --config   s --set
 * With `args` ("SOURCE") one source must be there, without (NULL) none may be. Ends the program
 * after
 * --help or a bad option. */
void dataset_options_parse(int argc, char **argv, const char *keys, const char *args,
                           const char *doc, struct dataset_options *options);

struct fixture_options dataset_options_fixture(const struct dataset_options *options);

#endif
