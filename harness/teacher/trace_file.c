#include "harness/teacher/trace_file.h"

#include "detector/base/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "1"
#define NAME_SIZE 128
#define MAX_DIMS 4

/* ---- one list of tensors, for writing and for reading ---- */

struct trace_io {
    const struct det_safetensors *file; /* NULL: writing */
    const char *path;
    struct det_named_tensor *tensors; /* writing; owned */
    char (*names)[NAME_SIZE];         /* owned */
    size_t n, capacity;
    double counters[2][3]; /* before and after, while they are on their way */
    int32_t outcome[2];
    enum det_code code; /* the first failure; nothing is done after it */
    struct det_error *err;
};

struct shape {
    enum det_dtype dtype;
    int n_dims;
    int dims[MAX_DIMS];
};

static void write_tensor(struct trace_io *io, const char *name, const struct shape *shape,
                         const void *data)
{
    if (io->n == io->capacity) {
        io->code = det_fail(io->err, DET_INVALID, "%s: more than %zu tensors", io->path, io->n);
        return;
    }
    struct det_named_tensor *t = &io->tensors[io->n];
    snprintf(io->names[io->n], NAME_SIZE, "%s", name);
    *t = (struct det_named_tensor){.name = io->names[io->n++], .dtype = shape->dtype,
                                   .n_dims = shape->n_dims, .data = data};
    t->bytes = det_dtype_size(shape->dtype);
    for (int i = 0; i < shape->n_dims; i++) {
        t->dims[i] = shape->dims[i];
        t->bytes *= (size_t)shape->dims[i];
    }
}

static const struct det_named_tensor *find_tensor(struct trace_io *io, const char *name,
                                                  const struct shape *shape)
{
    const struct det_named_tensor *t = det_safetensors_find(io->file, name);
    int same = t && t->dtype == shape->dtype && t->n_dims == shape->n_dims;
    for (int i = 0; same && i < shape->n_dims; i++)
        same = t->dims[i] == shape->dims[i];
    if (same)
        return t;
    io->code = det_fail(io->err, DET_INVALID, "%s: tensor %s %s", io->path, name,
                        t ? "has another shape or type: another configuration" : "is missing");
    return NULL;
}

/* A tensor at `data`, written from there or read into it. */
static void transfer(struct trace_io *io, const char *name, const struct shape *shape, void *data)
{
    if (io->code != DET_OK)
        return;
    if (!io->file) {
        write_tensor(io, name, shape, data);
        return;
    }
    const struct det_named_tensor *t = find_tensor(io, name, shape);
    if (t)
        memcpy(data, t->data, t->bytes);
    io->n += t != NULL;
}

/* What was there, or new room. */
static void *room(struct trace_io *io, void *there, size_t bytes)
{
    if (io->code == DET_OK && !there && !(there = malloc(bytes + 1)))
        io->code = det_fail(io->err, DET_NO_MEMORY, "%s: %zu bytes", io->path, bytes);
    return there;
}

static void transfer_part(struct trace_io *io, const char *prefix, struct det_model *model,
                          enum parameter_part part, struct parameter_floats *floats)
{
    size_t at = 0;
    if (io->file) {
        floats->n = parameter_floats_count(model, part);
        floats->at = room(io, floats->at, floats->n * sizeof *floats->at);
    }
    for (size_t i = 0; i < det_model_parameter_count(model) && io->code == DET_OK; i++) {
        const struct det_parameter *p = det_model_parameter(model, i);
        struct shape shape = {DET_F32, p->n_dims, {0}};
        char name[NAME_SIZE];
        if (!parameter_part(p, part))
            continue;
        memcpy(shape.dims, p->dims, sizeof shape.dims);
        snprintf(name, sizeof name, "%s.%s", prefix, p->name);
        transfer(io, name, &shape, floats->at + at);
        at += p->size;
    }
}

