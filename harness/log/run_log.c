#include "harness/log/run_log.h"

#include "detector/training/training_config.h"
#include "harness/log/json_text.h"
#include "harness/log/run_log_cut.h"
#include "harness/log/run_log_fields.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run_log {
    int file;
    char *path;            /* owned */
    off_t end;             /* of the last whole line */
    struct json_text line; /* reused */
};

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : RUN_LOG_NONE;
}

void run_log_step_from_stats(int64_t step, const struct det_step_stats *stats,
                             struct run_log_step *out)
{
    const struct det_cls_stats *rpn = &stats->rpn, *roi = &stats->roi;
    *out = (struct run_log_step){
        .step = step,
        .lr = stats->lr,
        .loss = stats->losses.total,
        .loss_rpn_cls = stats->losses.rpn_cls,
        .loss_rpn_bbox = stats->losses.rpn_bbox,
        .loss_cls = stats->losses.cls,
        .loss_bbox = stats->losses.bbox,
        .loss_mask = stats->losses.mask,
        .grad_norm = stats->grad_norm,
        .clipped = stats->clipped,
        .skipped = stats->skipped,
        .loss_scale = stats->loss_scale,
        .rpn_positives = rpn->positives,
        .rpn_negatives = rpn->negatives,
        .roi_positives = roi->positives,
        .roi_negatives = roi->negatives,
        .objects = stats->objects,
        .rpn_fg_accuracy = share(rpn->positives_right, rpn->positives),
        .fg_accuracy = share(roi->positives_right, roi->positives),
        .rpn_false_negative = share(rpn->positives_missed, rpn->positives),
        .false_negative = share(roi->positives_missed, roi->positives),
        .rpn_fg_share = share(rpn->predicted_positive, rpn->positives + rpn->negatives),
        .fg_share = share(roi->predicted_positive, roi->positives + roi->negatives),
        .max_objectness = (double)rpn->max_foreground,
        .max_score = (double)roi->max_foreground,
        .proposals = stats->proposals,
        .not_finite = stats->not_finite,
    };
}

/* ---- fields ---- */

static void put_share(struct json_text *line, const char *key, double value)
{
    if (value == RUN_LOG_NONE)
        json_text_null(line, key);
    else
        json_text_number(line, key, value);
}

static void put_counts(struct json_text *line, const char *key, const int64_t *counts, int n)
{
    json_text_open(line, key, '[');
    for (int i = 0; i < n; i++)
        json_text_int(line, NULL, counts[i]);
    json_text_close(line, ']');
}

static void put_shares(struct json_text *line, const char *key, const double *values, int n)
{
    json_text_open(line, key, '[');
    for (int i = 0; i < n; i++)
        put_share(line, NULL, values[i]);
    json_text_close(line, ']');
}

static void put_ladders(struct json_text *line, const char *key,
                        const int64_t (*ladders)[RUN_LOG_THRESHOLDS], int n)
{
    if (!ladders)
        return;
    json_text_open(line, key, '[');
    for (int i = 0; i < n; i++)
        put_counts(line, NULL, ladders[i], RUN_LOG_THRESHOLDS);
    json_text_close(line, ']');
}

/* Arrays inside the record, and pointers to arrays outside it, both come in through `at`. */
static void put_field(struct json_text *line, const struct run_log_field *field, const void *record,
                      int n_classes)
{
    const void *at = (const char *)record + field->offset;
    switch (field->type) {
    case RUN_LOG_INT:
        json_text_int(line, field->key, *(const int64_t *)at);
        break;
    case RUN_LOG_FLAG:
        json_text_flag(line, field->key, *(const int *)at);
        break;
    case RUN_LOG_NUMBER:
        json_text_number(line, field->key, *(const double *)at);
        break;
    case RUN_LOG_SHARE:
        put_share(line, field->key, *(const double *)at);
        break;
    case RUN_LOG_HASH:
        json_text_hex(line, field->key, *(const uint64_t *)at);
        break;
    case RUN_LOG_LADDER:
        put_counts(line, field->key, at, RUN_LOG_THRESHOLDS);
        break;
    case RUN_LOG_CLASS_COUNTS:
        put_counts(line, field->key, *(const int64_t *const *)at, n_classes);
        break;
    case RUN_LOG_CLASS_SHARES:
        put_shares(line, field->key, *(const double *const *)at, n_classes);
        break;
    case RUN_LOG_CLASS_LADDERS:
        put_ladders(line, field->key, *(const int64_t(*const *)[RUN_LOG_THRESHOLDS])at, n_classes);
        break;
    }
}

