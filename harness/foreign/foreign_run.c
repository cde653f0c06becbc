#include "harness/foreign/foreign_run.h"

#include "detector/base/edit_distance.h"
#include "detector/training/training_config.h"
#include "harness/log/log_fields_reader.h"
#include "harness/log/run_log_fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MAX 281474976710656.0 /* 2^48, as in our own logs */

/* ---- the run ---- */

/* One "judge.key=number" into the configuration. */
static enum det_code set_rule(json_t *config, const char *set, struct det_error *err)
{
    const char *equals = strchr(set, '=');
    char key[64], *end;
    snprintf(key, sizeof key, "%.*s", equals ? (int)(equals - set) : 0, set);
    const struct det_config_key *known = det_config_find(key);
    if (!known || strncmp(key, "judge.", 6) != 0)
        return det_fail(err, DET_INVALID,
                        "--set %s: of another trainer's run only judge.score, judge.consecutive, "
                        "judge.after and judge.stall_steps can be set",
                        set);
    double value = strtod(equals + 1, &end);
    if (!equals[1] || *end || !(value >= known->low && value <= known->high))
        return det_fail(err, DET_INVALID, "--set %s: want a number, %g to %g", set, known->low,
                        known->high);
    json_object_set_new(config, key, json_real(value));
    return DET_OK;
}

/* What stands for the run in tables: the file's name, or the folder's where that says more. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

enum det_code foreign_run_begin(const char *path, const char *format,
                                const struct foreign_options *options, struct logged_run **out,
                                struct det_error *err)
{
    struct logged_run *run = calloc(1, sizeof *run);
    json_t *header = json_pack("{s:s, s:s, s:{}, s:{}}", "name", name_of(path), "recipe", format,
                               "config", "environment");
    if (!run || !header || !(run->path = strdup(path))) {
        free(run);
        json_decref(header);
        return det_fail(err, DET_NO_MEMORY, "%s: no memory for the run", path);
    }
    run->header = header;
    run->format = format;
    run->strict = options->strict;
    run->name = json_string_value(json_object_get(header, "name"));
    run->recipe = format;
    run->config = json_object_get(header, "config");
    run->environment = json_object_get(header, "environment");
    enum det_code code = DET_OK;
    for (int i = 0; code == DET_OK && i < options->n_sets; i++)
        code = set_rule(json_object_get(header, "config"), options->sets[i], err);
    if (code == DET_OK)
        *out = run;
    else
        logged_run_close(run);
    return code;
}

struct run_log_step foreign_step(int64_t step)
{
    struct run_log_step out = {0};
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    run_log_clear(fields, n, &out);
    out.step = step;
    return out;
}

struct run_log_eval foreign_eval(int64_t step)
{
    struct run_log_eval out = {0};
    size_t n;
    const struct run_log_field *fields = run_log_eval_fields(&n);
    run_log_clear(fields, n, &out);
    out.step = step;
    return out;
}

static size_t size_of(const struct run_log_field *field)
{
    switch (field->type) {
    case RUN_LOG_FLAG:
        return sizeof(int);
    case RUN_LOG_LADDER:
        return RUN_LOG_THRESHOLDS * sizeof(int64_t);
    default:
        return 8; /* counts, numbers, hashes, pointers */
    }
}

static int is_list(const struct run_log_field *field)
{
    return field->type == RUN_LOG_CLASS_COUNTS || field->type == RUN_LOG_CLASS_SHARES ||
           field->type == RUN_LOG_CLASS_LADDERS;
}

/* What `from` has goes into `to`; lists move. */
static void complete(const struct run_log_field *fields, size_t n, void *to, const void *from)
{
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)to + fields[i].offset;
        if (!run_log_has(&fields[i], from))
            continue;
        if (is_list(&fields[i]))
            free(*(void **)at);
        memcpy(at, (const char *)from + fields[i].offset, size_of(&fields[i]));
    }
}

/* Training goes on from `step`: what an interrupted part logged beyond it did not happen. */
static void cut(struct logged_run *run, int64_t step)
{
    while (run->n_steps && run->steps[run->n_steps - 1].step >= step)
        run->n_steps--;
    while (run->n_evals && run->evals[run->n_evals - 1].step > step)
        log_release_eval(&run->evals[--run->n_evals]);
    run->n_resumes++;
}

enum det_code foreign_add_step(struct logged_run *run, const struct run_log_step *step,
                               struct det_error *err)
{
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    struct run_log_step *last = run->n_steps ? &run->steps[run->n_steps - 1] : NULL;
    if (last && last->step == step->step) {
        complete(fields, n, last, step);
        return DET_OK;
    }
    if (last && last->step > step->step)
        cut(run, step->step);
    struct run_log_step *added = logged_run_new_step(run);
    if (!added)
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu steps", run->n_steps + 1);
    *added = *step;
    run->n_steps++;
    return DET_OK;
}

enum det_code foreign_add_eval(struct logged_run *run, struct run_log_eval *eval,
                               struct det_error *err)
{
    size_t n, at = run->n_evals;
    const struct run_log_field *fields = run_log_eval_fields(&n);
    while (at > 0 && run->evals[at - 1].step > eval->step)
        at--;
    if (at > 0 && run->evals[at - 1].step == eval->step) {
        complete(fields, n, &run->evals[at - 1], eval);
        return DET_OK;
    }
    if (!logged_run_new_eval(run)) {
        log_release_eval(eval);
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu evaluations", run->n_evals + 1);
    }
    memmove(&run->evals[at + 1], &run->evals[at], (run->n_evals - at) * sizeof *run->evals);
    run->evals[at] = *eval;
    run->n_evals++;
    return DET_OK;
}

void foreign_run_finish(struct logged_run *run, int64_t planned)
{
    const struct run_log_step *last = run->n_steps ? &run->steps[run->n_steps - 1] : NULL;
    run->steps_done = last ? last->step + 1 : 0;
    if (run->n_evals && run->evals[run->n_evals - 1].step > run->steps_done)
        run->steps_done = run->evals[run->n_evals - 1].step;
    for (size_t i = 0; i < run->n_evals; i++)
        run->evals[i].n_classes = run->n_classes;
    /* Whoever logs every k steps may end less than k steps after the last line. */
    int64_t interval = run->n_steps > 1 ? last->step - last[-1].step : 1;
    if (planned > run->steps_done && planned - run->steps_done < interval)
        run->steps_done = planned;
    run->planned_unknown = planned <= 0;
    run->planned_steps = planned > 0 ? planned : run->steps_done;
}

enum det_code foreign_step_number(double number, const char *what, int64_t *out,
                                  struct det_error *err)
{
    if (!(number >= 0 && number <= STEP_MAX) || number != floor(number))
        return det_fail(err, DET_INVALID, "%s %g is not a number of steps", what, number);
    *out = (int64_t)number;
    return DET_OK;
}

int foreign_next_json(struct foreign_text *text, struct logged_run *run, struct foreign_row *row,
                      enum det_code *code, struct det_error *err)
{
    struct det_error why = {0};
    if (*code != DET_OK || !foreign_text_next(text))
        return 0;
    enum det_code read = foreign_row_json(row, text->line, text->length, &why);
    if (read == DET_OK)
        return 1;
    if (!text->whole && read == DET_INVALID) {
        run->torn = 1;
        return 0;
    }
    *code = det_fail(err, read, "not a line of JSON: %s", why.message);
    foreign_text_fail(text, *code, err);
    return 0;
}
