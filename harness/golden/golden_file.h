/* The text of a golden file: a head of `key: value` lines, an empty line, a table with `|` between
 * its columns. What the keys and columns mean is golden_table.h's and envelope.h's affair. */
#ifndef HARNESS_GOLDEN_FILE_H
#define HARNESS_GOLDEN_FILE_H

#include "detector/base/status.h"

#define GOLDEN_COLUMNS_MAX 8
#define GOLDEN_LINE_MAX 1024

struct golden_kind {             /* one kind of golden file; static */
    const char *title;           /* its first line */
    const char *const *keys;     /* of the head, NULL at the end; written in this order */
    const char *const *columns;  /* NULL at the end */
    int n_columns;
};

struct golden_entry { /* a line of the head; both owned */
    char *key, *value;
};

struct golden_cells { /* a row of the table */
    char *at[GOLDEN_COLUMNS_MAX]; /* owned, without the blanks around them */
    int line;                     /* in the file, from 1; 0: not from a file */
};

struct golden_file { /* everything owned; released by golden_file_release, also after a failure */
    const struct golden_kind *kind;
    char *path;
    struct golden_entry *entries;
    int n_entries;
    struct golden_cells *rows;
    int n_rows;
};

/* Read the file at path. DET_INVALID names file and line: another first line, an unknown key, a row
 * with too few or too many columns, a last line without its end (a file cut short). A file may end
 * after its head: a run that nothing was recorded of yet. */
enum det_code golden_file_read(const char *path, const struct golden_kind *kind,
                               struct golden_file *out, struct det_error *err);
void golden_file_release(struct golden_file *file);

/* Write it to file->path, columns aligned: beside the old one, synced, renamed. */
enum det_code golden_file_write(const struct golden_file *file, struct det_error *err);

/* The value of the i-th line with that key, or NULL. */
const char *golden_file_get(const struct golden_file *file, const char *key, int i);
/* One line more with that key. */
enum det_code golden_file_add(struct golden_file *file, const char *key, const char *value,
                              struct det_error *err);
/* All lines with that key go. */
void golden_file_drop(struct golden_file *file, const char *key);
/* The one line with that key, whether it was there or not. */
enum det_code golden_file_set(struct golden_file *file, const char *key, const char *value,
                              struct det_error *err);

/* One row more at the end; cells[kind->n_columns] are copied. */
enum det_code golden_file_add_row(struct golden_file *file, const char *const *cells, int line,
                                  struct det_error *err);
void golden_file_drop_rows(struct golden_file *file);

#endif
