/* What the suites of the whole model share: a small model on a device of its own, images with
 * objects, and comparisons that name what differs.
 *
 * The device is the CPU's with two changes: fresh memory is all NaN (but for the optimiser's state,
 * which starts at zero), and every block has guard bytes at both ends. So what reads memory before
 * it was written, or writes past an end, shows. */
#ifndef SUITES_MODEL_SUITE_H
#define SUITES_MODEL_SUITE_H

#include "detector/backend/cpu.h"
#include "detector/bodies/philox.h"
#include "detector/model/model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the device ---- */

#define GUARD 64 /* bytes before and behind a block */
#define GUARD_BYTE 0x5a
#define BLOCKS_MAX 64

struct guarded_block {
    unsigned char *base; /* the guard before the block */
    size_t bytes;        /* of the block */
    size_t end;          /* where the guard behind it ends, from base */
    char what[32];
};

static struct guarded_block guarded[BLOCKS_MAX];
static struct det_backend guarded_backend; /* the CPU's table, with these functions in it */
static int allocations_left = -1;          /* then fail; negative: never */
static int downloads_left = -1;            /* then the device is lost; negative: never */

static inline enum det_code guarded_alloc(struct det_device *dev, size_t bytes, const char *what,
                                          void **out, struct det_error *err)
{
    (void)dev;
    if (allocations_left == 0)
        return det_fail(err, DET_NO_MEMORY, "%s: no more", what);
    allocations_left -= allocations_left > 0;
    size_t rounded = (bytes + GUARD - 1) / GUARD * GUARD;
    int slot = 0;
    while (slot < BLOCKS_MAX && guarded[slot].base)
        slot++;
    cr_assert_lt(slot, BLOCKS_MAX, "more blocks than the suite follows");
    struct guarded_block *block = &guarded[slot];
    block->base = aligned_alloc(GUARD, rounded + 2 * GUARD);
    if (!block->base)
        return det_fail(err, DET_NO_MEMORY, "%s", what);
    block->bytes = bytes;
    block->end = rounded + 2 * GUARD;
    snprintf(block->what, sizeof block->what, "%s", what);
    memset(block->base, GUARD_BYTE, rounded + 2 * GUARD);
    memset(block->base + GUARD, strcmp(what, "optimiser state") ? 0xff : 0, bytes);
    *out = block->base + GUARD;
    return DET_OK;
}

static inline void expect_guards(void)
{
    for (int i = 0; i < BLOCKS_MAX; i++) {
        const struct guarded_block *b = &guarded[i];
        size_t touched = 0;
        for (size_t k = 0; b->base && k < b->end; k++)
            if ((k < GUARD || k >= GUARD + b->bytes) && b->base[k] != GUARD_BYTE)
                touched++;
        cr_expect_eq(touched, 0, "%s: %zu bytes written outside its %zu", b->what, touched,
                     b->bytes);
    }
}

static inline void guarded_release(struct det_device *dev, void *memory)
{
    (void)dev;
    for (int i = 0; i < BLOCKS_MAX; i++)
        if (guarded[i].base && guarded[i].base + GUARD == (unsigned char *)memory) {
            free(guarded[i].base);
            guarded[i] = (struct guarded_block){0};
            return;
        }
    cr_assert_fail("released memory that was not taken");
}

/* As a lost GPU: zeros are read, and synchronize tells. */
static inline void guarded_download(struct det_device *dev, void *to_host, const void *from,
                                    size_t bytes)
{
    if (downloads_left == 0) {
        memset(to_host, 0, bytes);
        return;
    }
    downloads_left -= downloads_left > 0;
    det_cpu_backend()->download(dev, to_host, from, bytes);
}

static inline enum det_code guarded_synchronize(struct det_device *dev, struct det_error *err)
{
    (void)dev;
    return downloads_left == 0 ? det_fail(err, DET_IO, "the device is lost") : DET_OK;
}

static inline void poison_scratch(struct det_device *dev)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    if (cpu->scratch)
        memset(cpu->scratch, 0xff, cpu->scratch_bytes * (size_t)det_pool_threads(cpu->pool));
    if (cpu->shared)
        memset(cpu->shared, 0xff, cpu->shared_bytes);
}

static inline enum det_code guarded_reserve(struct det_device *dev, size_t per_worker,
                                            size_t shared, struct det_error *err)
{
    enum det_code code = det_cpu_backend()->reserve_scratch(dev, per_worker, shared, err);
    if (code == DET_OK)
        poison_scratch(dev);
    return code;
}

static inline struct det_device *guarded_open(int threads)
{
    struct det_device *dev;
    cr_assert_eq(det_cpu_backend()->open(threads, &dev, NULL), DET_OK);
    guarded_backend = *det_cpu_backend();
    guarded_backend.alloc = guarded_alloc;
    guarded_backend.release = guarded_release;
    guarded_backend.reserve_scratch = guarded_reserve;
    guarded_backend.download = guarded_download;
    guarded_backend.synchronize = guarded_synchronize;
    dev->ops = &guarded_backend;
    return dev;
}

/* ---- the model ---- */