static void transfer_state(struct trace_io *io, const char *prefix, struct det_model *model,
                           struct model_state *state)
{
    static const char *const parts[] = {"value", "state1", "state2"};
    static const enum parameter_part part_of[] = {PART_VALUE, PART_STATE1, PART_STATE2};
    struct parameter_floats *floats[] = {&state->values, &state->state1, &state->state2};
    char name[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, parts[i]);
        transfer_part(io, name, model, part_of[i], floats[i]);
    }
}

/* As with decisions, how many there are is the file's own matter. */
static void transfer_kinks(struct trace_io *io, struct kinks *k)
{
    if (io->file) {
        const struct det_named_tensor *units = det_safetensors_find(io->file, "units");
        const struct det_named_tensor *maxima = det_safetensors_find(io->file, "maxima");
        kinks_release(k);
        k->n_units = units && units->dims[0] <= INT32_MAX ? units->bytes : 0;
        k->n_maxima = maxima && maxima->dims[0] <= INT32_MAX ? maxima->bytes / sizeof(int32_t) : 0;
        k->units = room(io, NULL, k->n_units);
        k->maxima = room(io, NULL, k->n_maxima * sizeof *k->maxima);
    }
    transfer(io, "units", &(struct shape){DET_U8, 1, {(int)k->n_units}}, k->units);
    transfer(io, "maxima", &(struct shape){DET_I32, 1, {(int)k->n_maxima}}, k->maxima);
}

/* The shape of decisions is the file's own; pass_decisions_check compares it with the model's once
 * that knows its batch. */
static void transfer_decision(struct trace_io *io, enum decision_array array,
                              struct pass_decisions *d)
{
    static const enum det_dtype dtypes[] = {
        [DET_TAP_FLOAT] = DET_F32, [DET_TAP_INT32] = DET_I32, [DET_TAP_INT8] = DET_I8};
    struct decision_data *data = &d->array[array];
    if (io->file) {
        const struct det_named_tensor *t = det_safetensors_find(io->file, decision_name(array));
        int known = t && t->n_dims == 2 && t->dims[0] <= INT32_MAX && t->dims[1] <= INT32_MAX;
        data->type = t && t->dtype == DET_I8    ? DET_TAP_INT8
                     : t && t->dtype == DET_I32 ? DET_TAP_INT32
                                                : DET_TAP_FLOAT;
        data->rows = known ? (int)t->dims[0] : 0;
        data->columns = known ? (int)t->dims[1] : 0;
        free(data->at);
        data->bytes = known ? t->bytes : 0;
        data->at = room(io, NULL, data->bytes);
    }
    struct shape shape = {dtypes[data->type], 2, {data->rows, data->columns}};
    transfer(io, decision_name(array), &shape, data->at);
}

static void transfer_step(struct trace_io *io, struct det_model *model, struct golden_step *step)
{
    const struct shape counters = {DET_F64, 1, {3}};
    transfer_state(io, "", model, &step->before);
    transfer_part(io, "grad", model, PART_GRADIENT, &step->gradients);
    transfer_state(io, "after.", model, &step->after);
    transfer(io, "counters", &counters, io->counters[0]);
    transfer(io, "after.counters", &counters, io->counters[1]);
    transfer(io, "losses", &(struct shape){DET_F64, 1, {STEP_LOSSES}}, step->losses);
    transfer(io, "grad_norm", &(struct shape){DET_F64, 1, {1}}, &step->grad_norm);
    transfer(io, "outcome", &(struct shape){DET_I32, 1, {2}}, io->outcome);
    transfer_kinks(io, &step->kinks);
    for (int a = 0; a < DECISION_ARRAYS; a++)
        transfer_decision(io, (enum decision_array)a, &step->decisions);
}

static void step_path(const char *folder, int64_t step, char *path, size_t size)
{
    snprintf(path, size, "%s/%06" PRId64 ".safetensors", folder, step);
}

/* ---- writing ---- */

