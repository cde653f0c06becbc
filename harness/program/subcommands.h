/* Commands that have commands of their own: `detcheck dataset stats`, `detcheck golden check`. */
#ifndef HARNESS_SUBCOMMANDS_H
#define HARNESS_SUBCOMMANDS_H

#include "detector/base/status.h"

#include <stddef.h>

struct subcommand {
    const char *name, *summary;
    int (*run)(int argc, char **argv, struct det_error *err);
};

struct subcommands {
    const char *command, *about, *arguments; /* "dataset", one line, a line about the arguments */
    const struct subcommand *at;
    size_t n;
};

/* Run the one that argv[1] names, with argv[0] its full name; or print the help. Returns its exit
 * status; STATUS_BAD_INPUT with err filled where there is none of that name. */
int subcommands_run(const struct subcommands *all, int argc, char **argv, struct det_error *err);

#endif