#define SMALL_CANVAS 64
#define SMALL_CLASSES 2
#define SMALL_OBJECTS 8 /* most of an image */
#define SMALL_IMAGES 4  /* most of a batch */

struct small {
    struct det_config config;
    int canvas; /* pixels a side */
    struct det_device *dev;
    struct det_model *model;
};

/* Few channels, few anchors: a pass takes a millisecond or two. */
static inline struct det_config small_config(void)
{
    static const char *const settings[][2] = {
        {"seed", "1"},
        {"model.preset", "custom"},
        {"model.width", "4"},
        {"model.groups", "4"},
        {"model.fpn_channels", "8"},
        {"model.fc_dim", "16"},
        {"model.mask_convs", "1"},
        {"model.mask_channels", "4"},
        {"model.aspect_ratios", "[0.5, 1.0]"},
        {"rpn.batch_per_image", "32"},
        {"roi.batch_per_image", "16"},
        {"rpn.post_nms_train", "24"},
        {"rpn.post_nms_test", "24"},
        {"roi.append_ground_truth", "true"},
        {"infer.score_threshold", "0.0"},
        {"infer.detections_per_image", "12"},
    };
    struct det_config config;
    struct det_error err = {0};
    det_config_defaults(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        cr_assert_eq(det_config_set(&config, settings[i][0], settings[i][1], &err), DET_OK, "%s",
                     err.message);
    return config;
}

static inline void set(struct det_config *config, const char *key, const char *value)
{
    struct det_error err = {0};
    cr_assert_eq(det_config_set(config, key, value, &err), DET_OK, "%s", err.message);
}

static inline struct small small_open_for(const struct det_config *config, int threads,
                                          int train_images, int infer_images)
{
    struct small s = {.config = *config, .canvas = SMALL_CANVAS, .dev = guarded_open(threads)};
    struct det_error err = {0};
    struct det_model_options options = {.config = config,
                                        .n_classes = SMALL_CLASSES,
                                        .canvas_h = SMALL_CANVAS,
                                        .canvas_w = SMALL_CANVAS,
                                        .max_objects = SMALL_OBJECTS,
                                        .batch_size = train_images,
                                        .infer_batch_size = infer_images};
    cr_assert_eq(det_model_create(s.dev, &options, &s.model, &err), DET_OK, "%s", err.message);
    return s;
}

static inline struct small small_open(const struct det_config *config, int threads)
{
    return small_open_for(config, threads, SMALL_IMAGES, SMALL_IMAGES);
}

static inline void small_close(struct small *s)
{
    expect_guards();
    det_model_destroy(s->model);
    s->dev->ops->close(s->dev);
}

/* All that a pass may use, NaN again: activations, gradients of activations, targets, scratch. What
 * must survive: parameters, the optimiser's state, anchors. */
static inline void poison_passes(struct small *s)
{
    struct det_model_device *d = &s->model->d;
    size_t anchors = 4 * (size_t)s->model->n_anchors * sizeof *d->anchors;
    float *kept = malloc(anchors);
    memcpy(kept, d->anchors, anchors);
    for (int i = 0; i < BLOCKS_MAX; i++)
        if (guarded[i].base && (strcmp(guarded[i].what, "activations") == 0 ||
                                strcmp(guarded[i].what, "proposals and targets") == 0))
            memset(guarded[i].base + GUARD, 0xff, guarded[i].bytes);
    memcpy(d->anchors, kept, anchors);
    free(kept);
    poison_scratch(s->dev);
}

/* ---- images ---- */

static inline float number(uint32_t a, uint32_t b, uint32_t c, float low, float high)
{
    return low + (high - low) * det_philox_uniform(det_philox(a, b, c, 98, 3).word[0]);
}

/* Image `id`: noise with `objects` filled ellipses of 10 to 30 pixels, their boxes and masks; a
 * function of (id, objects) only. */
static inline struct det_sample image_with(int64_t id, int objects)
{
    const int side = SMALL_CANVAS;
    const size_t plane = (size_t)side * (size_t)side;
    struct det_sample s = {.id = id, .height = side, .width = side, .resize = 1.0f};
    s.image = malloc(3 * plane * sizeof *s.image);
    cr_assert_eq(det_sample_reserve(&s, objects, plane, NULL), DET_OK);
    for (size_t i = 0; i < 3 * plane; i++)
        s.image[i] = number((uint32_t)i, (uint32_t)id, 0, 0.2f, 0.6f);
    s.truth.n = objects;
    for (int k = 0; k < objects; k++) {
        float *box = s.truth.boxes[k];
        float w = floorf(number((uint32_t)k, (uint32_t)id, 1, 10.0f, 30.0f));
        float h = floorf(number((uint32_t)k, (uint32_t)id, 2, 10.0f, 30.0f));
        box[0] = floorf(number((uint32_t)k, (uint32_t)id, 3, 0.0f, (float)side - w));
        box[1] = floorf(number((uint32_t)k, (uint32_t)id, 4, 0.0f, (float)side - h));
        box[2] = box[0] + w;
        box[3] = box[1] + h;
        s.truth.labels[k] = 1 + k % SMALL_CLASSES;
        s.truth.crowd[k] = 0;
        s.truth.annotated[k] = 1;
        s.truth.areas[k] = 0.0;
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                float u = ((float)x + 0.5f - box[0]) / w * 2.0f - 1.0f;
                float v = ((float)y + 0.5f - box[1]) / h * 2.0f - 1.0f;
                int inside = u * u + v * v < 1.0f;
                size_t at = (size_t)y * (size_t)side + (size_t)x;
                s.truth.masks[(size_t)k * plane + at] = (uint8_t)inside;
                s.truth.areas[k] += inside;
                if (inside)
                    s.image[(size_t)(s.truth.labels[k] - 1) * plane + at] = 0.95f;
            }
    }
    return s;
}