static void counters_to_file(const struct det_counters *c, double numbers[3])
{
    numbers[0] = (double)c->updates;
    numbers[1] = c->loss_scale;
    numbers[2] = (double)c->loss_scale_clean;
}

static enum det_code write_file(struct trace_io *io, const struct trace_origin *origin,
                                const struct golden_step *step)
{
    static const char *const keys[] = {"trace",   "step",      "batch",
                                       "dataset", "precision", "made_by"};
    char number[32], batch[32], dataset[32];
    snprintf(number, sizeof number, "%" PRId64, step->step);
    snprintf(batch, sizeof batch, "%016" PRIx64, step->batch);
    snprintf(dataset, sizeof dataset, "%016" PRIx64, origin->dataset);
    const char *values[] = {FORMAT, number, batch, dataset, origin->precision, origin->made_by};
    return det_safetensors_write(io->path, io->tensors, io->n, keys, values,
                                 sizeof keys / sizeof *keys, io->err);
}

enum det_code trace_step_write(const char *folder, const struct trace_origin *origin,
                               const struct golden_step *step, struct det_model *model,
                               struct det_error *err)
{
    char path[4096];
    step_path(folder, step->step, path, sizeof path);
    struct golden_step writable = *step; /* arrays are shared, and only read */
    struct trace_io io = {.path = path, .err = err,
                          .capacity = 7 * det_model_parameter_count(model) + DECISION_ARRAYS + 8};
    io.tensors = calloc(io.capacity, sizeof *io.tensors);
    io.names = calloc(io.capacity, sizeof *io.names);
    if (!io.tensors || !io.names)
        io.code = det_fail(err, DET_NO_MEMORY, "%s: %zu tensors", path, io.capacity);
    counters_to_file(&step->before.counters, io.counters[0]);
    counters_to_file(&step->after.counters, io.counters[1]);
    io.outcome[0] = step->clipped;
    io.outcome[1] = step->skipped;
    transfer_step(&io, model, &writable);
    if (io.code == DET_OK)
        io.code = write_file(&io, origin, step);
    free(io.tensors);
    free(io.names);
    return io.code;
}

/* ---- reading ---- */

static enum det_code read_hex(const struct trace_io *io, const char *key, uint64_t *out)
{
    const char *text = det_safetensors_metadata(io->file, key);
    char *end = NULL;
    unsigned long long value = text ? strtoull(text, &end, 16) : 0;
    if (!text || end == text || *end)
        return det_fail(io->err, DET_INVALID, "%s: metadata %s is %s", io->path, key,
                        text ? text : "missing");
    *out = value;
    return DET_OK;
}

static enum det_code read_metadata(const struct trace_io *io, struct trace_origin *origin,
                                   struct golden_step *step)
{
    const char *format = det_safetensors_metadata(io->file, "trace");
    if (!format || strcmp(format, FORMAT) != 0)
        return det_fail(io->err, DET_INVALID, "%s: a trace of format " FORMAT " is needed, this is %s",
                        io->path, format ? format : "none");
    const char *precision = det_safetensors_metadata(io->file, "precision");
    const char *made_by = det_safetensors_metadata(io->file, "made_by");
    snprintf(origin->precision, sizeof origin->precision, "%s", precision ? precision : "");
    snprintf(origin->made_by, sizeof origin->made_by, "%s", made_by ? made_by : "unknown");
    enum det_code code = read_hex(io, "batch", &step->batch);
    return code == DET_OK ? read_hex(io, "dataset", &origin->dataset) : code;
}

static enum det_code counters_from_file(const struct trace_io *io, const double x[3],
                                        struct det_counters *out)
{
    if (!(x[0] >= 0 && x[0] < 1e15 && x[1] > 0 && x[1] < 1e38 && x[2] >= 0 && x[2] < 1e15))
        return det_fail(io->err, DET_INVALID, "%s: %g %g %g are no counters", io->path, x[0], x[1],
                        x[2]);
    *out = (struct det_counters){(int64_t)x[0], x[1], (int64_t)x[2]};
    return DET_OK;
}