/* ---- lines ---- */

static struct json_text *begin(struct run_log *log, const char *event)
{
    json_text_begin(&log->line);
    json_text_open(&log->line, NULL, '{');
    json_text_string(&log->line, "event", event);
    return &log->line;
}

/* One write(2). Where it comes up short, the file is cut back to the last whole line. */
static enum det_code finish(struct run_log *log, struct det_error *err)
{
    json_text_close(&log->line, '}');
    enum det_code code = json_text_end(&log->line, err);
    if (code != DET_OK)
        return code;
    ssize_t written;
    do
        written = write(log->file, log->line.data, log->line.size);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)log->line.size) {
        log->end += written;
        return DET_OK;
    }
    const char *reason = written < 0 ? strerror(errno) : "no space left for the whole line";
    if (written > 0 && ftruncate(log->file, log->end) != 0)
        reason = "the line was written in part and could not be taken back";
    return det_fail(err, DET_IO, "%s: cannot append: %s", log->path, reason);
}

static enum det_code finish_synced(struct run_log *log, struct det_error *err)
{
    enum det_code code = finish(log, err);
    if (code == DET_OK && fdatasync(log->file) != 0 && errno != EINVAL)
        return det_fail(err, DET_IO, "%s: cannot sync: %s", log->path, strerror(errno));
    return code;
}

static void put_record(struct json_text *line, const struct run_log_field *fields, size_t n,
                       const void *record, int n_classes)
{
    for (size_t i = 0; i < n; i++)
        put_field(line, &fields[i], record, n_classes);
}

static void put_text(struct json_text *line, const char *key, const char *value)
{
    json_text_string(line, key, value ? value : "");
}

/* The configuration printer's text of a number, a flag or a list is JSON as it stands. */
static void put_config(struct json_text *line, const struct det_config *config)
{
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    json_text_open(line, "config", '{');
    for (size_t i = 0; i < n; i++) {
        char value[DET_CONFIG_TEXT_MAX + 8];
        det_config_print(config, &keys[i], value, sizeof value);
        if (keys[i].type == DET_CONFIG_TEXT || keys[i].type == DET_CONFIG_CHOICE)
            json_text_string(line, keys[i].name, value);
        else
            json_text_raw(line, keys[i].name, value);
    }
    json_text_close(line, '}');
}

static void put_environment(struct json_text *line, const struct run_log_environment *environment)
{
    json_text_open(line, "environment", '{');
    put_text(line, "backend", environment->backend);
    put_text(line, "device", environment->device);
    put_text(line, "precision", environment->precision);
    json_text_int(line, "threads", environment->threads);
    put_text(line, "compiler", environment->compiler);
    put_text(line, "flags", environment->flags);
    put_text(line, "blas", environment->blas);
    put_text(line, "blas_core", environment->blas_core);
    put_text(line, "cpu", environment->cpu);
    put_text(line, "commit", environment->commit);
    json_text_int(line, "memory_planned", environment->memory_planned);
    json_text_close(line, '}');
}

