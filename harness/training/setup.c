#include "harness/training/setup.h"

#include "fixtures/fixture.h"

#include <unistd.h>

static int cpu_threads(const struct det_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return config->threads ? (int)config->threads : cores < 1 ? 1 : cores > 256 ? 256 : (int)cores;
}

static enum det_code open_data(struct training_setup *t, const struct det_config *c,
                               struct det_error *err)
{
    struct fixture_options options = {.seed = (uint64_t)c->seed, .image_size = (int)c->image_size};
    enum det_code code = fixture_open(c->data, FIXTURE_TRAIN, &options, &t->train, err);
    if (code != DET_OK)
        return code;
    code = fixture_open(*c->val_data ? c->val_data : c->data, FIXTURE_VAL, &options, &t->val, err);
    if (code != DET_OK)
        return code;
    if (t->val->n_classes != t->train->n_classes)
        return det_fail(err, DET_INVALID, "val_data %s has %d classes, data %s has %d", c->val_data,
                        t->val->n_classes, c->data, t->train->n_classes);
    if (t->val->canvas_h != t->train->canvas_h || t->val->canvas_w != t->train->canvas_w)
        return det_fail(err, DET_INVALID, "val_data %s: %d x %d pixels, data %s: %d x %d: set "
                        "image_size", c->val_data, t->val->canvas_w, t->val->canvas_h, c->data,
                        t->train->canvas_w, t->train->canvas_h);
    return DET_OK;
}

static enum det_code open_model(struct training_setup *t, const struct det_config *c,
                                struct det_error *err)
{
    struct det_model_options options = {
        .config = c,
        .n_classes = t->train->n_classes,
        .canvas_h = t->train->canvas_h,
        .canvas_w = t->train->canvas_w,
        .max_objects = t->train->max_objects,
        .batch_size = (int)c->train_batch_size,
        .infer_batch_size = (int)c->eval_batch_size,
    };
    return det_model_create(t->device, &options, &t->model, err);
}

enum det_code training_setup_open(struct training_setup *setup, const struct det_config *config,
                                  const char *backend, struct det_error *err)
{
    const struct det_backend *ops;
    *setup = (struct training_setup){.threads = cpu_threads(config)};
    enum det_code code = det_backend_find(backend, &ops, err);
    if (code != DET_OK || (code = open_data(setup, config, err)) != DET_OK ||
        (code = ops->open(setup->threads, &setup->device, err)) != DET_OK ||
        (code = det_pool_create(setup->threads, &setup->pool, err)) != DET_OK)
        return code;
    return open_model(setup, config, err);
}

void training_setup_close(struct training_setup *setup)
{
    det_model_destroy(setup->model);
    det_pool_destroy(setup->pool);
    if (setup->device)
        setup->device->ops->close(setup->device);
    if (setup->val)
        setup->val->close(setup->val);
    if (setup->train)
        setup->train->close(setup->train);
}
