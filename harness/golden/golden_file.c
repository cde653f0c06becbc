#include "harness/golden/golden_file.h"

#include "detector/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum det_code no_memory(const struct golden_file *file, struct det_error *err)
{
    return det_fail(err, DET_NO_MEMORY, "%s: no memory", file->path ? file->path : "golden file");
}

static enum det_code refuse(const struct golden_file *file, int line, const char *what,
                            const char *text, struct det_error *err)
{
    return det_fail(err, DET_INVALID, "%s:%d: %s%s%.80s", file->path, line, what, *text ? ": " : "",
                    text);
}

const char *golden_file_get(const struct golden_file *file, const char *key, int i)
{
    for (int e = 0; e < file->n_entries; e++)
        if (strcmp(file->entries[e].key, key) == 0 && i-- == 0)
            return file->entries[e].value;
    return NULL;
}

enum det_code golden_file_add(struct golden_file *file, const char *key, const char *value,
                              struct det_error *err)
{
    size_t n = (size_t)file->n_entries;
    struct golden_entry *grown = realloc(file->entries, (n + 1) * sizeof *grown);
    if (!grown)
        return no_memory(file, err);
    file->entries = grown;
    grown[n] = (struct golden_entry){strdup(key), strdup(value)};
    file->n_entries++;
    return grown[n].key && grown[n].value ? DET_OK : no_memory(file, err);
}

static void release_entry(struct golden_entry *entry)
{
    free(entry->key);
    free(entry->value);
}

void golden_file_drop(struct golden_file *file, const char *key)
{
    int kept = 0;
    for (int e = 0; e < file->n_entries; e++) {
        if (strcmp(file->entries[e].key, key) == 0)
            release_entry(&file->entries[e]);
        else
            file->entries[kept++] = file->entries[e];
    }
    file->n_entries = kept;
}

enum det_code golden_file_set(struct golden_file *file, const char *key, const char *value,
                              struct det_error *err)
{
    golden_file_drop(file, key);
    return golden_file_add(file, key, value, err);
}

enum det_code golden_file_add_row(struct golden_file *file, const char *const *cells, int line,
                                  struct det_error *err)
{
    size_t n = (size_t)file->n_rows;
    struct golden_cells *grown = realloc(file->rows, (n + 1) * sizeof *grown);
    if (!grown)
        return no_memory(file, err);
    file->rows = grown;
    grown[n] = (struct golden_cells){.line = line};
    file->n_rows++;
    for (int c = 0; c < file->kind->n_columns; c++)
        if (!(grown[n].at[c] = strdup(cells[c])))
            return no_memory(file, err);
    return DET_OK;
}

void golden_file_drop_rows(struct golden_file *file)
{
    for (int r = 0; r < file->n_rows; r++)
        for (int c = 0; c < GOLDEN_COLUMNS_MAX; c++)
            free(file->rows[r].at[c]);
    free(file->rows);
    file->rows = NULL;
    file->n_rows = 0;
}

void golden_file_release(struct golden_file *file)
{
    golden_file_drop_rows(file);
    for (int e = 0; e < file->n_entries; e++)
        release_entry(&file->entries[e]);
    free(file->entries);
    free(file->path);
    *file = (struct golden_file){0};
}

/* ---- reading ---- */

static int is_known_key(const struct golden_kind *kind, const char *key)
{
    for (int i = 0; kind->keys[i]; i++)
        if (strcmp(kind->keys[i], key) == 0)
            return 1;
    return 0;
}

static enum det_code read_entry(struct golden_file *file, char *text, int line,
                                struct det_error *err)
{
    char *colon = strstr(text, ": ");
    if (!colon)
        return refuse(file, line, "not a line \"key: value\"", text, err);
    *colon = '\0';
    if (!is_known_key(file->kind, text))
        return refuse(file, line, "unknown key", text, err);
    return golden_file_add(file, text, colon + 2, err);
}

/* Cut at the bars, in place; the number of cells, of which at most `most` are noted. */
static int cut_cells(char *text, char **cells, int most)
{
    int n = 0;
    for (char *at = text; at; n++) {
        char *bar = strchr(at, '|');
        char *end = bar ? bar : at + strlen(at);
        char *next = bar ? bar + 1 : NULL;
        while (*at == ' ')
            at++;
        while (end > at && end[-1] == ' ')
            end--;
        *end = '\0';
        if (n < most)
            cells[n] = at;
        at = next;
    }
    return n;
}

