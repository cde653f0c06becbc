/* Configuration files: config.yaml over the defaults, --set over config.yaml, and back to a file. */
#ifndef HARNESS_CONFIG_FILE_H
#define HARNESS_CONFIG_FILE_H

#include "detector/base/status.h"
#include "detector/training/training_config.h"

#include <stddef.h>

/* The configuration of a run, checked for contradictions: the defaults, then the file at `path`
 * (NULL: none), then `settings`, n texts "key=value" in order. In the file and in the settings
 * model.preset comes first wherever it stands, and single keys go over it.
 *
 * DET_INVALID or DET_IO; messages begin with `FILE:LINE: KEY:` or `--set KEY=VALUE:`. On failure
 * *out is undefined. */
enum det_code config_load(const char *path, const char *const *settings, size_t n,
                          struct det_config *out, struct det_error *err);

/* The second half alone: settings over a configuration that is already there. `option` is what
 * messages call them by: "--set". */
enum det_code config_override(struct det_config *config, const char *option,
                              const char *const *settings, size_t n, struct det_error *err);

/* Every key, its value, unit and meaning as YAML that config_load reads back to the same bits. NULL
 * without memory; owned by the caller (free). */
char *config_text(const struct det_config *config);

/* config_text into a file, whole or not at all. */
enum det_code config_save(const struct det_config *config, const char *path, struct det_error *err);

#endif
