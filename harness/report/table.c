#include "harness/report/table.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_begin(struct table *table, int n_columns)
{
    *table = (struct table){.n_columns = n_columns};
}

void table_cell(struct table *table, const char *format, ...)
{
    if (table->n_cells == table->capacity) {
        int capacity = 2 * table->capacity + 64;
        char **cells = realloc(table->cells, (size_t)capacity * sizeof *cells);
        if (!cells) {
            table->failed = 1;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        table->failed = 1;
        return;
    }
    for (char *c = text; *c; c++) /* a class's name can hold a line break */
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    table->cells[table->n_cells++] = text;
}

void table_end_row(struct table *table)
{
    while (!table->failed && table->n_cells % table->n_columns)
        table_cell(table, "%s", "");
}

void table_heading(struct table *table, const char *text)
{
    table_cell(table, "%s", text);
    table_end_row(table);
}

int table_rows(const struct table *table)
{
    return table->n_cells / table->n_columns;
}

const char *table_at(const struct table *table, int row, int column)
{
    return table->cells[row * table->n_columns + column];
}

int table_is_heading(const struct table *table, int row)
{
    for (int c = 1; c < table->n_columns; c++)
        if (table_at(table, row, c)[0])
            return 0;
    return table_at(table, row, 0)[0] != '\0';
}

/* Characters, not bytes: UTF-8's continuation bytes take no column. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int width_of(const struct table *table, int column)
{
    int width = 0;
    for (int row = 0; row < table_rows(table); row++) {
        int columns = columns_of(table_at(table, row, column));
        if (columns > width && !(column == 0 && table_is_heading(table, row)))
            width = columns;
    }
    return width;
}

static void print_row(const struct table *table, int row, const int *widths, FILE *to)
{
    const char *first = table_at(table, row, 0);
    fprintf(to, "%s%*s", first, widths[0] - columns_of(first), "");
    for (int c = 1; c < table->n_columns; c++) {
        const char *cell = table_at(table, row, c);
        fprintf(to, "  %*s%s", widths[c] - columns_of(cell), "", cell);
    }
    fputc('\n', to);
}

void table_print(const struct table *table, FILE *to)
{
    int *widths = malloc((size_t)table->n_columns * sizeof *widths);
    if (!widths)
        return;
    for (int c = 0; c < table->n_columns; c++)
        widths[c] = width_of(table, c);
    for (int row = 0; row < table_rows(table); row++) {
        if (!table_is_heading(table, row))
            print_row(table, row, widths, to);
        else
            fprintf(to, "%s%s\n", row ? "\n" : "", table_at(table, row, 0));
    }
    free(widths);
}

enum det_code table_check(const struct table *table, struct det_error *err)
{
    return table->failed ? det_fail(err, DET_NO_MEMORY, "no memory for a table") : DET_OK;
}

void table_release(struct table *table)
{
    for (int i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){.n_columns = table->n_columns};
}
