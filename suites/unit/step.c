/* A whole optimiser step, launched and waited for once: the bits of its parts, for any number of
 * passes; and mixed precision's skipped steps. */
#include "suites/model_suite.h"

static const int some_objects[SMALL_IMAGES] = {3, 0, 2, 1};

static struct det_step_stats by_parts(struct small *s, const struct det_sample *samples,
                                      int passes, int64_t step)
{
    struct det_step_stats stats = {0};
    det_model_zero_grad(s->model);
    int n = SMALL_IMAGES / passes;
    for (int p = 0; p < passes; p++) {
        struct det_step_stats pass;
        cr_assert_eq(det_model_forward_backward(s->model, samples + p * n, n, (uint32_t)step,
                                                1.0 / passes, &pass, NULL),
                     DET_OK);
        stats.losses.total += pass.losses.total / passes;
        stats.proposals += pass.proposals;
        stats.objects += pass.objects;
        stats.roi.positives += pass.roi.positives;
    }
    cr_assert_eq(det_model_update(s->model, step, &stats, NULL), DET_OK);
    return stats;
}

static struct det_step_stats at_once(struct small *s, const struct det_sample *samples, int passes,
                                     int64_t step)
{
    struct det_step_stats stats;
    struct det_error err = {0};
    int n = SMALL_IMAGES / passes;
    det_model_begin_step(s->model, step, 1.0 / passes);
    for (int p = 0; p < passes; p++) {
        cr_assert_eq(det_model_bring_batch(s->model, samples + p * n, n, &err), DET_OK, "%s",
                     err.message);
        cr_assert_eq(det_model_add_pass(s->model, &err), DET_OK, "%s", err.message);
    }
    det_model_end_step(s->model);
    cr_assert_eq(det_model_wait(s->model, &stats, &err), DET_OK, "%s", err.message);
    return stats;
}

static void expect_same_steps(const char *name, const struct det_config *config, int passes)
{
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small a = small_open(config, 1), b = small_open(config, 2);
    for (int64_t step = 0; step < 3; step++) {
        struct det_step_stats want = by_parts(&a, samples, passes, step);
        struct det_step_stats got = at_once(&b, samples, passes, step);
        cr_expect(fabs(got.losses.total - want.losses.total) <= 1e-12 * want.losses.total,
                  "%s, step %d: loss %.17g, want %.17g", name, (int)step, got.losses.total,
                  want.losses.total);
        cr_expect_eq(got.grad_norm, want.grad_norm, "%s, step %d: norm %.17g, want %.17g", name,
                     (int)step, got.grad_norm, want.grad_norm);
        cr_expect(got.proposals == want.proposals && got.objects == want.objects &&
                      got.roi.positives == want.roi.positives && got.lr == want.lr,
                  "%s, step %d: %d proposals, %d objects, %d positives, lr %g", name, (int)step,
                  got.proposals, got.objects, got.roi.positives, got.lr);
        cr_expect_eq(det_model_hash(b.model), det_model_hash(a.model), "%s, step %d: weights",
                     name, (int)step);
    }
    small_close(&a);
    small_close(&b);
    drop_images(samples, SMALL_IMAGES);
}

Test(step, has_the_bits_of_its_parts)
{
    struct det_config config = small_config();
    set(&config, "train.accumulate", "4");
    for (int passes = 1; passes <= 4; passes *= 2) {
        char name[32];
        snprintf(name, sizeof name, "%d passes", passes);
        expect_same_steps(name, &config, passes);
    }
    set(&config, "model.precision", "fp16");
    set(&config, "optimizer.kind", "adamw");
    expect_same_steps("fp16, AdamW", &config, 2);
}

Test(step, more_passes_than_planned_are_refused)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    struct det_error err = {0};
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    det_model_begin_step(s.model, 7, 1.0);
    cr_expect_eq(det_model_bring_batch(s.model, samples, 1, &err), DET_OK);
    cr_expect_eq(det_model_add_pass(s.model, &err), DET_OK);
    cr_expect_eq(det_model_bring_batch(s.model, samples, 1, &err), DET_OK);
    cr_expect_eq(det_model_add_pass(s.model, &err), DET_INVALID);
    cr_expect(strstr(err.message, "step 7") && strstr(err.message, "1 passes"), "%s", err.message);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* A batch that was brought outlasts an inference; it is used once, and a bad one brings nothing. */
Test(step, a_batch_waits_for_its_pass)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    struct det_detection at[12];
    struct det_image_detections found = {.at = at};
    struct det_infer_stats stats;
    struct det_error err = {0};
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small a = small_open(&config, 1), b = small_open(&config, 1);
    at_once(&a, samples, 1, 0);
    cr_assert_eq(det_model_bring_batch(b.model, samples, SMALL_IMAGES, NULL), DET_OK);
    cr_assert_eq(det_model_infer(b.model, samples + 2, 1, &found, &stats, NULL), DET_OK);
    det_model_begin_step(b.model, 0, 1.0);
    cr_assert_eq(det_model_add_pass(b.model, NULL), DET_OK);
    det_model_end_step(b.model);
    struct det_step_stats made;
    cr_assert_eq(det_model_wait(b.model, &made, NULL), DET_OK);
    cr_expect_eq(det_model_hash(b.model), det_model_hash(a.model));
    cr_expect_eq(made.objects, 6, "%d objects", made.objects);

    det_model_begin_step(b.model, 1, 1.0);
    cr_expect_eq(det_model_add_pass(b.model, &err), DET_INVALID);
    cr_expect(strstr(err.message, "step 1") && strstr(err.message, "no batch"), "%s", err.message);
    cr_assert_eq(det_model_bring_batch(b.model, samples, 1, NULL), DET_OK);
    samples[0].truth.labels[0] = SMALL_CLASSES + 1;
    cr_expect_eq(det_model_bring_batch(b.model, samples, 1, NULL), DET_INVALID);
    cr_expect_eq(det_model_add_pass(b.model, NULL), DET_INVALID);
    small_close(&a);
    small_close(&b);
    drop_images(samples, SMALL_IMAGES);
}

