#include "harness/training/setup.h"

#include "fixtures/fixture.h"

#include <string.h>
#include <unistd.h>

static int cpu_threads(const struct det_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return config->threads ? (int)config->threads : cores < 1 ? 1 : cores > 256 ? 256 : (int)cores;
}

/* Detections name classes by number: the numbers must mean the same. */
static enum det_code check_classes(const struct det_dataset *train, const struct det_dataset *val,
                                   const struct det_config *c, struct det_error *err)
{
    if (val->n_classes != train->n_classes)
        return det_fail(err, DET_INVALID, "val_data %s has %d classes, data %s has %d", c->val_data,
                        val->n_classes, c->data, train->n_classes);
    for (int k = 0; k < val->n_classes; k++)
        if (strcmp(val->class_names[k], train->class_names[k]) != 0)
            return det_fail(err, DET_INVALID, "val_data %s: class %d is %.60s, but %.60s in data %s",
                            c->val_data, k + 1, val->class_names[k], train->class_names[k], c->data);
    return DET_OK;
}

static enum det_code share_canvas(struct training_setup *t, const struct det_config *c,
                                  const char *val_data, struct det_error *err)
{
    fixture_grow_canvas(c->data, t->train, t->val->canvas_h, t->val->canvas_w);
    fixture_grow_canvas(val_data, t->val, t->train->canvas_h, t->train->canvas_w);
    if (t->val->canvas_h == t->train->canvas_h && t->val->canvas_w == t->train->canvas_w)
        return DET_OK;
    return det_fail(err, DET_INVALID,
                    "val_data %s: %d x %d pixels, data %s: %d x %d: set image_size", c->val_data,
                    t->val->canvas_w, t->val->canvas_h, c->data, t->train->canvas_w,
                    t->train->canvas_h);
}

static enum det_code open_data(struct training_setup *t, const struct det_config *c,
                               struct det_error *err)
{
    const char *val_data = *c->val_data ? c->val_data : c->data;
    struct fixture_options options = {.seed = (uint64_t)c->seed, .image_size = (int)c->image_size};
    enum det_code code = fixture_open(c->data, FIXTURE_TRAIN, &options, &t->train, err);
    if (code == DET_OK)
        code = fixture_open(val_data, FIXTURE_VAL, &options, &t->val, err);
    if (code == DET_OK)
        code = check_classes(t->train, t->val, c, err);
    return code == DET_OK ? share_canvas(t, c, val_data, err) : code;
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
