/* The subcommands of `detcheck golden`, for cmd_golden.c. */
#ifndef HARNESS_GOLDEN_COMMANDS_H
#define HARNESS_GOLDEN_COMMANDS_H

#include "detector/base/status.h"

int golden_check(int argc, char **argv, struct det_error *err);
int golden_diff(int argc, char **argv, struct det_error *err);
int golden_accept(int argc, char **argv, struct det_error *err);
int golden_envelope(int argc, char **argv, struct det_error *err);

#endif