/* A scale at which binary16 gradients overflow: the step is skipped, nothing moves, the scale
 * halves until steps are made again. */
Test(step, an_overflow_in_fp16_skips_the_step)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    set(&config, "model.precision", "fp16");
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    s.model->scaler.scale = 0x1p40;
    int skipped = 0, made = 0;
    for (int64_t step = 0; step < 60 && made < 2; step++) {
        uint64_t before = det_model_hash(s.model);
        double scale = s.model->scaler.scale;
        int64_t updates = s.model->updates;
        struct det_step_stats stats = at_once(&s, samples, 1, step);
        cr_expect(isfinite(stats.losses.total), "the loss itself is fp32: %g", stats.losses.total);
        cr_expect_eq(stats.loss_scale, scale, "step %d: scale %g, was %g", (int)step,
                     stats.loss_scale, scale);
        if (stats.skipped) {
            skipped++;
            cr_expect(det_model_hash(s.model) == before && s.model->updates == updates,
                      "step %d was skipped, but something moved", (int)step);
            cr_expect_eq(s.model->scaler.scale, scale / 2);
            continue;
        }
        made++;
        cr_expect_neq(det_model_hash(s.model), before, "step %d moved nothing", (int)step);
        cr_expect_eq(s.model->scaler.scale, scale);
    }
    cr_expect(skipped > 3 && made == 2, "%d skipped, %d made", skipped, made);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* Lost while its results are read, the device has made no step: nothing is counted, nothing told. */
Test(step, a_lost_device_has_made_no_step)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    struct det_step_stats stats;
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    for (int reads = 0; reads < 2; reads++) {
        struct det_error err = {0};
        downloads_left = -1;
        det_model_begin_step(s.model, 0, 1.0);
        cr_assert_eq(det_model_bring_batch(s.model, samples, 1, &err), DET_OK);
        cr_assert_eq(det_model_add_pass(s.model, &err), DET_OK, "%s", err.message);
        det_model_end_step(s.model);
        downloads_left = reads;
        cr_expect_eq(det_model_wait(s.model, &stats, &err), DET_IO, "lost after %d reads", reads);
        cr_expect_eq(s.model->updates, 0, "lost after %d reads: an update is counted", reads);
    }
    downloads_left = 0;
    cr_expect_eq(det_model_forward_backward(s.model, samples, 1, 0, 1.0, &stats, NULL), DET_IO);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* Nor has it seen an image without objects. */
Test(step, a_lost_device_has_detected_nothing_and_says_so)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    struct det_detection at[12];
    struct det_image_detections found = {.at = at};
    struct det_infer_stats stats;
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    for (int reads = 0; reads < 8; reads++) {
        downloads_left = reads;
        cr_expect_eq(det_model_infer(s.model, samples, 1, &found, &stats, NULL), DET_IO,
                     "lost after %d reads", reads);
    }
    downloads_left = -1;
    cr_expect_eq(det_model_infer(s.model, samples, 1, &found, &stats, NULL), DET_OK);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

static int has_fp16_bits(const float *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t bits;
        memcpy(&bits, &x[k], sizeof bits);
        if ((bits & 0x1fff && fabsf(x[k]) >= 0x1p-14f) || !(fabsf(x[k]) <= 65504.0f))
            return 0;
    }
    return 1;
}

/* The tensors of a net: what came from outside, as the images, and what its layers made. */
static void expect_fp16(const char *name, const struct det_net *net, int rows)
{
    for (int i = 0; i < net->n_tensors; i++) {
        const struct net_tensor *t = &net->tensors[i];
        size_t n = (size_t)rows * (size_t)t->c * (size_t)t->h * (size_t)t->w;
        cr_expect(has_fp16_bits(t->value, n), "%s, tensor %d: more than binary16", name, i);
    }
}

Test(step, fp16_rounds_activations_and_keeps_fp32_weights)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    set(&config, "model.precision", "fp16");
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    at_once(&s, samples, 1, 0);
    expect_fp16("trunk", &s.model->trunk, SMALL_IMAGES);
    expect_fp16("box head", &s.model->box_head, 1); /* dead rows hold anything */
    expect_fp16("mask head", &s.model->mask_head, 1);
    const struct det_parameter_slot *slot = &s.model->params.slots[0];
    cr_expect(has_fp16_bits(slot->compute, slot->parameter.size), "computed with more");
    cr_expect(!has_fp16_bits(slot->parameter.value, slot->parameter.size), "master weights rounded");
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

Test(step, tf32_is_a_gpus)
{
    struct det_config config = small_config();
    struct det_device *dev;
    struct det_model *model;
    struct det_error err = {0};
    set(&config, "model.precision", "tf32");
    cr_assert_eq(det_cpu_backend()->open(1, &dev, NULL), DET_OK);
    struct det_model_options options = {&config, 2, 64, 64, 4, 1, 1};
    cr_expect_eq(det_model_create(dev, &options, &model, &err), DET_UNAVAILABLE);
    cr_expect(strstr(err.message, "model.precision") && strstr(err.message, "TF32"), "%s",
              err.message);
    dev->ops->close(dev);
}
