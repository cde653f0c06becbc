#include "harness/training/trainer.h"

#include "detector/base/file.h"
#include "harness/program/config_file.h"
#include "harness/program/environment.h"
#include "harness/statistics/clock.h"
#include "harness/training/evaluator.h"
#include "harness/training/loader.h"
#include "harness/training/resume.h"
#include "harness/training/setup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct trainer {
    const struct trainer_options *options;
    struct det_config config; /* a copy: image_size and the like resolved */
    struct training_setup setup;
    struct loader loader;
    struct evaluator evaluator;
    struct run_log *log;
    int64_t step;   /* optimiser steps done */
    int64_t brought; /* the position whose batch is on the device already; -1: none */
    int stopped;
};

static int path_in(const struct trainer *t, const char *file, char *path, size_t size)
{
    return snprintf(path, size, "%s/%s", t->options->folder, file) < (int)size;
}

static enum det_code open_loaders(struct trainer *t, struct det_error *err)
{
    const struct det_config *c = &t->config;
    enum det_code code = loader_open(&t->loader, t->setup.train, t->setup.pool,
                                     (int)c->train_batch_size, (uint64_t)c->seed, c->train_shuffle,
                                     err);
    return code == DET_OK ? evaluator_open(&t->evaluator, c, t->setup.val, t->setup.pool, err)
                          : code;
}

static enum det_code write_first_line(struct trainer *t, struct det_error *err)
{
    struct run_log_run run = {
        .name = t->options->name,
        .recipe = t->config.data,
        .dataset_checksum = t->setup.train->checksum,
        .seed = t->config.seed,
        .steps = t->config.schedule_steps,
        .n_classes = t->setup.train->n_classes,
        .classes = t->setup.train->class_names,
        .config = &t->config,
    };
    for (size_t i = 0; i < det_model_parameter_count(t->setup.model); i++)
        if (!det_model_parameter(t->setup.model, i)->buffer)
            run.parameters += (int64_t)det_model_parameter(t->setup.model, i)->size;
    environment_fill(&run.environment, t->options->backend, t->setup.threads, &t->config);
    run.environment.device = t->setup.device->ops->describe(t->setup.device);
    run.environment.memory_planned = (int64_t)det_model_memory(t->setup.model);
    return run_log_write_run(t->log, &run, err);
}

/* The checkpoint of an earlier run in the folder is not to be taken for one of this run. */
static enum det_code remove_old_checkpoint(const struct trainer *t, struct det_error *err)
{
    char path[4096];
    path_in(t, "checkpoint.safetensors", path, sizeof path);
    det_file_remove_leftovers(t->options->folder, "checkpoint.safetensors");
    if (unlink(path) == 0 || errno == ENOENT)
        return DET_OK;
    return det_fail(err, DET_IO, "%s: cannot remove the earlier run's: %s", path, strerror(errno));
}

static enum det_code start_new(struct trainer *t, struct det_error *err)
{
    char path[4096];
    enum det_code code = DET_OK;
    if (t->options->weights)
        code = det_checkpoint_load(t->setup.model, t->options->weights, 0, NULL, err);
    if (code != DET_OK || (code = det_make_folder(t->options->folder, err)) != DET_OK ||
        (code = remove_old_checkpoint(t, err)) != DET_OK)
        return code;
    path_in(t, "config.yaml", path, sizeof path);
    if ((code = config_save(&t->config, path, err)) != DET_OK)
        return code;
    path_in(t, "log.jsonl", path, sizeof path);
    code = run_log_create(path, &t->log, err);
    return code == DET_OK ? write_first_line(t, err) : code;
}

static enum det_code start_again(struct trainer *t, struct det_error *err)
{
    char log[4096], path[4096];
    path_in(t, "log.jsonl", log, sizeof log);
    path_in(t, "checkpoint.safetensors", path, sizeof path);
    enum det_code code = resume_check(log, &t->config, t->setup.train->checksum, err);
    if (code == DET_OK && access(path, F_OK) != 0)
        return det_fail(err, DET_IO, "%s: %s: the run had not come to its first checkpoint; train it "
                        "anew, without --resume", path, strerror(errno));
    if (code == DET_OK)
        code = det_checkpoint_load(t->setup.model, path, 1, &t->step, err);
    if (code != DET_OK || (code = run_log_open_at(log, t->step, &t->log, err)) != DET_OK)
        return code;
    det_file_remove_leftovers(t->options->folder, "checkpoint.safetensors");
    return run_log_write_resume(t->log, t->step, err);
}

static enum det_code open_run(struct trainer *t, struct det_error *err)
{
    char path[4096];
    if (!path_in(t, "checkpoint.safetensors.temporary", path, sizeof path))
        return det_fail(err, DET_INVALID, "%s: the path is too long", t->options->folder);
    enum det_code code = training_setup_open(&t->setup, &t->config, t->options->backend, err);
    if (code != DET_OK || (code = open_loaders(t, err)) != DET_OK)
        return code;
    return t->options->resume ? start_again(t, err) : start_new(t, err);
}

/* The position in the training order at which a pass begins. */
static int64_t position_of(const struct trainer *t, int64_t step, int64_t pass)
{
    return (step * t->config.train_accumulate + pass) * t->config.train_batch_size;
}

/* The batch at `position` made and sent to the device, unless it is there. */
static enum det_code bring(struct trainer *t, int64_t position, struct det_error *err)
{
    int n = (int)t->config.train_batch_size;
    if (t->brought == position)
        return DET_OK;
    t->brought = -1;
    enum det_code code = loader_load(&t->loader, position, n, err);
    if (code == DET_OK)
        code = det_model_bring_batch(t->setup.model, t->loader.samples, n, err);
    if (code == DET_OK)
        t->brought = position;
    return code;
}

