#include "harness/foreign/foreign_mapping.h"

#include "detector/base/edit_distance.h"
#include "fixtures/yaml_file.h"
#include "harness/log/run_log.h"

#include <stdlib.h>
#include <string.h>

static enum det_code fail_at(const struct mapping *mapping, const struct yaml_entry *entry,
                             const char *what, struct det_error *err)
{
    return det_fail(err, DET_INVALID, "%s:%d: %s: %s", mapping->path, entry->line, entry->path,
                    what);
}

static enum det_code read_real(const struct mapping *mapping, const struct yaml_entry *entry,
                               double *out, struct det_error *err)
{
    char *end;
    *out = strtod(entry->value, &end);
    if (!entry->value[0] || *end || !(*out >= -1e300 && *out <= 1e300))
        return fail_at(mapping, entry, "want a number", err);
    return DET_OK;
}

/* Set what the entry says of a column; `rest` is its path behind the column's own: "", ".column",
 * ".scale" or ".offset". */
static enum det_code set_part(const struct mapping *mapping, const struct yaml_entry *entry,
                              const char *rest, struct mapped_column *column, struct det_error *err)
{
    if (!*rest || strcmp(rest, ".column") == 0) {
        free(column->column);
        column->column = strdup(entry->value);
        return column->column ? DET_OK : det_fail(err, DET_NO_MEMORY, "no memory for a name");
    }
    if (strcmp(rest, ".scale") == 0)
        return read_real(mapping, entry, &column->scale, err);
    if (strcmp(rest, ".offset") == 0)
        return read_real(mapping, entry, &column->offset, err);
    return fail_at(mapping, entry, "want a column's name, or {column: NAME, scale: X, offset: Y}",
                   err);
}

/* ---- our names ---- */

/* What of a field's name and a threshold a path begins with; its length, 0 for none of it. */
static size_t match_field(const struct run_log_field *field, const char *path, int *element)
{
    size_t length = strlen(field->key);
    *element = 0;
    if (strncmp(path, field->key, length) != 0 || (path[length] && path[length] != '.'))
        return 0;
    if (field->type != RUN_LOG_LADDER)
        return length;
    char *end;
    double threshold = path[length] ? strtod(path + length + 1, &end) : 0;
    for (int t = 0; path[length] && t < RUN_LOG_THRESHOLDS; t++)
        if (threshold == run_log_thresholds[t]) {
            *element = t;
            return (size_t)(end - path);
        }
    return 0;
}

static int can_be_mapped(const struct run_log_field *field)
{
    return field->type != RUN_LOG_HASH && field->type != RUN_LOG_CLASS_COUNTS &&
           field->type != RUN_LOG_CLASS_SHARES && field->type != RUN_LOG_CLASS_LADDERS &&
           strcmp(field->key, "step") != 0;
}

static enum det_code unknown_name(const struct mapping *mapping, const struct yaml_entry *entry,
                                  const char *name, const struct run_log_field *fields, size_t n,
                                  struct det_error *err)
{
    const struct run_log_field *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (can_be_mapped(&fields[i]) &&
            (!best || det_edit_distance(name, fields[i].key) < det_edit_distance(name, best->key)))
            best = &fields[i];
    if (best->type == RUN_LOG_LADDER && strncmp(name, best->key, strlen(best->key)) == 0)
        return fail_at(mapping, entry, "want {T: COLUMN}, T of 0.05, 0.1, 0.3, 0.5, 0.7, 0.9", err);
    return det_fail(err, DET_INVALID, "%s:%d: %s: no such name; nearest is %s", mapping->path,
                    entry->line, entry->path, best->key);
}

/* The list's column for that field and element; made where there is none. */
static struct mapped_column *column_of(struct mapped_column **list, size_t *n,
                                       const struct run_log_field *field, int element)
{
    for (size_t i = 0; i < *n; i++)
        if ((*list)[i].field == field && (*list)[i].element == element)
            return &(*list)[i];
    struct mapped_column *grown = realloc(*list, (*n + 1) * sizeof **list);
    if (!grown)
        return NULL;
    *list = grown;
    grown[*n] = (struct mapped_column){.scale = 1, .field = field, .element = element};
    return &grown[(*n)++];
}

