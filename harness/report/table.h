/* A table of text: filled cell by cell, printed in aligned columns (or by the report as HTML). */
#ifndef HARNESS_TABLE_H
#define HARNESS_TABLE_H

#include "detector/base/status.h"

#include <stdio.h>

struct table {
    int n_columns;
    int n_cells, capacity;
    char **cells; /* row by row; owned */
    int failed;   /* out of memory */
};

void table_begin(struct table *table, int n_columns);
/* The next cell; rows fill up from left to right. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Empty cells up to the end of the row. */
void table_end_row(struct table *table);
/* A row with text in its first cell only: a heading. */
void table_heading(struct table *table, const char *text);

int table_rows(const struct table *table);
const char *table_at(const struct table *table, int row, int column);
/* Whether only the first cell of the row holds text. */
int table_is_heading(const struct table *table, int row);

/* First column left, the others right aligned; a blank line before every heading but the first. */
void table_print(const struct table *table, FILE *to);

/* DET_NO_MEMORY where a cell was lost on the way. */
enum det_code table_check(const struct table *table, struct det_error *err);
void table_release(struct table *table);

#endif
