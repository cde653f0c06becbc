/* Where golden files are: by name in golden/runs and golden/envelopes, or anywhere by path. */
#ifndef HARNESS_GOLDEN_NAMES_H
#define HARNESS_GOLDEN_NAMES_H

#include "detector/base/status.h"

#include <stddef.h>

#define GOLDEN_NAMES_MAX 128

struct golden_names {
    int n;
    char at[GOLDEN_NAMES_MAX][64];
};

/* The file that `name` means: a path where it ends in .txt, else <golden>/<room>/<name>.txt, with
 * room "runs" or "envelopes". <golden> is the folder that the environment variable DETCHECK_GOLDEN
 * names, else the source tree's. DET_INVALID names the nearest one where there is none. */
enum det_code golden_path(const char *room, const char *name, char *path, size_t size,
                          struct det_error *err);

/* All names in that room, in alphabetical order; DET_IO where the folder cannot be read. */
enum det_code golden_list(const char *room, struct golden_names *out, struct det_error *err);

/* A file's name without folder and .txt. */
void golden_name_of(const char *path, char *out, size_t size);

#endif
