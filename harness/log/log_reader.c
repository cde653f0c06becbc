#include "harness/log/log_reader.h"

#include "detector/base/file.h"
#include "detector/training/training_config.h"
#include "harness/log/log_fields_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Room for one element more in a growing array; NULL where there is no memory. */
static void *next_element(void **array, size_t n, size_t *capacity, size_t size)
{
    if (n == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 64;
        void *grown = realloc(*array, more * size);
        if (!grown)
            return NULL;
        *array = grown;
        *capacity = more;
    }
    void *element = (char *)*array + n * size;
    memset(element, 0, size);
    return element;
}

struct run_log_step *logged_run_new_step(struct logged_run *run)
{
    return next_element((void **)&run->steps, run->n_steps, &run->steps_capacity,
                        sizeof *run->steps);
}

struct run_log_eval *logged_run_new_eval(struct logged_run *run)
{
    return next_element((void **)&run->evals, run->n_evals, &run->evals_capacity,
                        sizeof *run->evals);
}

static void steps_reach(struct logged_run *run, int64_t step)
{
    if (step > run->steps_done)
        run->steps_done = step;
}

static enum det_code read_classes(struct logged_run *run, const json_t *line, struct det_error *err)
{
    const json_t *classes = json_object_get(line, "classes");
    if (!json_is_array(classes))
        return det_fail(err, DET_INVALID, "run line: \"classes\" must be a list of names");
    run->n_classes = (int)json_array_size(classes);
    run->classes = calloc((size_t)run->n_classes + 1, sizeof *run->classes);
    if (!run->classes)
        return det_fail(err, DET_NO_MEMORY, "no memory for %d class names", run->n_classes);
    for (int i = 0; i < run->n_classes; i++) {
        run->classes[i] = json_string_value(json_array_get(classes, (size_t)i));
        if (!run->classes[i])
            return det_fail(err, DET_INVALID, "run line: \"classes\" must be a list of names");
    }
    return DET_OK;
}

/* Numbers of known keys lie in the keys' ranges: the judge and the plots rely on it. */
static enum det_code check_config(const json_t *config, struct det_error *err)
{
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(config, keys[i].name);
        if (!value || (keys[i].type != DET_CONFIG_INT && keys[i].type != DET_CONFIG_FLOAT))
            continue;
        double x = json_number_value(value);
        if (!json_is_number(value) || !(x >= keys[i].low && x <= keys[i].high))
            return det_fail(err, DET_INVALID, "config: %s must be a number, %g to %g", keys[i].name,
                            keys[i].low, keys[i].high);
    }
    return DET_OK;
}

static enum det_code read_header(struct logged_run *run, json_t *line, struct det_error *err)
{
    if (run->header)
        return det_fail(err, DET_INVALID, "a second run line");
    run->header = json_incref(line);
    int64_t version = json_integer_value(json_object_get(line, "version"));
    if (version != RUN_LOG_VERSION)
        return det_fail(err, DET_INVALID, "run log version %lld, this program reads version %d",
                        (long long)version, RUN_LOG_VERSION);
    run->name = json_string_value(json_object_get(line, "name"));
    run->recipe = json_string_value(json_object_get(line, "recipe"));
    run->config = json_object_get(line, "config");
    run->environment = json_object_get(line, "environment");
    if (!run->name || !run->recipe || !json_is_object(run->config) ||
        !json_is_object(run->environment))
        return det_fail(err, DET_INVALID,
                        "run line: needs \"name\", \"recipe\", \"config\" and \"environment\"");
    enum det_code code = log_read_count(line, "steps", &run->planned_steps, err);
    if (code == DET_OK)
        code = check_config(run->config, err);
    if (code != DET_OK)
        return det_fail_in(err, code, "run line");
    run->seed = json_integer_value(json_object_get(line, "seed"));
    run->parameters = json_integer_value(json_object_get(line, "parameters"));
    const char *checksum = json_string_value(json_object_get(line, "dataset_checksum"));
    run->dataset_checksum = checksum ? strtoull(checksum, NULL, 16) : 0;
    return read_classes(run, line, err);
}

static enum det_code read_step(struct logged_run *run, const json_t *line, struct det_error *err)
{
    struct run_log_step *step = logged_run_new_step(run);
    if (!step)
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu steps", run->n_steps + 1);
    enum det_code code = log_read_step(line, step, err);
    if (code != DET_OK)
        return code;
    if (run->n_steps && step->step <= step[-1].step)
        return det_fail(err, DET_INVALID, "step %lld comes after step %lld", (long long)step->step,
                        (long long)step[-1].step);
    run->n_steps++;
    steps_reach(run, step->step + 1);
    return DET_OK;
}