static enum det_code read_name(const struct mapping *mapping, const struct yaml_entry *entry,
                               const char *name, const struct run_log_field *fields,
                               size_t n_fields, struct mapped_column **list, size_t *n,
                               struct det_error *err)
{
    for (size_t i = 0; i < n_fields; i++) {
        int element;
        size_t length = match_field(&fields[i], name, &element);
        if (!length || !can_be_mapped(&fields[i]))
            continue;
        struct mapped_column *column = column_of(list, n, &fields[i], element);
        return column ? set_part(mapping, entry, name + length, column, err)
                      : det_fail(err, DET_NO_MEMORY, "no memory for a column");
    }
    return unknown_name(mapping, entry, name, fields, n_fields, err);
}

/* ---- the file ---- */

/* What follows `word` and a dot, or the end, in a path; NULL where it begins otherwise. */
static const char *behind(const char *path, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(path, word, length) != 0 || (path[length] && path[length] != '.'))
        return NULL;
    return path + length;
}

static enum det_code read_entry(struct mapping *mapping, const struct yaml_entry *entry,
                                struct det_error *err)
{
    size_t n;
    const char *rest;
    double number;
    if ((rest = behind(entry->path, "step")))
        return set_part(mapping, entry, rest, &mapping->step, err);
    if ((rest = behind(entry->path, "evaluation.step")))
        return set_part(mapping, entry, rest, &mapping->eval_step, err);
    if (strcmp(entry->path, "steps") == 0) {
        enum det_code code = read_real(mapping, entry, &number, err);
        if (code == DET_OK && !(number >= 1 && number <= 1e12))
            return fail_at(mapping, entry, "want the number of planned steps", err);
        mapping->steps = (int64_t)number;
        return code;
    }
    if ((rest = behind(entry->path, "training")) && *rest) {
        const struct run_log_field *fields = run_log_step_fields(&n);
        return read_name(mapping, entry, rest + 1, fields, n, &mapping->training,
                         &mapping->n_training, err);
    }
    if ((rest = behind(entry->path, "evaluation")) && *rest) {
        const struct run_log_field *fields = run_log_eval_fields(&n);
        return read_name(mapping, entry, rest + 1, fields, n, &mapping->evaluation,
                         &mapping->n_evaluation, err);
    }
    return fail_at(mapping, entry, "want step, steps, training or evaluation", err);
}

static enum det_code check(const struct mapping *mapping, struct det_error *err)
{
    if (!mapping->step.column)
        return det_fail(err, DET_INVALID, "%s: no `step`: which column counts the steps?",
                        mapping->path);
    if (mapping->n_training + mapping->n_evaluation == 0)
        return det_fail(err, DET_INVALID, "%s: neither `training` nor `evaluation` names a column",
                        mapping->path);
    for (int list = 0; list < 2; list++) {
        const struct mapped_column *at = list ? mapping->evaluation : mapping->training;
        size_t n = list ? mapping->n_evaluation : mapping->n_training;
        for (size_t i = 0; i < n; i++)
            if (!at[i].column)
                return det_fail(err, DET_INVALID, "%s: %s: no `column`", mapping->path,
                                at[i].field->key);
    }
    return DET_OK;
}

enum det_code mapping_read(const char *path, struct mapping *mapping, struct det_error *err)
{
    struct yaml_file *file;
    *mapping = (struct mapping){.step.scale = 1, .eval_step.scale = 1, .path = strdup(path)};
    if (!mapping->path)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory", path);
    enum det_code code = yaml_file_open(path, &file, err);
    if (code != DET_OK)
        return code;
    for (size_t i = 0; code == DET_OK && i < yaml_file_count(file); i++)
        code = read_entry(mapping, yaml_file_at(file, i), err);
    yaml_file_close(file);
    return code == DET_OK ? check(mapping, err) : code;
}

static void release_list(struct mapped_column *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].column);
    free(list);
}

void mapping_release(struct mapping *mapping)
{
    release_list(mapping->training, mapping->n_training);
    release_list(mapping->evaluation, mapping->n_evaluation);
    free(mapping->step.column);
    free(mapping->eval_step.column);
    free(mapping->path);
    *mapping = (struct mapping){0};
}

int mapping_number(struct mapped_column *column, const struct foreign_row *row, double *out)
{
    double number;
    if (!foreign_row_number(row, column->column, &number))
        return 0;
    column->seen = 1;
    *out = number * column->scale + column->offset;
    return 1;
}

static const char *unseen_of(const struct mapped_column *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!list[i].seen)
            return list[i].column;
    return NULL;
}

const char *mapping_unseen(const struct mapping *mapping)
{
    const char *name = unseen_of(mapping->training, mapping->n_training);
    return name ? name : unseen_of(mapping->evaluation, mapping->n_evaluation);
}
