/* The command line of `detcheck golden ...`: what its subcommands share. */
#ifndef HARNESS_GOLDEN_OPTIONS_H
#define HARNESS_GOLDEN_OPTIONS_H

#include "harness/golden/golden_names.h"

#include <stdint.h>

struct golden_options {
    const char **names; /* of tables or envelopes; owned */
    int n_names;
    const char *reason; /* NULL: not given */
    int threads;
    int new_numerics;
    const char *folder; /* of the runs of an envelope */
    int seeds, fresh;   /* 0, -1: as the file says */
    int64_t first_fresh; /* 0: as the file says */
    int jobs, reuse;
};

/* Parse a subcommand's command line. keys: the options it takes, of
 *   r --reason   t --threads   N --new-numerics
 *   o --out   n --seeds   f --fresh   F --first-fresh   j --jobs   u --reuse
 * Ends the program after --help or a bad option. Without a name all of `room` are
 * meant. DET_NO_MEMORY, or DET_IO for a room that cannot be read; *options is to be released by
 * golden_options_end in any case. */
enum det_code golden_options_parse(int argc, char **argv, const char *keys, const char *doc,
                                   const char *room, struct golden_options *options,
                                   struct det_error *err);
void golden_options_end(struct golden_options *options);

#endif
