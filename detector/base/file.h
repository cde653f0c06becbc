/* Whole files: read at once, written so that a kill at any moment leaves the old or the new one. */
#ifndef DET_BASE_FILE_H
#define DET_BASE_FILE_H

#include "detector/base/status.h"

#include <stddef.h>

/* The whole file, with a NUL behind it that *size does not count. *out is owned by the caller
 * (free). DET_IO names the file and the reason. */
enum det_code det_file_read(const char *path, char **out, size_t *size, struct det_error *err);

/* A file being written under a temporary name beside `path`. */
struct det_file_writer; /* opaque */

enum det_code det_file_begin(const char *path, struct det_file_writer **out, struct det_error *err);
enum det_code det_file_append(struct det_file_writer *writer, const void *data, size_t size,
                              struct det_error *err);
/* Sync, rename over path, sync the folder; frees the writer, also on failure (then the temporary
 * file is removed and an old file stands). */
enum det_code det_file_commit(struct det_file_writer *writer, struct det_error *err);
/* Drop what was written; frees the writer. NULL is allowed. */
void det_file_abandon(struct det_file_writer *writer);

/* All four at once. */
enum det_code det_file_write(const char *path, const void *data, size_t size,
                             struct det_error *err);

/* Remove what writers of folder/name left behind that were killed before they committed. Nobody may be
 * writing it. Failures are of no consequence and not reported. */
void det_file_remove_leftovers(const char *folder, const char *name);

/* mkdir -p. */
enum det_code det_make_folder(const char *path, struct det_error *err);

#endif
