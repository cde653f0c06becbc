#include "harness/teacher/teacher.h"

#include "detector/base/file.h"
#include "harness/program/config_file.h"
#include "harness/program/environment.h"
#include "harness/teacher/teacher_step.h"
#include "harness/teacher/trace_file.h"
#include "harness/training/loader.h"
#include "harness/training/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one side, ready to step ---- */

struct side {
    const struct det_config *config;
    struct training_setup setup;
    struct loader loader;
    struct trace_origin origin;
};

static enum det_code check_config(const struct det_config *c, struct det_error *err)
{
    if (c->train_accumulate != 1)
        return det_fail(err, DET_INVALID, "train.accumulate %lld: a traced step has one pass",
                        (long long)c->train_accumulate);
    if (c->rpn_cls_loss == DET_CONFIG_LOSS_OHEM || c->roi_cls_loss == DET_CONFIG_LOSS_OHEM)
        return det_fail(err, DET_INVALID, "rpn_cls_loss, roi_cls_loss: which examples ohem keeps is "
                        "not traced");
    return DET_OK;
}

static void describe(struct side *s, const char *backend)
{
    struct run_log_environment e;
    environment_fill(&e, backend, s->setup.threads, s->config);
    s->origin.dataset = s->setup.train->checksum;
    snprintf(s->origin.precision, sizeof s->origin.precision, "%s", e.precision);
    snprintf(s->origin.made_by, sizeof s->origin.made_by, "%s %s, %s %.160s, BLAS core %s, %.64s, %s",
             backend, e.precision, e.compiler, e.flags, e.blas_core, e.cpu, e.commit);
}

static enum det_code side_open(struct side *s, const struct det_config *config,
                               const char *backend, struct det_error *err)
{
    s->config = config;
    enum det_code code = check_config(config, err);
    if (code == DET_OK)
        code = training_setup_open(&s->setup, config, backend, err);
    if (code == DET_OK)
        code = loader_open(&s->loader, s->setup.train, s->setup.pool,
                           (int)config->train_batch_size, (uint64_t)config->seed,
                           config->train_shuffle, err);
    if (code == DET_OK)
        describe(s, backend);
    return code;
}

static void side_close(struct side *s)
{
    loader_close(&s->loader);
    training_setup_close(&s->setup);
}

static struct pupil pupil_of(struct side *s)
{
    return (struct pupil){.model = s->setup.model,
                          .dev = s->setup.device,
                          .config = s->config,
                          .canvas_h = s->setup.train->canvas_h,
                          .canvas_w = s->setup.train->canvas_w,
                          .n_classes = s->setup.train->n_classes};
}

static enum det_code load(struct side *s, int64_t step, struct det_error *err)
{
    int batch = (int)s->config->train_batch_size;
    return loader_load(&s->loader, step * batch, batch, err);
}

/* The next step of the side's own run, recorded. */
static enum det_code advance(struct side *s, int64_t step, struct golden_step *golden,
                             struct det_error *err)
{
    int batch = (int)s->config->train_batch_size;
    enum det_code code = load(s, step, err);
    if (code != DET_OK)
        return code;
    golden->batch = batch_hash(s->loader.samples, batch, s->setup.train->canvas_h,
                               s->setup.train->canvas_w);
    return golden_step_make(golden, s->setup.model, s->setup.device, s->loader.samples, batch, step,
                            err);
}

static int64_t steps_of(const struct teacher_steps *steps, const struct det_config *config)
{
    return steps->n ? steps->n : (config->schedule_steps + steps->every - 1) / steps->every;
}

/* ---- recording ---- */

static enum det_code record(struct side *s, const char *folder, const struct teacher_steps *steps,
                            struct det_error *err)
{
    struct golden_step golden = {0};
    enum det_code code = DET_OK;
    int64_t last = (steps_of(steps, s->config) - 1) * steps->every;
    for (int64_t step = 0; step <= last && code == DET_OK; step++) {
        code = advance(s, step, &golden, err);
        if (code == DET_OK && step % steps->every == 0)
            code = trace_step_write(folder, &s->origin, &golden, s->setup.model, err);
    }
    golden_step_release(&golden);
    return code;
}

enum det_code teacher_trace(const struct det_config *config, const char *backend,
                            const char *folder, const struct teacher_steps *steps,
                            struct det_error *err)
{
    struct side s = {0};
    char path[4096];
    if (trace_holds_steps(folder))
        return det_fail(err, DET_INVALID, "%s: holds the steps of an earlier trace", folder);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    enum det_code code = side_open(&s, config, backend, err);
    if (code == DET_OK)
        code = det_make_folder(folder, err);
    if (code == DET_OK)
        code = config_save(config, path, err);
    if (code == DET_OK)
        code = record(&s, folder, steps, err);
    side_close(&s);
    return code;
}

/* ---- comparing ---- */

