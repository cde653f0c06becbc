#include "harness/golden/golden_table.h"

#include "harness/golden/golden_config.h"
#include "harness/golden/golden_names.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRIC, STEP, VALUE, TOLERANCE, WHY };

static const char *const keys[] = {"set",     "backend", "dataset", "numerics", "compiler",
                                   "flags",   "blas",    "cpu",     "threads",  "commit",
                                   "config",  "accepted", NULL};
static const char *const columns[] = {"metric", "step", "value", "tolerance", "why", NULL};

const struct golden_kind golden_table_kind = {"detcheck golden run 1", keys, columns, 5};

enum det_code golden_rows_add(struct golden_rows *rows, const struct golden_row *row,
                              struct det_error *err)
{
    if (rows->n == rows->capacity) {
        int capacity = rows->capacity ? 2 * rows->capacity : 128;
        struct golden_row *grown = realloc(rows->at, (size_t)capacity * sizeof *grown);
        if (!grown)
            return det_fail(err, DET_NO_MEMORY, "no memory for %d golden rows", capacity);
        rows->at = grown;
        rows->capacity = capacity;
    }
    rows->at[rows->n++] = *row;
    return DET_OK;
}

void golden_rows_release(struct golden_rows *rows)
{
    free(rows->at);
    *rows = (struct golden_rows){0};
}

int golden_not_finite(const struct metric_value *value)
{
    return value->kind == METRIC_REAL && !value->null && !isfinite(value->number);
}

void golden_tolerance_print(const struct golden_tolerance *tolerance, char out[32])
{
    static const char *const words[] = {"bits", "exact", "rel", "abs"};
    if (tolerance->kind < GOLDEN_RELATIVE)
        snprintf(out, 32, "%s", words[tolerance->kind]);
    else
        snprintf(out, 32, "%s %g", words[tolerance->kind], tolerance->size);
}

/* ---- reading ---- */

static int read_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end;
}

static int read_value(const char *text, struct metric_value *out)
{
    char *end = NULL;
    *out = (struct metric_value){.kind = METRIC_REAL, .null = strcmp(text, "null") == 0};
    if (out->null)
        return 1;
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return read_number(text, &out->number);
    out->kind = METRIC_HASH;
    out->hash = strtoull(text, &end, 16);
    return 1;
}

static int read_step(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && !*end && *out >= 0 && !errno;
}

static int read_tolerance(const char *text, struct golden_tolerance *out)
{
    int sized = strncmp(text, "rel ", 4) == 0 || strncmp(text, "abs ", 4) == 0;
    out->size = 0;
    if (sized) {
        out->kind = text[0] == 'r' ? GOLDEN_RELATIVE : GOLDEN_ABSOLUTE;
        return read_number(text + 4, &out->size) && out->size > 0 && isfinite(out->size);
    }
    out->kind = strcmp(text, "exact") == 0 ? GOLDEN_EXACT : GOLDEN_BITS;
    return out->kind == GOLDEN_EXACT || strcmp(text, "bits") == 0;
}

static enum det_code read_row(const struct golden_cells *cells, struct golden_row *row,
                              const char *path, struct det_error *err)
{
    const char *bad = NULL;
    *row = (struct golden_row){.line = cells->line};
    if (!read_step(cells->at[STEP], &row->step))
        bad = cells->at[STEP];
    else if (!read_value(cells->at[VALUE], &row->value))
        bad = cells->at[VALUE];
    else if (!read_tolerance(cells->at[TOLERANCE], &row->tolerance))
        bad = cells->at[TOLERANCE];
    else if ((size_t)snprintf(row->metric, sizeof row->metric, "%s", cells->at[METRIC]) >=
             sizeof row->metric)
        bad = cells->at[METRIC];
    else if ((size_t)snprintf(row->why, sizeof row->why, "%s", cells->at[WHY]) >= sizeof row->why)
        bad = cells->at[WHY];
    if (bad)
        return det_fail(err, DET_INVALID, "%s:%d: \"%.60s\" is no value of its column", path,
                        cells->line, bad);
    return DET_OK;
}

enum det_code golden_table_read(const char *path, struct golden_table *out, struct det_error *err)
{
    *out = (struct golden_table){0};
    golden_name_of(path, out->name, sizeof out->name);
    enum det_code code = golden_file_read(path, &golden_table_kind, &out->file, err);
    if (code == DET_OK)
        code = golden_config_resolve(&out->file, &out->config, err);
    for (int r = 0; r < out->file.n_rows && code == DET_OK; r++) {
        struct golden_row row;
        code = read_row(&out->file.rows[r], &row, path, err);
        if (code == DET_OK)
            code = golden_rows_add(&out->rows, &row, err);
    }
    return code;
}

void golden_table_release(struct golden_table *table)
{
    golden_file_release(&table->file);
    golden_rows_release(&table->rows);
}

/* ---- writing ---- */

enum det_code golden_table_put_rows(struct golden_table *table, const struct golden_rows *rows,
                                    struct det_error *err)
{
    enum det_code code = DET_OK;
    golden_file_drop_rows(&table->file);
    for (int r = 0; r < rows->n && code == DET_OK; r++) {
        const struct golden_row *row = &rows->at[r];
        char step[32], value[32], tolerance[32];
        snprintf(step, sizeof step, "%" PRId64, row->step);
        metric_print(&row->value, value);
        golden_tolerance_print(&row->tolerance, tolerance);
        const char *cells[] = {row->metric, step, value, tolerance, row->why};
        code = golden_file_add_row(&table->file, cells, 0, err);
    }
    return code;
}
