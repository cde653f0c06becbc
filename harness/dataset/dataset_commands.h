/* The subcommands of `detcheck dataset`. Each parses its options, prints its results on stdout and
 * returns an exit status, as every command does (commands.h). */
#ifndef HARNESS_DATASET_COMMANDS_H
#define HARNESS_DATASET_COMMANDS_H

#include "detector/base/status.h"

int dataset_stats(int argc, char **argv, struct det_error *err);
int dataset_check(int argc, char **argv, struct det_error *err);
int dataset_export(int argc, char **argv, struct det_error *err);
int dataset_checksum(int argc, char **argv, struct det_error *err);

#endif
