/* Whole optimiser steps on the CUDA backend as the emulation runs it. */
#include "suites/model_suite.h"

#include <pthread.h>
#include <unistd.h>

static const int some_objects[SMALL_IMAGES] = {3, 0, 2, 1};
static struct det_sample samples[SMALL_IMAGES];

static void set_up(void)
{
    images_with(samples, SMALL_IMAGES, some_objects);
}

static void tear_down(void)
{
    drop_images(samples, SMALL_IMAGES);
}

TestSuite(steps, .init = set_up, .fini = tear_down);

static struct det_backend counting; /* the CUDA table, which counts recordings */
static int recordings;

static enum det_code count_recording(struct det_device *dev, struct det_recording **out,
                                     struct det_error *err)
{
    recordings++;
    return det_cuda_backend()->record_end(dev, out, err);
}

static struct small cuda_open(const struct det_config *config)
{
    struct small s = {.config = *config, .canvas = SMALL_CANVAS};
    struct det_error err = {0};
    struct det_model_options options = {config,       SMALL_CLASSES, SMALL_CANVAS, SMALL_CANVAS,
                                        SMALL_OBJECTS, SMALL_IMAGES,  SMALL_IMAGES};
    cr_assert_eq(det_cuda_backend()->open(1, &s.dev, &err), DET_OK, "%s", err.message);
    counting = *det_cuda_backend();
    counting.record_end = count_recording;
    s.dev->ops = &counting;
    cr_assert_eq(det_model_create(s.dev, &options, &s.model, &err), DET_OK, "%s", err.message);
    return s;
}

/* Of a device whose streams do their work at once, whatever the test's other devices do. */
static struct small quick_open(const struct det_config *config)
{
    const char *slow = getenv("DETCHECK_EMULATED_SLOW");
    char kept[8] = "0";
    if (slow)
        snprintf(kept, sizeof kept, "%s", slow);
    setenv("DETCHECK_EMULATED_SLOW", "0", 1);
    struct small s = cuda_open(config);
    setenv("DETCHECK_EMULATED_SLOW", kept, 1);
    return s;
}

static struct det_step_stats whole_step(struct small *s, const struct det_sample *batch, int n,
                                        int64_t step)
{
    struct det_step_stats stats;
    struct det_error err = {0};
    cr_assert_eq(det_model_bring_batch(s->model, batch, n, &err), DET_OK, "%s", err.message);
    det_model_begin_step(s->model, step, 1.0);
    cr_assert_eq(det_model_add_pass(s->model, &err), DET_OK, "%s", err.message);
    det_model_end_step(s->model);
    cr_assert_eq(det_model_wait(s->model, &stats, &err), DET_OK, "%s", err.message);
    return stats;
}

/* A step with all it can have: passes of 2 images from `at` on, each brought while the one before is
 * computed, the next step's first one included. */
static struct det_step_stats step_ahead(struct small *s, int passes, int at, int64_t step)
{
    struct det_step_stats stats;
    struct det_error err = {0};
    det_model_begin_step(s->model, step, 1.0 / passes);
    for (int p = 0; p < passes; p++) {
        const struct det_sample *next = samples + (at + 2 * p + 2) % SMALL_IMAGES;
        cr_assert_eq(det_model_add_pass(s->model, &err), DET_OK, "%s", err.message);
        if (p + 1 == passes)
            det_model_end_step(s->model);
        cr_assert_eq(det_model_bring_batch(s->model, next, 2, &err), DET_OK, "%s", err.message);
    }
    cr_assert_eq(det_model_wait(s->model, &stats, &err), DET_OK, "%s", err.message);
    return stats;
}

/* Copies beside the computation, in any order that events allow: the bits of one thing at a time. */
static void expect_same_ahead(int passes)
{
    struct det_config config = small_config();
    set(&config, "train.accumulate", passes == 1 ? "1" : "3");
    struct small ahead = cuda_open(&config);
    struct small one_by_one = quick_open(&config);
    struct det_detection at[12];
    struct det_image_detections found = {.at = at};
    struct det_infer_stats monitors;
    cr_assert_eq(det_model_bring_batch(ahead.model, samples, 2, NULL), DET_OK);
    for (int64_t step = 0; step < 6; step++) {
        int first = (int)(2 * passes * step % SMALL_IMAGES);
        struct det_step_stats got = step_ahead(&ahead, passes, first, step), want = {0};
        det_model_zero_grad(one_by_one.model);
        double loss = 0.0;
        for (int p = 0; p < passes; p++) {
            cr_assert_eq(det_model_forward_backward(one_by_one.model,
                                                    samples + (first + 2 * p) % SMALL_IMAGES, 2,
                                                    (uint32_t)step, 1.0 / passes, &want, NULL),
                         DET_OK);
            loss += want.losses.total / passes;
        }
        cr_assert_eq(det_model_update(one_by_one.model, step, &want, NULL), DET_OK);
        cr_expect(fabs(got.losses.total - loss) <= 1e-12 * loss, "step %d: loss %.17g, want %.17g",
                  (int)step, got.losses.total, loss);
        cr_expect_eq(det_model_hash(ahead.model), det_model_hash(one_by_one.model),
                     "%d passes, step %d: weights", passes, (int)step);
        if (step == 3)
            cr_assert_eq(det_model_infer(ahead.model, samples + 1, 1, &found, &monitors, NULL),
                         DET_OK);
    }
    small_close(&ahead);
    small_close(&one_by_one);
}