/* n images 100, 101, ... with objects[i] objects each. */
static inline void images_with(struct det_sample *samples, int n, const int *objects)
{
    for (int i = 0; i < n; i++)
        samples[i] = image_with(100 + i, objects[i]);
}

static inline void drop_images(struct det_sample *samples, int n)
{
    for (int i = 0; i < n; i++) {
        free(samples[i].image);
        det_sample_release(&samples[i]);
    }
}

/* ---- passes ---- */

/* Gradients zeroed, then those of one pass. */
static inline struct det_step_stats pass(struct small *s, const struct det_sample *samples, int n,
                                         uint32_t step)
{
    struct det_step_stats stats = {0};
    struct det_error err = {0};
    det_model_zero_grad(s->model);
    cr_assert_eq(det_model_forward_backward(s->model, samples, n, step, 1.0, &stats, &err), DET_OK,
                 "%s", err.message);
    return stats;
}

static inline struct det_step_stats train_step(struct small *s, const struct det_sample *samples,
                                               int n, uint32_t step)
{
    struct det_step_stats stats = pass(s, samples, n, step);
    struct det_error err = {0};
    cr_assert_eq(det_model_update(s->model, step, &stats, &err), DET_OK, "%s", err.message);
    return stats;
}

/* A copy of all gradients, or of all values; owned by the caller (free). */
static inline float *copy_of(const float *x, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

static inline float *gradients_of(const struct small *s)
{
    return copy_of(s->model->params.grads, s->model->params.grad_floats);
}

static inline float *values_of(const struct small *s)
{
    return copy_of(s->model->params.values, s->model->params.value_floats);
}

/* ---- comparisons ---- */

static inline void expect_same_losses(const char *what, const struct det_losses *got,
                                      const struct det_losses *want)
{
    const struct {
        const char *name;
        double got, want;
    } all[] = {
        {"loss_rpn_cls", got->rpn_cls, want->rpn_cls},
        {"loss_rpn_bbox", got->rpn_bbox, want->rpn_bbox},
        {"loss_cls", got->cls, want->cls},
        {"loss_bbox", got->bbox, want->bbox},
        {"loss_mask", got->mask, want->mask},
        {"total", got->total, want->total},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cr_expect(memcmp(&all[i].got, &all[i].want, sizeof(double)) == 0 && isfinite(all[i].got),
                  "%s: %s: got %a, want %a, bit for bit and finite", what, all[i].name, all[i].got,
                  all[i].want);
}

/* Of the gradients (of: grads) or the values of every tensor: the first difference is named. */
static inline void expect_same_tensors(const char *what, const struct small *s, const float *got,
                                       const float *want, int of_gradients)
{
    for (size_t i = 0; i < s->model->params.n; i++) {
        const struct det_parameter *p = &s->model->params.slots[i].parameter;
        const float *base = of_gradients ? s->model->params.grads : s->model->params.values;
        if (of_gradients && !p->trainable)
            continue;
        size_t at = (size_t)((of_gradients ? p->grad : p->value) - base);
        for (size_t k = 0; k < p->size; k++)
            if (memcmp(&got[at + k], &want[at + k], sizeof *got)) {
                cr_expect_fail("%s: %s of %s[%zu]: got %a, want %a, bit for bit", what,
                               of_gradients ? "gradient" : "value", p->name, k, (double)got[at + k],
                               (double)want[at + k]);
                return;
            }
    }
}

/* Gradients within tolerance * the largest of their tensor. */
static inline void expect_near_gradients(const char *what, const struct small *s, const float *got,
                                         const float *want, double tolerance)
{
    for (size_t i = 0; i < s->model->params.n; i++) {
        const struct det_parameter *p = &s->model->params.slots[i].parameter;
        if (!p->trainable)
            continue;
        size_t at = (size_t)(p->grad - s->model->params.grads);
        double largest = 0.0;
        for (size_t k = 0; k < p->size; k++)
            largest = fmax(largest, fabs((double)want[at + k]));
        for (size_t k = 0; k < p->size; k++)
            if (!(fabs((double)got[at + k] - (double)want[at + k]) <= tolerance * largest)) {
                cr_expect_fail("%s: gradient of %s[%zu]: got %g, want %g, tolerance %g", what,
                               p->name, k, (double)got[at + k], (double)want[at + k],
                               tolerance * largest);
                break;
            }
    }
}

static inline int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

#endif
