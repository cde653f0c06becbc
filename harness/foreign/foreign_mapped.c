/* A CSV, or JSON lines, by a mapping file. */
#include "harness/foreign/foreign_mapping.h"
#include "harness/foreign/foreign_run.h"

#include <math.h>
#include <string.h>

struct reader {
    struct mapping mapping;
    struct logged_run *run;
    int growing;
};

/* Put what the row has of the columns; returns how many. */
static int fill(struct mapped_column *columns, size_t n, const struct foreign_row *row,
                void *record)
{
    int taken = 0;
    double number;
    for (size_t i = 0; i < n; i++)
        if (mapping_number(&columns[i], row, &number))
            taken += foreign_put(columns[i].field, columns[i].element, number, record);
    return taken;
}

/* Steps are whole; a scale may leave rounding. */
static enum det_code read_step(struct mapped_column *column, const struct foreign_row *row,
                               int64_t *out, int *has, struct det_error *err)
{
    double number;
    *has = column->column && mapping_number(column, row, &number);
    if (!*has)
        return DET_OK;
    double whole = round(number);
    return foreign_step_number(fabs(number - whole) < 1e-6 ? whole : number, column->column, out,
                               err);
}

static enum det_code take_row(struct reader *reader, const struct foreign_row *row,
                              struct det_error *err)
{
    struct mapping *mapping = &reader->mapping;
    struct run_log_step step = foreign_step(0);
    struct run_log_eval eval = foreign_eval(0);
    int has_step = 0, has_eval_step = 0;
    enum det_code code = read_step(&mapping->step, row, &step.step, &has_step, err);
    if (code == DET_OK)
        code = read_step(&mapping->eval_step, row, &eval.step, &has_eval_step, err);
    int trained = fill(mapping->training, mapping->n_training, row, &step);
    int evaluated = fill(mapping->evaluation, mapping->n_evaluation, row, &eval);
    if (code != DET_OK || !(trained || evaluated))
        return code;
    if ((trained && !has_step) || (evaluated && !has_step && !has_eval_step))
        return det_fail(err, DET_INVALID, "values, but no step in column \"%s\"",
                        mapping->step.column);
    if (!has_eval_step)
        eval.step = step.step + 1;
    if (trained)
        code = foreign_add_step(reader->run, &step, err);
    return code == DET_OK && evaluated ? foreign_add_eval(reader->run, &eval, err) : code;
}

static enum det_code read_json(struct reader *reader, struct foreign_text *text,
                               struct det_error *err)
{
    struct foreign_row row = {0};
    enum det_code code = DET_OK;
    while (foreign_next_json(text, reader->run, &row, &code, err))
        if ((code = take_row(reader, &row, err)) != DET_OK)
            foreign_text_fail(text, code, err);
    foreign_row_release(&row);
    return code;
}

static enum det_code check_header(struct reader *reader, const struct foreign_row *header,
                                  struct det_error *err)
{
    const struct mapping *mapping = &reader->mapping;
    const char *missing = NULL;
    if (!foreign_row_find(header, mapping->step.column))
        missing = mapping->step.column;
    if (mapping->eval_step.column && !foreign_row_find(header, mapping->eval_step.column))
        missing = mapping->eval_step.column;
    for (size_t i = 0; i < mapping->n_training; i++)
        if (!foreign_row_find(header, mapping->training[i].column))
            missing = mapping->training[i].column;
    for (size_t i = 0; i < mapping->n_evaluation; i++)
        if (!foreign_row_find(header, mapping->evaluation[i].column))
            missing = mapping->evaluation[i].column;
    return missing ? det_fail(err, DET_INVALID, "the header has no column \"%s\", which %s names",
                              missing, mapping->path)
                   : DET_OK;
}

/* One line under the header; a last one without its end may be cut, also within a number. */
static enum det_code read_csv_line(struct reader *reader, struct foreign_text *text,
                                   const struct foreign_row *header, char delimiter,
                                   struct foreign_row *row, struct det_error *err)
{
    struct det_error why = {0};
    enum det_code code = foreign_row_csv(row, header, text->line, delimiter, &why);
    if (!text->whole && (reader->growing || code == DET_INVALID)) {
        reader->run->torn = 1;
        return DET_OK;
    }
    if (code != DET_OK)
        return det_fail(err, code, "%s", why.message);
    return take_row(reader, row, err);
}

static enum det_code read_csv(struct reader *reader, struct foreign_text *text,
                              struct det_error *err)
{
    struct foreign_row header = {0}, row = {0};
    char delimiter;
    if (!foreign_text_next(text))
        return det_fail(err, DET_INVALID, "%s: empty", text->path);
    enum det_code code = foreign_row_header(&header, text->line, &delimiter, err);
    if (code == DET_OK)
        code = check_header(reader, &header, err);
    while (code == DET_OK && foreign_text_next(text))
        code = read_csv_line(reader, text, &header, delimiter, &row, err);
    if (code != DET_OK)
        foreign_text_fail(text, code, err);
    foreign_row_release(&header);
    foreign_row_release(&row);
    return code;
}

enum det_code foreign_read_mapped(struct foreign_text *text, const struct foreign_options *options,
                                  struct logged_run *run, struct det_error *err)
{
    struct reader reader = {.run = run, .growing = options->growing};
    int json = strcmp(run->format, "jsonl") == 0;
    enum det_code code = mapping_read(options->mapping, &reader.mapping, err);
    if (code == DET_OK)
        code = json ? read_json(&reader, text, err) : read_csv(&reader, text, err);
    const char *unseen =
        code == DET_OK && json && !options->growing ? mapping_unseen(&reader.mapping) : NULL;
    if (unseen)
        code = det_fail(err, DET_INVALID, "%s: no line has a number \"%s\", which %s names",
                        text->path, unseen, options->mapping);
    foreign_run_finish(run, options->steps ? options->steps : reader.mapping.steps);
    mapping_release(&reader.mapping);
    return code;
}