Test(steps, batches_brought_ahead_change_no_bit)
{
    expect_same_ahead(1);
    expect_same_ahead(3);
}

/* A larger model on the same device outgrows the scratch that the first one's recordings use. */
Test(steps, recordings_outlast_scratch)
{
    struct det_config config = small_config();
    struct small first = cuda_open(&config);
    struct small same = quick_open(&config);
    for (int64_t step = 0; step < 3; step++) {
        whole_step(&first, samples, SMALL_IMAGES, step);
        whole_step(&same, samples, SMALL_IMAGES, step);
    }
    set(&config, "model.fpn_channels", "32");
    set(&config, "model.width", "16");
    struct det_model_options options = {&config,       SMALL_CLASSES, SMALL_CANVAS, SMALL_CANVAS,
                                        SMALL_OBJECTS, SMALL_IMAGES,  SMALL_IMAGES};
    struct det_model *larger;
    cr_assert_eq(det_model_create(first.dev, &options, &larger, NULL), DET_OK);
    for (int64_t step = 3; step < 6; step++) {
        whole_step(&first, samples, SMALL_IMAGES, step);
        whole_step(&same, samples, SMALL_IMAGES, step);
        cr_expect_eq(det_model_hash(first.model), det_model_hash(same.model), "step %d", (int)step);
    }
    det_model_destroy(larger);
    small_close(&first);
    small_close(&same);
}

static void *open_and_close(void *model)
{
    struct det_config config = small_config();
    struct small s = {.config = config};
    struct det_model_options options = {&config,       SMALL_CLASSES, SMALL_CANVAS, SMALL_CANVAS,
                                        SMALL_OBJECTS, SMALL_IMAGES,  SMALL_IMAGES};
    enum det_code code = det_cuda_backend()->open(1, &s.dev, NULL);
    if (code == DET_OK)
        code = det_model_create(s.dev, &options, &s.model, NULL);
    *(_Atomic int *)model = code == DET_OK ? 1 : -1;
    if (code == DET_OK)
        small_close(&s);
    return NULL;
}

/* As two sides of a run do: while one is recorded the other takes its memory. That waits. */
Test(steps, nobody_takes_memory_while_a_step_is_recorded)
{
    struct det_config config = small_config();
    struct small s = cuda_open(&config);
    struct det_recording *recording;
    _Atomic int other = 0;
    pthread_t thread;
    cr_assert_eq(s.dev->ops->record_begin(s.dev, NULL), DET_OK);
    cr_assert_eq(pthread_create(&thread, NULL, open_and_close, &other), 0);
    usleep(100000);
    cr_expect_eq(other, 0, "another device was opened during a recording");
    cr_expect_eq(s.dev->ops->record_end(s.dev, &recording, NULL), DET_OK);
    pthread_join(thread, NULL);
    cr_expect_eq(other, 1);
    s.dev->ops->recording_release(s.dev, recording);
    small_close(&s);
}

/* Overflows halve the scale step by step: the recorded step reads it from the device's memory. */
Test(steps, a_falling_loss_scale_is_recorded_once)
{
    struct det_config config = small_config();
    set(&config, "model.precision", "fp16");
    struct small s = cuda_open(&config);
    s.model->scaler.scale = 0x1p40;
    int changes = 0, made = 0;
    for (int64_t step = 0; step < 60 && made < 3; step++) {
        double scale = s.model->scaler.scale;
        struct det_step_stats stats = whole_step(&s, samples, SMALL_IMAGES, step);
        cr_expect_eq(stats.loss_scale, scale);
        changes += s.model->scaler.scale != scale;
        made += !stats.skipped;
    }
    cr_expect(changes > 3 && made == 3, "the scale changed %d times, %d steps made", changes, made);
    cr_expect_eq(recordings, 2, "%d recordings: one of the pass and one of the update are enough",
                 recordings);
    small_close(&s);
}

/* A recording is of one number of images: another one is made anew, and gives the same bits. */
Test(steps, another_batch_size_is_recorded_anew)
{
    struct det_config config = small_config();
    struct small recorded = cuda_open(&config);
    set(&config, "backend.graph", "false");
    struct small single = cuda_open(&config);
    static const int sizes[] = {4, 4, 4, 2, 2, 2, 4, 4};
    for (int64_t step = 0; step < 8; step++) {
        whole_step(&recorded, samples, sizes[step], step);
        whole_step(&single, samples, sizes[step], step);
        cr_expect_eq(det_model_hash(recorded.model), det_model_hash(single.model), "step %d",
                     (int)step);
    }
    cr_expect_eq(recordings, 4, "%d recordings: three of passes, one of the update", recordings);
    small_close(&recorded);
    small_close(&single);
}
