#include "harness/training/bench.h"

#include "detector/backend/gemm.h"
#include "harness/statistics/clock.h"
#include "harness/training/loader.h"
#include "harness/training/setup.h"

#include <stdlib.h>

struct bench {
    const struct det_config *config;
    struct training_setup setup;
    struct loader loader;
    struct det_image_detections *found; /* [eval.batch_size], owned */
    int steps, warmup;
    int brought;     /* a batch is on the device */
    double *seconds; /* [steps], owned */
    double rpn_positives, roi_positives;
};

/* What is timed: the work of one step; load happens before the clock starts, unless it is the work.
 */
typedef enum det_code work(struct bench *b, int step, struct det_error *err);

static enum det_code load(struct bench *b, int step, struct det_error *err)
{
    int batch = b->loader.batch;
    return loader_load(&b->loader, (int64_t)step * batch, batch, err);
}

static enum det_code bring(struct bench *b, struct det_error *err)
{
    b->brought = 1;
    return det_model_bring_batch(b->setup.model, b->loader.samples, b->loader.batch, err);
}

/* As the trainer makes it: the next batch goes to the device while this one is computed. */
static enum det_code train_step(struct bench *b, int step, struct det_error *err)
{
    struct det_step_stats stats;
    enum det_code code = b->brought ? DET_OK : bring(b, err);
    det_model_begin_step(b->setup.model, step, 1.0);
    if (code != DET_OK || (code = det_model_add_pass(b->setup.model, err)) != DET_OK)
        return code;
    det_model_end_step(b->setup.model);
    if ((code = bring(b, err)) == DET_OK)
        code = det_model_wait(b->setup.model, &stats, err);
    if (code != DET_OK)
        return code;
    b->rpn_positives += stats.rpn.positives;
    b->roi_positives += stats.roi.positives;
    return code;
}

static enum det_code infer(struct bench *b, int step, struct det_error *err)
{
    struct det_infer_stats stats;
    int n = b->loader.batch < b->config->eval_batch_size ? b->loader.batch
                                                         : (int)b->config->eval_batch_size;
    (void)step;
    return det_model_infer(b->setup.model, b->loader.samples, n, b->found, &stats, err);
}

static enum det_code time_work(struct bench *b, work *what, struct spread *out,
                               struct det_error *err)
{
    for (int i = -b->warmup; i < b->steps; i++) {
        enum det_code code = what == load ? DET_OK : load(b, i + b->warmup, err);
        if (i == 0)
            b->rpn_positives = b->roi_positives = 0.0;
        double start = clock_seconds();
        if (code == DET_OK)
            code = what(b, i + b->warmup, err);
        if (code != DET_OK)
            return code;
        if (i >= 0)
            b->seconds[i] = clock_seconds() - start;
    }
    *out = spread_of(b->seconds, (size_t)b->steps);
    return DET_OK;
}

static enum det_code open_detections(struct bench *b, struct det_error *err)
{
    size_t n = (size_t)b->config->eval_batch_size;
    size_t most = (size_t)b->config->infer_detections_per_image;
    b->found = calloc(n, sizeof *b->found);
    b->seconds = calloc((size_t)b->steps, sizeof *b->seconds);
    for (size_t i = 0; b->found && i < n; i++) {
        b->found[i].at = calloc(most, sizeof *b->found[i].at);
        b->found[i].mask_logits = calloc(most * 28 * 28, sizeof(float));
        if (!b->found[i].at || !b->found[i].mask_logits)
            return det_fail(err, DET_NO_MEMORY, "detections of %zu images", n);
    }
    return b->found && b->seconds ? DET_OK
                                  : det_fail(err, DET_NO_MEMORY, "times of %d steps", b->steps);
}

static void close_all(struct bench *b)
{
    for (int64_t i = 0; b->found && i < b->config->eval_batch_size; i++) {
        free(b->found[i].at);
        free(b->found[i].mask_logits);
    }
    free(b->found);
    free(b->seconds);
    loader_close(&b->loader);
    training_setup_close(&b->setup);
}

static void describe(const struct bench *b, struct bench_result *out)
{
    out->height = b->setup.train->canvas_h;
    out->width = b->setup.train->canvas_w;
    out->threads = b->setup.threads;
    out->memory = det_model_memory(b->setup.model);
    out->blas_core = det_gemm_core();
    out->rpn_positives = b->rpn_positives / b->steps;
    out->roi_positives = b->roi_positives / b->steps;
    for (size_t i = 0; i < det_model_parameter_count(b->setup.model); i++)
        if (!det_model_parameter(b->setup.model, i)->buffer)
            out->parameters += (int64_t)det_model_parameter(b->setup.model, i)->size;
}

enum det_code bench_run(const struct det_config *config, const char *backend, int steps,
                        struct bench_result *out, struct det_error *err)
{
    struct bench b = {.config = config, .steps = steps, .warmup = steps / 10 < 3 ? 3 : steps / 10};
    *out = (struct bench_result){0};
    enum det_code code = training_setup_open(&b.setup, config, backend, err);
    if (code == DET_OK)
        code = loader_open(&b.loader, b.setup.train, b.setup.pool, (int)config->train_batch_size,
                           (uint64_t)config->seed, 0, err);
    if (code == DET_OK)
        code = open_detections(&b, err);
    if (code == DET_OK)
        code = time_work(&b, load, &out->loading, err);
    if (code == DET_OK)
        code = time_work(&b, train_step, &out->step, err);
    if (code == DET_OK) {
        describe(&b, out);
        code = time_work(&b, infer, &out->inference, err);
    }
    close_all(&b);
    return code;
}