/* While the device computes. What fails here fails again, and is told, when its step comes. */
static void bring_ahead(struct trainer *t)
{
    if (t->step + 1 < t->config.schedule_steps)
        bring(t, position_of(t, t->step + 1, 0), NULL);
}

/* Launches all passes and the update of one optimiser step. Images of one step share the samplers'
 * step: sampling depends on the image, not on how the step was cut into passes. */
static enum det_code launch_step(struct trainer *t, struct det_error *err)
{
    int64_t passes = t->config.train_accumulate;
    det_model_begin_step(t->setup.model, t->step, 1.0 / (double)passes);
    for (int64_t p = 0; p < passes; p++) {
        enum det_code code = bring(t, position_of(t, t->step, p), err);
        if (code == DET_OK)
            code = det_model_add_pass(t->setup.model, err);
        if (code != DET_OK)
            return code;
    }
    det_model_end_step(t->setup.model);
    return DET_OK;
}

static enum det_code stop_diverged(struct trainer *t, const struct det_error *why,
                                   struct det_error *err)
{
    t->stopped = 1;
    return run_log_write_stop(t->log, t->step, why->message, err);
}

static enum det_code log_step(struct trainer *t, const struct det_step_stats *stats,
                              double seconds_taken, int must, struct det_error *err)
{
    struct run_log_step line;
    run_log_step_from_stats(t->step, stats, &line);
    double images = (double)(t->config.train_batch_size * t->config.train_accumulate);
    line.images_per_second = seconds_taken > 0.0 ? images / seconds_taken : 0.0;
    if (t->options->observer.step)
        t->options->observer.step(t->options->observer.arg, &line);
    int due = t->step % t->config.log_every == 0 || t->step + 1 == t->config.schedule_steps;
    return due || must ? run_log_write_step(t->log, &line, err) : DET_OK;
}

static enum det_code train_step(struct trainer *t, struct det_error *err)
{
    struct det_step_stats stats;
    struct det_error why = {0};
    double start = clock_seconds();
    enum det_code code = launch_step(t, err);
    if (code != DET_OK)
        return code;
    bring_ahead(t);
    enum det_code updated = det_model_wait(t->setup.model, &stats, &why);
    if (updated == DET_OK && !isfinite(stats.losses.total) && !stats.skipped)
        updated = det_fail(&why, DET_NOT_FINITE, "step %lld: the loss is not finite",
                           (long long)t->step);
    if (updated != DET_OK && updated != DET_NOT_FINITE) {
        *err = why;
        return updated;
    }
    code = log_step(t, &stats, clock_seconds() - start, updated != DET_OK, err);
    if (code == DET_OK && updated == DET_NOT_FINITE)
        return stop_diverged(t, &why, err);
    t->step++;
    return code;
}

static enum det_code evaluate(struct trainer *t, struct det_error *err)
{
    struct run_log_eval line;
    enum det_code code = evaluator_run(&t->evaluator, t->setup.model, t->step, &line, err);
    if (code == DET_OK) /* the weights' hash is of what could be read */
        code = t->setup.device->ops->synchronize(t->setup.device, err);
    if (code != DET_OK)
        return code;
    if (t->options->observer.eval)
        t->options->observer.eval(t->options->observer.arg, &line);
    return run_log_write_eval(t->log, &line, err);
}

/* Steps that made no update, since the run began: the model counts the updates, in checkpoints too. */
static int64_t skipped_steps(const struct trainer *t)
{
    int mixed = t->config.model_precision == DET_PRECISION_BF16 ||
                t->config.model_precision == DET_PRECISION_FP16;
    return mixed ? t->step - det_model_counters(t->setup.model).updates : RUN_LOG_UNKNOWN;
}

static enum det_code checkpoint(struct trainer *t, struct det_error *err)
{
    char path[4096];
    path_in(t, "checkpoint.safetensors", path, sizeof path);
    enum det_code code = det_checkpoint_save(t->setup.model, path, t->step, err);
    if (code != DET_OK)
        return code;
    return run_log_write_checkpoint(t->log, t->step, "checkpoint.safetensors",
                                    skipped_steps(t), err);
}

static int due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static enum det_code train(struct trainer *t, struct det_error *err)
{
    int64_t steps = t->config.schedule_steps;
    while (t->step < steps && !t->stopped) {
        if (t->options->observer.stop && t->options->observer.stop(t->options->observer.arg))
            return checkpoint(t, err);
        enum det_code code = train_step(t, err);
        int last = t->step == steps;
        if (code == DET_OK && !t->stopped && (last || due(t->step, t->config.eval_every)))
            code = evaluate(t, err);
        if (code == DET_OK && !t->stopped && (last || due(t->step, t->config.checkpoint_every)))
            code = checkpoint(t, err);
        if (code != DET_OK)
            return code;
    }
    return DET_OK;
}

static void close_run(struct trainer *t)
{
    run_log_close(t->log);
    evaluator_close(&t->evaluator);
    loader_close(&t->loader);
    training_setup_close(&t->setup);
}

enum det_code trainer_run(const struct trainer_options *options, struct det_error *err)
{
    struct trainer t = {.options = options, .config = *options->config, .brought = -1};
    enum det_code code = open_run(&t, err);
    if (code == DET_OK)
        code = train(&t, err);
    close_run(&t);
    return code;
}