enum det_code run_log_write_run(struct run_log *log, const struct run_log_run *run,
                                struct det_error *err)
{
    struct json_text *line = begin(log, "run");
    json_text_int(line, "version", RUN_LOG_VERSION);
    put_text(line, "name", run->name);
    put_text(line, "recipe", run->recipe);
    json_text_hex(line, "dataset_checksum", run->dataset_checksum);
    json_text_int(line, "seed", run->seed);
    json_text_int(line, "steps", run->steps);
    json_text_open(line, "classes", '[');
    for (int i = 0; i < run->n_classes; i++)
        put_text(line, NULL, run->classes[i]);
    json_text_close(line, ']');
    json_text_int(line, "parameters", run->parameters);
    put_config(line, run->config);
    put_environment(line, &run->environment);
    return finish_synced(log, err);
}

enum det_code run_log_write_step(struct run_log *log, const struct run_log_step *step,
                                 struct det_error *err)
{
    size_t n;
    const struct run_log_field *fields = run_log_step_fields(&n);
    put_record(begin(log, "step"), fields, n, step, 0);
    return finish(log, err);
}

enum det_code run_log_write_eval(struct run_log *log, const struct run_log_eval *eval,
                                 struct det_error *err)
{
    struct json_text *line = begin(log, "eval");
    json_text_open(line, "thresholds", '[');
    for (int i = 0; i < RUN_LOG_THRESHOLDS; i++)
        json_text_number(line, NULL, run_log_thresholds[i]);
    json_text_close(line, ']');
    size_t n;
    const struct run_log_field *fields = run_log_eval_fields(&n);
    put_record(line, fields, n, eval, eval->n_classes);
    return finish(log, err);
}

enum det_code run_log_write_checkpoint(struct run_log *log, int64_t step, const char *file,
                                       int64_t skipped_steps, struct det_error *err)
{
    struct json_text *line = begin(log, "checkpoint");
    json_text_int(line, "step", step);
    put_text(line, "file", file);
    if (skipped_steps != RUN_LOG_UNKNOWN)
        json_text_int(line, "skipped_steps", skipped_steps);
    return finish_synced(log, err);
}

enum det_code run_log_write_resume(struct run_log *log, int64_t step, struct det_error *err)
{
    json_text_int(begin(log, "resume"), "step", step);
    return finish(log, err);
}

enum det_code run_log_write_stop(struct run_log *log, int64_t step, const char *reason,
                                 struct det_error *err)
{
    struct json_text *line = begin(log, "stop");
    json_text_int(line, "step", step);
    put_text(line, "reason", reason);
    return finish_synced(log, err);
}

enum det_code run_log_write_verdict(struct run_log *log, const struct verdict *verdict,
                                    struct det_error *err)
{
    struct json_text *line = begin(log, "verdict");
    verdict_put_json(line, verdict);
    return finish_synced(log, err);
}

/* ---- opening and closing ---- */

static enum det_code open_log(const char *path, int flags, off_t end, struct run_log **out,
                              struct det_error *err)
{
    struct run_log *log = calloc(1, sizeof *log);
    char *copy = strdup(path);
    if (!log || !copy) {
        free(log);
        free(copy);
        return det_fail(err, DET_NO_MEMORY, "%s: no memory for the run log", path);
    }
    log->path = copy;
    log->end = end;
    log->file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0644);
    if (log->file < 0) {
        det_fail(err, DET_IO, "%s: cannot open for writing: %s", path, strerror(errno));
        run_log_close(log);
        return DET_IO;
    }
    *out = log;
    return DET_OK;
}

enum det_code run_log_create(const char *path, struct run_log **out, struct det_error *err)
{
    return open_log(path, O_CREAT | O_TRUNC, 0, out, err);
}

enum det_code run_log_open_at(const char *path, int64_t step, struct run_log **out,
                              struct det_error *err)
{
    off_t end;
    enum det_code code = run_log_cut(path, step, &end, err);
    return code == DET_OK ? open_log(path, 0, end, out, err) : code;
}

void run_log_close(struct run_log *log)
{
    if (!log)
        return;
    if (log->file >= 0)
        close(log->file);
    json_text_release(&log->line);
    free(log->path);
    free(log);
}
