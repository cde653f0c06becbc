/* Whole optimiser steps on the CUDA backend as the emulation runs it. */
#include "suites/model_suite.h"

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

static struct det_step_stats whole_step(struct small *s, const struct det_sample *batch, int n,
                                        int64_t step)
{
    struct det_step_stats stats;
    struct det_error err = {0};
    det_model_begin_step(s->model, step, 1.0);
    cr_assert_eq(det_model_add_pass(s->model, batch, n, &err), DET_OK, "%s", err.message);
    det_model_end_step(s->model);
    cr_assert_eq(det_model_wait(s->model, &stats, &err), DET_OK, "%s", err.message);
    return stats;
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