static enum det_code begin_report(struct teacher_report *out, const struct trace_origin *teacher,
                                  const struct trace_origin *pupil, size_t n,
                                  const char *tolerances_path, struct det_error *err)
{
    snprintf(out->teacher, sizeof out->teacher, "%s", teacher->made_by);
    snprintf(out->pupil, sizeof out->pupil, "%s", pupil->made_by);
    snprintf(out->precision[0], sizeof out->precision[0], "%s", teacher->precision);
    snprintf(out->precision[1], sizeof out->precision[1], "%s", pupil->precision);
    out->steps = calloc(n, sizeof *out->steps);
    if (!out->steps)
        return det_fail(err, DET_NO_MEMORY, "results of %zu steps", n);
    return tolerances_read(tolerances_path, teacher->precision, pupil->precision, &out->tolerances,
                           err);
}

/* One step of the trace; the first one that is read also begins the report. */
static enum det_code compare_traced(struct side *s, struct pupil *pupil, const struct trace *trace,
                                    size_t i, size_t n, const char *tolerances_path,
                                    struct golden_step *golden, struct teacher_report *out,
                                    struct det_error *err)
{
    struct trace_origin origin;
    int64_t step = trace->steps[i];
    enum det_code code = trace_step_read(trace, step, s->origin.dataset, s->setup.model, &origin,
                                         golden, err);
    if (code == DET_OK && i == 0)
        code = begin_report(out, &origin, &s->origin, n, tolerances_path, err);
    pupil->scaler_as_teacher = !strcmp(out->precision[0], out->precision[1]);
    if (code == DET_OK)
        code = load(s, step, err);
    if (code == DET_OK)
        code = teacher_step(pupil, golden, s->loader.samples, (int)s->config->train_batch_size,
                            &out->tolerances, &out->steps[i], err);
    out->n += code == DET_OK;
    return code;
}

enum det_code teacher_compare_trace(const char *folder, const struct teacher_side *pupil_side,
                                    const char *tolerances_path, const struct teacher_steps *steps,
                                    struct teacher_report *out, struct det_error *err)
{
    struct side s = {0};
    struct trace trace = {0};
    struct golden_step golden = {0};
    *out = (struct teacher_report){.n = 0};
    enum det_code code = trace_open(folder, &trace, err);
    if (code == DET_OK)
        code = side_open(&s, pupil_side->config, pupil_side->backend, err);
    struct pupil pupil = {0};
    if (code == DET_OK)
        pupil = pupil_of(&s);
    size_t n = steps->n && (size_t)steps->n < trace.n_steps ? (size_t)steps->n : trace.n_steps;
    for (size_t i = 0; i < n && code == DET_OK; i++)
        code = compare_traced(&s, &pupil, &trace, i, n, tolerances_path, &golden, out, err);
    pupil_release(&pupil);
    golden_step_release(&golden);
    trace_close(&trace);
    side_close(&s);
    return code;
}

static enum det_code compare_live(struct side *teacher, struct side *pupil_side,
                                  const struct teacher_steps *steps, struct teacher_report *out,
                                  struct det_error *err)
{
    struct golden_step golden = {0};
    struct pupil pupil = pupil_of(pupil_side);
    pupil.scaler_as_teacher = !strcmp(out->precision[0], out->precision[1]);
    int batch = (int)teacher->config->train_batch_size;
    int64_t last = (steps_of(steps, teacher->config) - 1) * steps->every;
    enum det_code code = DET_OK;
    for (int64_t step = 0; step <= last && code == DET_OK; step++) {
        code = advance(teacher, step, &golden, err);
        if (code != DET_OK || step % steps->every != 0)
            continue;
        code = teacher_step(&pupil, &golden, teacher->loader.samples, batch, &out->tolerances,
                            &out->steps[out->n], err);
        out->n += code == DET_OK;
    }
    pupil_release(&pupil);
    golden_step_release(&golden);
    return code;
}

enum det_code teacher_compare_live(const struct teacher_side *teacher,
                                   const struct teacher_side *pupil, const char *tolerances_path,
                                   const struct teacher_steps *steps, struct teacher_report *out,
                                   struct det_error *err)
{
    struct side a = {0}, b = {0};
    *out = (struct teacher_report){.n = 0};
    enum det_code code = side_open(&a, teacher->config, teacher->backend, err);
    if (code == DET_OK)
        code = side_open(&b, pupil->config, pupil->backend, err);
    if (code == DET_OK)
        code = begin_report(out, &a.origin, &b.origin, (size_t)steps_of(steps, a.config),
                            tolerances_path, err);
    if (code == DET_OK)
        code = compare_live(&a, &b, steps, out, err);
    side_close(&b);
    side_close(&a);
    return code;
}

int teacher_report_passes(const struct teacher_report *report)
{
    for (size_t i = 0; i < report->n; i++)
        if (!step_result_passes(&report->steps[i]))
            return 0;
    return report->n > 0;
}

void teacher_report_release(struct teacher_report *report)
{
    for (size_t i = 0; i < report->n; i++)
        flip_log_release(&report->steps[i].log);
    free(report->steps);
    *report = (struct teacher_report){.n = 0};
}