static void read_step(struct trace_io *io, uint64_t dataset, struct det_model *model,
                      struct trace_origin *origin, struct golden_step *out)
{
    io->code = read_metadata(io, origin, out);
    if (io->code == DET_OK && origin->dataset != dataset)
        io->code = det_fail(io->err, DET_INVALID, "%s: recorded on another dataset: checksum "
                            "%016" PRIx64 " there, %016" PRIx64 " here", io->path, origin->dataset,
                            dataset);
    transfer_step(io, model, out);
    if (io->code == DET_OK)
        io->code = counters_from_file(io, io->counters[0], &out->before.counters);
    if (io->code == DET_OK)
        io->code = counters_from_file(io, io->counters[1], &out->after.counters);
    out->clipped = io->outcome[0];
    out->skipped = io->outcome[1];
    if (io->code == DET_OK && io->n != det_safetensors_count(io->file))
        io->code = det_fail(io->err, DET_INVALID, "%s: %zu tensors, the model's trace has %zu",
                            io->path, det_safetensors_count(io->file), io->n);
}

enum det_code trace_step_read(const struct trace *trace, int64_t step, uint64_t dataset,
                              struct det_model *model, struct trace_origin *origin,
                              struct golden_step *out, struct det_error *err)
{
    char path[4096];
    struct det_safetensors *file = NULL;
    step_path(trace->folder, step, path, sizeof path);
    enum det_code code = det_safetensors_open(path, &file, err);
    if (code != DET_OK)
        return code;
    struct trace_io io = {.file = file, .path = path, .err = err};
    out->step = step;
    read_step(&io, dataset, model, origin, out);
    det_safetensors_close(file);
    return io.code;
}

/* ---- the folder ---- */

/* The step that a file's name tells, or -1. */
static int64_t step_of(const char *name)
{
    char *end;
    if (name[0] < '0' || name[0] > '9')
        return -1;
    long long step = strtoll(name, &end, 10);
    return end - name >= 6 && !strcmp(end, ".safetensors") ? step : -1;
}

static int compare_steps(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static enum det_code add_step(struct trace *trace, size_t *capacity, int64_t step,
                              struct det_error *err)
{
    if (trace->n_steps == *capacity) {
        *capacity = 2 * *capacity + 64;
        int64_t *more = realloc(trace->steps, *capacity * sizeof *more);
        if (!more)
            return det_fail(err, DET_NO_MEMORY, "%s: %zu steps", trace->folder, *capacity);
        trace->steps = more;
    }
    trace->steps[trace->n_steps++] = step;
    return DET_OK;
}

enum det_code trace_open(const char *folder, struct trace *out, struct det_error *err)
{
    *out = (struct trace){.folder = folder};
    DIR *directory = opendir(folder);
    if (!directory)
        return det_fail(err, DET_IO, "%s: %s", folder, strerror(errno));
    enum det_code code = DET_OK;
    size_t capacity = 0;
    for (const struct dirent *entry; code == DET_OK && (entry = readdir(directory));)
        if (step_of(entry->d_name) >= 0)
            code = add_step(out, &capacity, step_of(entry->d_name), err);
    closedir(directory);
    if (code == DET_OK && out->n_steps == 0)
        code = det_fail(err, DET_INVALID, "%s: no recorded step (000000.safetensors, ...): make "
                        "one with `detcheck trace`", folder);
    if (out->n_steps)
        qsort(out->steps, out->n_steps, sizeof *out->steps, compare_steps);
    if (code != DET_OK)
        trace_close(out);
    return code;
}

void trace_close(struct trace *trace)
{
    free(trace->steps);
    trace->steps = NULL;
    trace->n_steps = 0;
}

int trace_holds_steps(const char *folder)
{
    struct trace trace;
    int holds = trace_open(folder, &trace, NULL) == DET_OK;
    if (holds)
        trace_close(&trace);
    return holds;
}
