/* The configuration in the head of a golden file: `set` lines that make the run, and `config` lines
 * with every key as it came out, so that a default that was changed since is seen and named. */
#ifndef HARNESS_GOLDEN_CONFIG_H
#define HARNESS_GOLDEN_CONFIG_H

#include "detector/training/training_config.h"
#include "harness/golden/golden_file.h"

#include <stddef.h>

/* The defaults, then the `set` lines. DET_INVALID names file and setting. `threads` may not be set:
 * no bit depends on it, and whoever makes the run chooses. */
enum det_code golden_config_resolve(const struct golden_file *file, struct det_config *out,
                                    struct det_error *err);

/* Replace the `config` lines by this configuration, several "key=value" on a line, but `threads`,
 * and, where the file is of many runs, `seed`, judge.*, log.* and checkpoint.*. */
enum det_code golden_config_record(struct golden_file *file, const struct det_config *config,
                                   int of_many, struct det_error *err);

/* The first key whose recorded value is not that of `config`: "optimizer.lr is 0.02 in the file, 0.01
 * now" into out. Returns how many there are. A key that is newer than the file is none of them. */
int golden_config_differ(const struct golden_file *file, const struct det_config *config, char *out,
                         size_t size);

#endif