static enum det_code read_eval(struct logged_run *run, const json_t *line, struct det_error *err)
{
    struct run_log_eval *eval = logged_run_new_eval(run);
    if (!eval)
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu evaluations", run->n_evals + 1);
    eval->n_classes = run->n_classes;
    run->n_evals++; /* counted before it is read: closing the run frees what it holds by then */
    enum det_code code = log_read_eval(line, eval, err);
    if (code != DET_OK)
        return code;
    if (run->n_evals > 1 && eval->step <= eval[-1].step)
        return det_fail(err, DET_INVALID, "evaluation at step %lld comes after step %lld",
                        (long long)eval->step, (long long)eval[-1].step);
    steps_reach(run, eval->step);
    return DET_OK;
}

static enum det_code read_checkpoint(struct logged_run *run, const json_t *line,
                                     struct det_error *err)
{
    int64_t step;
    enum det_code code = log_read_count(line, "step", &step, err);
    if (code == DET_OK)
        steps_reach(run, step);
    if (code == DET_OK && json_object_get(line, "skipped_steps"))
        code = log_read_count(line, "skipped_steps", &run->skipped_steps, err);
    return code;
}

static enum det_code read_line(struct logged_run *run, json_t *line, struct det_error *err)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    if (!event)
        return det_fail(err, DET_INVALID, "not an object with an \"event\"");
    if (strcmp(event, "run") == 0)
        return read_header(run, line, err);
    if (!run->header)
        return det_fail(err, DET_INVALID, "a log begins with its run line, this one with \"%.40s\"",
                        event);
    if (strcmp(event, "step") == 0)
        return read_step(run, line, err);
    if (strcmp(event, "eval") == 0)
        return read_eval(run, line, err);
    if (strcmp(event, "checkpoint") == 0)
        return read_checkpoint(run, line, err);
    if (strcmp(event, "resume") == 0)
        run->n_resumes++;
    if (strcmp(event, "stop") == 0) {
        json_decref(run->stop);
        run->stop = json_incref(line);
        run->stop_reason = json_string_value(json_object_get(line, "reason"));
    }
    return DET_OK;
}

static enum det_code read_text(struct logged_run *run, const char *text, size_t size,
                               struct det_error *err)
{
    const char *at = text, *end = text + size;
    for (int number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        json_error_t why;
        json_t *line = json_loadb(at, (size_t)(stop - at), JSON_REJECT_DUPLICATES, &why);
        if (!line && !newline) {
            run->torn = 1;
            break;
        }
        enum det_code code = line ? read_line(run, line, err)
                                  : det_fail(err, DET_INVALID, "not a line of JSON: %s", why.text);
        json_decref(line);
        if (code != DET_OK) {
            char place[300];
            snprintf(place, sizeof place, "%.280s:%d", run->path, number);
            return det_fail_in(err, code, place);
        }
        at = stop + 1;
    }
    if (!run->header)
        return det_fail(err, DET_INVALID, "%s: no run line: not a run log, or cut off at once",
                        run->path);
    return DET_OK;
}

/* A folder stands for its log.jsonl. */
static char *log_path(const char *path)
{
    struct stat info;
    int folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    size_t size = strlen(path) + sizeof "/log.jsonl";
    char *full = malloc(size);
    if (full)
        snprintf(full, size, "%s%s", path, folder ? "/log.jsonl" : "");
    return full;
}

enum det_code logged_run_open(const char *path, struct logged_run **out, struct det_error *err)
{
    struct logged_run *run = calloc(1, sizeof *run);
    if (!run || !(run->path = log_path(path))) {
        free(run);
        return det_fail(err, DET_NO_MEMORY, "%s: no memory for the run log", path);
    }
    char *text = NULL;
    size_t size;
    enum det_code code = det_file_read(run->path, &text, &size, err);
    if (code == DET_OK)
        code = read_text(run, text, size, err);
    free(text);
    if (code != DET_OK) {
        logged_run_close(run);
        return code;
    }
    *out = run;
    return DET_OK;
}

void logged_run_close(struct logged_run *run)
{
    if (!run)
        return;
    for (size_t i = 0; i < run->n_evals; i++)
        log_release_eval(&run->evals[i]);
    free(run->evals);
    free(run->steps);
    free(run->classes);
    free(run->path);
    json_decref(run->stop);
    json_decref(run->header);
    free(run);
}

double logged_config_number(const struct logged_run *run, const char *key, double otherwise)
{
    const json_t *value = json_object_get(run->config, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

void logged_value_text(const json_t *value, char *out, size_t size)
{
    if (json_is_string(value)) {
        snprintf(out, size, "%s", json_string_value(value));
        return;
    }
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
    snprintf(out, size, "%s", text ? text : "");
    free(text);
}

const char *logged_class_name(const struct logged_run *run, int k)
{
    return k >= 0 && k < run->n_classes ? run->classes[k] : "?";
}

int64_t logged_detections(const struct run_log_eval *eval)
{
    int64_t sum = 0;
    if (!eval->detections_per_class)
        return RUN_LOG_UNKNOWN;
    for (int k = 0; k < eval->n_classes; k++)
        sum += eval->detections_per_class[k];
    return sum;
}