static enum det_code read_row(struct golden_file *file, char *text, int line, int *has_titles,
                              struct det_error *err)
{
    char *cells[GOLDEN_COLUMNS_MAX];
    int n = cut_cells(text, cells, GOLDEN_COLUMNS_MAX);
    if (n != file->kind->n_columns)
        return refuse(file, line, "a row cut short, or with a | too many", text, err);
    if (*has_titles)
        return golden_file_add_row(file, (const char *const *)cells, line, err);
    *has_titles = 1;
    for (int c = 0; c < n; c++)
        if (strcmp(cells[c], file->kind->columns[c]) != 0)
            return refuse(file, line, "not the title of this column", cells[c], err);
    return DET_OK;
}

static enum det_code read_lines(struct golden_file *file, char *text, struct det_error *err)
{
    int in_table = 0, has_titles = 0;
    enum det_code code = DET_OK;
    for (int line = 1; *text && code == DET_OK; line++) {
        char *end = strchr(text, '\n');
        if (!end)
            return refuse(file, line, "the last line has no end: a file cut short", "", err);
        *end = '\0';
        if (line == 1 && strcmp(text, file->kind->title) != 0)
            return refuse(file, line, "want as first line", file->kind->title, err);
        if (line > 1 && !*text)
            in_table = 1;
        else if (line > 1)
            code = in_table ? read_row(file, text, line, &has_titles, err)
                            : read_entry(file, text, line, err);
        text = end + 1;
    }
    return code;
}

enum det_code golden_file_read(const char *path, const struct golden_kind *kind,
                               struct golden_file *out, struct det_error *err)
{
    char *text = NULL;
    size_t size = 0;
    *out = (struct golden_file){.kind = kind, .path = strdup(path)};
    if (!out->path)
        return no_memory(out, err);
    enum det_code code = det_file_read(path, &text, &size, err);
    if (code == DET_OK && (size == 0 || memchr(text, '\0', size)))
        code = det_fail(err, DET_INVALID, "%s: not a text", path);
    if (code == DET_OK)
        code = read_lines(out, text, err);
    free(text);
    return code;
}

/* ---- writing ---- */

static void put_head(const struct golden_file *file, FILE *to)
{
    fprintf(to, "%s\n", file->kind->title);
    for (int k = 0; file->kind->keys[k]; k++) {
        const char *value;
        for (int i = 0; (value = golden_file_get(file, file->kind->keys[k], i)); i++)
            fprintf(to, "%s: %s\n", file->kind->keys[k], value);
    }
}

static void put_cells(const struct golden_kind *kind, const char *const *cells, const int *widths,
                      FILE *to)
{
    for (int c = 0; c < kind->n_columns; c++) {
        int last = c == kind->n_columns - 1;
        fprintf(to, "%s%-*s", c ? " | " : "", last ? 0 : widths[c], cells[c]);
    }
    fputc('\n', to);
}

static void put_table(const struct golden_file *file, FILE *to)
{
    const struct golden_kind *kind = file->kind;
    int widths[GOLDEN_COLUMNS_MAX];
    for (int c = 0; c < kind->n_columns; c++) {
        widths[c] = (int)strlen(kind->columns[c]);
        for (int r = 0; r < file->n_rows; r++)
            if ((int)strlen(file->rows[r].at[c]) > widths[c])
                widths[c] = (int)strlen(file->rows[r].at[c]);
    }
    fputc('\n', to);
    put_cells(kind, kind->columns, widths, to);
    for (int r = 0; r < file->n_rows; r++)
        put_cells(kind, (const char *const *)file->rows[r].at, widths, to);
}

enum det_code golden_file_write(const struct golden_file *file, struct det_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return no_memory(file, err);
    put_head(file, to);
    if (file->n_rows)
        put_table(file, to);
    enum det_code code = fclose(to) == 0 ? det_file_write(file->path, text, size, err)
                                         : no_memory(file, err);
    free(text);
    return code;
}
