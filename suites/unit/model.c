/* The whole model: the same bits whatever the threads and whatever its memory held, what trains and
 * what does not, what inference depends on, mixed precision, and weights that are not finite. */
#include "suites/model_suite.h"

static const int some_objects[SMALL_IMAGES] = {2, 0, 3, 1};

/* What a short training and an inference gave, to be compared bit for bit. */
struct record {
    struct det_losses losses[3];
    float *gradients; /* of the first step */
    float *values;    /* after three steps */
    int detections;
    struct det_detection found[SMALL_IMAGES * 12];
    float masks[SMALL_IMAGES * 12 * DET_MASK_SIZE * DET_MASK_SIZE];
};

static struct record *record_of(struct small *s, const struct det_sample *samples, int n,
                                int poison)
{
    struct record *r = calloc(1, sizeof *r);
    struct det_image_detections out[SMALL_IMAGES];
    struct det_infer_stats stats;
    for (uint32_t step = 0; step < 3; step++) {
        if (poison)
            poison_passes(s);
        r->losses[step] = pass(s, samples, n, step).losses;
        if (step == 0)
            r->gradients = gradients_of(s);
        struct det_step_stats update = {0};
        cr_assert_eq(det_model_update(s->model, step, &update, NULL), DET_OK);
    }
    r->values = values_of(s);
    if (poison)
        poison_passes(s);
    for (int i = 0; i < n; i++) {
        out[i].at = r->found + 12 * i;
        out[i].mask_logits = r->masks + (size_t)i * 12 * DET_MASK_SIZE * DET_MASK_SIZE;
    }
    cr_assert_eq(det_model_infer(s->model, samples, n, out, &stats, NULL), DET_OK);
    for (int i = 0; i < n; i++)
        r->detections += out[i].n;
    return r;
}

static void drop_record(struct record *r)
{
    free(r->gradients);
    free(r->values);
    free(r);
}

static void expect_same_record(const char *what, const struct small *s, const struct record *got,
                               const struct record *want)
{
    for (int step = 0; step < 3; step++)
        expect_same_losses(what, &got->losses[step], &want->losses[step]);
    expect_same_tensors(what, s, got->gradients, want->gradients, 1);
    expect_same_tensors(what, s, got->values, want->values, 0);
    cr_expect_eq(got->detections, want->detections, "%s: %d detections, want %d", what,
                 got->detections, want->detections);
    cr_expect(memcmp(got->found, want->found, sizeof got->found) == 0, "%s: detections differ",
              what);
    cr_expect(memcmp(got->masks, want->masks, sizeof got->masks) == 0, "%s: masks differ", what);
}

static const struct {
    const char *name;
    const char *settings[8];
} variants[] = {
    {"group norm, basic blocks", {NULL}},
    {"frozen batch norm, bottlenecks",
     {"model.norm", "frozen_bn", "model.block", "bottleneck", "train.freeze_stages", "2", NULL}},
    {"AdamW, bf16", {"optimizer.kind", "adamw", "model.precision", "bf16", NULL}},
    {"focal, OHEM", {"rpn_cls_loss", "focal", "roi_cls_loss", "ohem", NULL}},
};

static struct det_config variant_config(size_t v)
{
    struct det_config config = small_config();
    for (int i = 0; variants[v].settings[i]; i += 2)
        set(&config, variants[v].settings[i], variants[v].settings[i + 1]);
    return config;
}

Test(model, bits_do_not_depend_on_threads_or_old_memory)
{
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        struct det_config config = variant_config(v);
        struct record *want = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            struct small s = small_open(&config, threads);
            struct record *got = record_of(&s, samples, SMALL_IMAGES, threads > 1);
            cr_expect_gt(got->detections, 0, "%s: nothing to compare", variants[v].name);
            if (want)
                expect_same_record(variants[v].name, &s, got, want);
            else
                want = got;
            if (got != want)
                drop_record(got);
            small_close(&s);
        }
        drop_record(want);
    }
    drop_images(samples, SMALL_IMAGES);
}

/* Smaller batches than planned for: what was left from a larger one must not show. */
Test(model, small_batch_after_a_large_one)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small fresh = small_open(&config, 1);
    struct det_step_stats want = pass(&fresh, samples, 1, 7);
    float *gradients = gradients_of(&fresh);
    small_close(&fresh);

    struct small used = small_open(&config, 1);
    pass(&used, samples, SMALL_IMAGES, 3);
    struct det_step_stats got = pass(&used, samples, 1, 7);
    expect_same_losses("one image after four", &got.losses, &want.losses);
    expect_same_tensors("one image after four", &used, used.model->params.grads, gradients, 1);
    free(gradients);
    small_close(&used);
    drop_images(samples, SMALL_IMAGES);
}

/* ---- what trains ---- */

/* Stage 0 is the stem; -1: not of the body. */
static int stage_of(const char *name)
{
    if (starts_with(name, "backbone.body.layer"))
        return name[strlen("backbone.body.layer")] - '0';
    return starts_with(name, "backbone.body.") ? 0 : -1;
}

static void expect_trained(struct small *s, const char *what, const float *before, int frozen)
{
    int norms = 0, changed = 0;
    for (size_t i = 0; i < det_model_parameter_count(s->model); i++) {
        const struct det_parameter *p = det_model_parameter(s->model, i);
        size_t at = (size_t)(p->value - s->model->params.values);
        int same = memcmp(p->value, before + at, p->size * sizeof(float)) == 0;
        int stage = stage_of(p->name);
        int must_stand = p->buffer || (stage >= 0 && stage < frozen);
        norms += p->buffer;
        changed += !same;
        cr_expect_eq(p->trainable, !must_stand, "%s: %s trainable: %d", what, p->name,
                     p->trainable);
        cr_expect_eq(p->grad != NULL, !must_stand, "%s: %s: gradient", what, p->name);
        cr_expect_eq(same, must_stand, "%s: %s %s in a step", what, p->name,
                     same ? "did not change" : "changed");
    }
    cr_expect_gt(changed, 20, "%s: only %d tensors changed", what, changed);
    cr_expect_eq(norms > 0, s->config.model_norm == DET_NORM_FROZEN_BN);
}

/* Without weight decay, which moves weights that get no gradient at all. */
Test(model, every_trainable_tensor_changes_and_no_frozen_one_does)
{
    static const int objects[SMALL_IMAGES] = {4, 4, 4, 4};
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, objects);
    for (int norm = 0; norm < 2; norm++)
        for (int frozen = 0; frozen <= 5; frozen++) {
            struct det_config config = small_config();
            char what[64];
            snprintf(what, sizeof what, "%s, %d stages frozen", norm ? "frozen_bn" : "gn", frozen);
            config.optimizer_weight_decay = 0.0;
            config.model_norm = norm ? DET_NORM_FROZEN_BN : DET_NORM_GN;
            config.train_freeze_stages = frozen;
            struct small s = small_open(&config, 1);
            float *before = values_of(&s);
            train_step(&s, samples, SMALL_IMAGES, 0);
            expect_trained(&s, what, before, frozen);
            free(before);
            small_close(&s);
        }
    drop_images(samples, SMALL_IMAGES);
}

/* Frozen stages save work, they do not change what the others learn. */
Test(model, freezing_keeps_the_other_gradients)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small all = small_open(&config, 1);
    pass(&all, samples, SMALL_IMAGES, 0);
    float *whole = gradients_of(&all);
    struct det_parameters kept = all.model->params;
    const char *name = "backbone.body.layer3.0.conv1.weight";
    const struct det_parameter *p = det_model_find(all.model, name);
    float *want = copy_of(p->grad, p->size);
    size_t size = p->size;
    cr_expect_gt(kept.grad_floats, size);
    small_close(&all);

    config.train_freeze_stages = 3;
    struct small some = small_open(&config, 1);
    pass(&some, samples, SMALL_IMAGES, 0);
    p = det_model_find(some.model, name);
    for (size_t k = 0; k < size; k++)
        cr_assert_eq(p->grad[k], want[k], "%s[%zu]: %g frozen, %g whole", name, k,
                     (double)p->grad[k], (double)want[k]);
    free(want);
    free(whole);
    small_close(&some);
    drop_images(samples, SMALL_IMAGES);
}

/* ---- inference ---- */

struct inferred {
    int n;
    struct det_detection at[12];
    float masks[12 * DET_MASK_SIZE * DET_MASK_SIZE];
};

static void infer(struct small *s, const struct det_sample *samples, int n, struct inferred *found)
{
    struct det_image_detections out[SMALL_IMAGES];
    struct det_infer_stats stats;
    struct det_error err = {0};
    for (int i = 0; i < n; i++)
        out[i] = (struct det_image_detections){.at = found[i].at, .mask_logits = found[i].masks};
    cr_assert_eq(det_model_infer(s->model, samples, n, out, &stats, &err), DET_OK, "%s",
                 err.message);
    for (int i = 0; i < n; i++)
        found[i].n = out[i].n;
}

static void expect_same_inferred(const char *what, const struct inferred *got,
                                 const struct inferred *want)
{
    size_t mask = DET_MASK_SIZE * DET_MASK_SIZE;
    cr_assert_eq(got->n, want->n, "%s: %d detections, want %d", what, got->n, want->n);
    for (int i = 0; i < got->n; i++) {
        cr_expect(memcmp(&got->at[i], &want->at[i], sizeof got->at[i]) == 0,
                  "%s: detection %d: score %a, want %a", what, i, (double)got->at[i].score,
                  (double)want->at[i].score);
        cr_expect(memcmp(got->masks + (size_t)i * mask, want->masks + (size_t)i * mask,
                         mask * sizeof(float)) == 0,
                  "%s: mask %d differs", what, i);
    }
}

/* The same detections up to what rounding can do: a matrix product's last bits depend on how many
 * rows it has. */
static void expect_near_inferred(const char *what, const struct inferred *got,
                                 const struct inferred *want)
{
    cr_assert_eq(got->n, want->n, "%s: %d detections, want %d", what, got->n, want->n);
    for (int i = 0; i < got->n; i++) {
        const struct det_detection *a = &got->at[i], *b = &want->at[i];
        cr_expect_eq(a->label, b->label, "%s: detection %d", what, i);
        cr_expect(fabsf(a->score - b->score) <= 1e-6f, "%s: detection %d: score %g, want %g", what,
                  i, (double)a->score, (double)b->score);
        for (int k = 0; k < 4; k++)
            cr_expect(fabsf(a->box[k] - b->box[k]) <= 1e-4f, "%s: detection %d: %g, want %g", what,
                      i, (double)a->box[k], (double)b->box[k]);
    }
}

/* Weights after a few steps: those at the start score all boxes nearly alike. */
static struct small trained(const struct det_sample *samples)
{
    struct det_config config = small_config();
    struct small s = small_open(&config, 2);
    for (uint32_t step = 0; step < 6; step++)
        train_step(&s, samples, SMALL_IMAGES, step);
    return s;
}

Test(model, detections_do_not_depend_on_batch_mates)
{
    static struct inferred together[SMALL_IMAGES], alone, turned[SMALL_IMAGES];
    struct det_sample samples[SMALL_IMAGES], reversed[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = trained(samples);
    infer(&s, samples, SMALL_IMAGES, together);
    int total = 0;
    for (int i = 0; i < SMALL_IMAGES; i++) {
        infer(&s, &samples[i], 1, &alone);
        expect_near_inferred("alone", &alone, &together[i]);
        reversed[SMALL_IMAGES - 1 - i] = samples[i];
        total += together[i].n;
    }
    cr_expect_gt(total, SMALL_IMAGES, "%d detections are too few for this test", total);
    infer(&s, reversed, SMALL_IMAGES, turned);
    for (int i = 0; i < SMALL_IMAGES; i++)
        expect_near_inferred("reversed", &turned[SMALL_IMAGES - 1 - i], &together[i]);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* Ground truth that reaches inference makes a detector look far better than it is. */
Test(model, detections_do_not_depend_on_ground_truth)
{
    static struct inferred with[SMALL_IMAGES], without[SMALL_IMAGES], other[SMALL_IMAGES];
    struct det_sample samples[SMALL_IMAGES], bare[SMALL_IMAGES], wrong[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = trained(samples);
    pass(&s, samples, SMALL_IMAGES, 9); /* ground truth lies in the model's memory */
    infer(&s, samples, SMALL_IMAGES, with);
    for (int i = 0; i < SMALL_IMAGES; i++) {
        bare[i] = samples[i];
        memset(&bare[i].truth, 0, sizeof bare[i].truth);
        wrong[i] = samples[i];
        wrong[i].truth = samples[(i + 2) % SMALL_IMAGES].truth;
    }
    infer(&s, bare, SMALL_IMAGES, without);
    pass(&s, wrong, SMALL_IMAGES, 9);
    infer(&s, wrong, SMALL_IMAGES, other);
    for (int i = 0; i < SMALL_IMAGES; i++) {
        expect_same_inferred("without ground truth", &without[i], &with[i]);
        expect_same_inferred("other ground truth", &other[i], &with[i]);
    }
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* Inference leaves weights, gradients and the next training pass as they were. */
Test(model, inference_does_not_disturb_training)
{
    static struct inferred found[SMALL_IMAGES];
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = trained(samples);
    struct det_step_stats want = pass(&s, samples, SMALL_IMAGES, 9);
    float *gradients = gradients_of(&s);
    uint64_t hash = det_model_hash(s.model);
    infer(&s, samples, SMALL_IMAGES, found);
    cr_expect_eq(det_model_hash(s.model), hash, "inference changed weights");
    expect_same_tensors("after inference", &s, s.model->params.grads, gradients, 1);
    struct det_step_stats got = pass(&s, samples, SMALL_IMAGES, 9);
    expect_same_losses("pass after inference", &got.losses, &want.losses);
    expect_same_tensors("pass after inference", &s, s.model->params.grads, gradients, 1);
    free(gradients);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* ---- mixed precision ---- */

/* bfloat16 keeps 8 bits: an error of 2^-9 a rounding, less than 2e-2 over this depth. Proposals
 * differ between the two, so only the RPN's losses are the same quantity; the others get twice. */
Test(model, bf16_follows_fp32)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small exact = small_open(&config, 1);
    struct det_step_stats want = pass(&exact, samples, SMALL_IMAGES, 0);
    small_close(&exact);
    config.model_precision = DET_PRECISION_BF16;
    struct small rounded = small_open(&config, 1);
    struct det_step_stats got = train_step(&rounded, samples, SMALL_IMAGES, 0);
    const struct {
        const char *name;
        double got, want, tolerance;
    } all[] = {
        {"loss_rpn_cls", got.losses.rpn_cls, want.losses.rpn_cls, 2e-2},
        {"loss_rpn_bbox", got.losses.rpn_bbox, want.losses.rpn_bbox, 2e-2},
        {"loss_cls", got.losses.cls, want.losses.cls, 4e-2},
        {"loss_mask", got.losses.mask, want.losses.mask, 4e-2},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cr_expect(fabs(all[i].got - all[i].want) <= all[i].tolerance * fmax(1.0, all[i].want),
                  "%s: bf16 %g, fp32 %g", all[i].name, all[i].got, all[i].want);
    cr_expect_neq(got.losses.rpn_cls, want.losses.rpn_cls, "nothing was rounded");
    cr_expect(isfinite(got.grad_norm) && got.grad_norm > 0.0 && !got.skipped, "gradient norm %g",
              got.grad_norm);
    cr_expect_gt(got.loss_scale, 1.0);
    small_close(&rounded);
    drop_images(samples, SMALL_IMAGES);
}

static int has_bf16_bits(const float *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t bits;
        memcpy(&bits, &x[k], sizeof bits);
        if (bits & 0xffff)
            return 0;
    }
    return 1;
}

/* What convolutions and matrix products hand on: every layer's output. */
Test(model, bf16_rounds_every_activation)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    config.model_precision = DET_PRECISION_BF16;
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    pass(&s, samples, SMALL_IMAGES, 0);
    const struct {
        const struct det_net *net;
        int rows;
    } nets[] = {{&s.model->trunk, SMALL_IMAGES},
                {&s.model->box_head, *s.model->d.rois.count},
                {&s.model->mask_head, *s.model->d.mask_rois.count}};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        for (int l = 0; l < nets[i].net->n_layers; l++) {
            const struct net_tensor *t = &nets[i].net->tensors[nets[i].net->layers[l].out];
            size_t row = (size_t)t->c * (size_t)t->h * (size_t)t->w;
            cr_expect(has_bf16_bits(t->value, (size_t)nets[i].rows * row),
                      "net %zu, layer %d: more than bfloat16", i, l);
        }
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* Weights keep what bfloat16 would lose: steps smaller than a rounding must add up. */
Test(model, bf16_keeps_fp32_master_weights)
{
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    config.model_precision = DET_PRECISION_BF16;
    config.optimizer_lr = 1e-5;
    images_with(samples, SMALL_IMAGES, some_objects);
    struct small s = small_open(&config, 1);
    const struct det_parameter_slot *slot = &s.model->params.slots[0];
    float *before = copy_of(slot->parameter.value, slot->parameter.size);
    train_step(&s, samples, SMALL_IMAGES, 0);
    int fine = 0, changed = 0;
    for (size_t k = 0; k < slot->parameter.size; k++) {
        fine += !has_bf16_bits(&slot->parameter.value[k], 1);
        changed += slot->parameter.value[k] != before[k];
    }
    cr_expect(has_bf16_bits(slot->compute, slot->parameter.size),
              "%s is computed with in more than bfloat16", slot->name);
    cr_expect_gt(fine, (int)slot->parameter.size / 2, "the master weights were rounded");
    cr_expect_gt(changed, (int)slot->parameter.size / 2, "small steps are lost");
    free(before);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* ---- weights ---- */

Test(model, hash_sees_every_tensor_and_every_bit)
{
    struct det_config config = small_config();
    struct small s = small_open(&config, 1);
    uint64_t hash = det_model_hash(s.model);
    cr_expect_eq(det_model_hash(s.model), hash, "not a function of the weights");
    for (size_t i = 0; i < det_model_parameter_count(s.model); i++) {
        struct det_parameter *p = det_model_parameter(s.model, i);
        uint32_t bits, flipped;
        memcpy(&bits, &p->value[p->size - 1], sizeof bits);
        flipped = bits ^ (1u << (i % 32));
        memcpy(&p->value[p->size - 1], &flipped, sizeof bits);
        cr_expect_neq(det_model_hash(s.model), hash, "a bit of %s does not show", p->name);
        memcpy(&p->value[p->size - 1], &bits, sizeof bits);
    }
    cr_expect_eq(det_model_hash(s.model), hash);
    small_close(&s);
}

/* A NaN anywhere reaches a loss, the norm or the counts of what was dropped: it is never laundered
 * into a clean step. */
Test(model, a_nan_weight_shows)
{
    static struct inferred found[SMALL_IMAGES];
    static const int objects[SMALL_IMAGES] = {4, 4, 4, 4};
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, objects);
    struct small s = small_open(&config, 1);
    cr_expect(det_model_all_finite(s.model));
    for (size_t i = 0; i < det_model_parameter_count(s.model); i++) {
        struct det_parameter *p = det_model_parameter(s.model, i);
        float kept = p->value[p->size / 2];
        struct det_error err = {0};
        p->value[p->size / 2] = i % 3 ? NAN : INFINITY;
        cr_expect_not(det_model_all_finite(s.model), "%s: not seen", p->name);
        struct det_step_stats stats = pass(&s, samples, SMALL_IMAGES, 0);
        uint64_t hash = det_model_hash(s.model);
        enum det_code code = det_model_update(s.model, 0, &stats, &err);
        cr_expect(code == DET_NOT_FINITE || !isfinite(stats.losses.total) || stats.not_finite > 0,
                  "%s: the step looks clean: loss %g, norm %g", p->name, stats.losses.total,
                  stats.grad_norm);
        if (code == DET_NOT_FINITE)
            cr_expect_eq(det_model_hash(s.model), hash, "%s: updated all the same", p->name);
        if (code == DET_OK) { /* a sum that stayed finite: back to where we were */
            small_close(&s);
            s = small_open(&config, 1);
            p = det_model_parameter(s.model, i);
        }
        p->value[p->size / 2] = kept;
    }
    struct det_parameter *score =
        det_model_find(s.model, "roi_heads.box_predictor.cls_score.weight");
    struct det_infer_stats stats;
    struct det_image_detections out = {.at = found[0].at, .mask_logits = found[0].masks};
    for (size_t k = 0; k < score->size; k++)
        score->value[k] = NAN;
    cr_assert_eq(det_model_infer(s.model, samples, 1, &out, &stats, NULL), DET_OK);
    cr_expect_eq(out.n, 0);
    cr_expect_gt(stats.not_finite, 0, "NaN scores became no detections without a word");
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* ---- creation ---- */

static enum det_code create(const struct det_config *config, int classes, int canvas, int batch,
                            struct det_error *err)
{
    struct det_device *dev = guarded_open(1);
    struct det_model *model;
    struct det_model_options options = {.config = config,
                                        .n_classes = classes,
                                        .canvas_h = canvas,
                                        .canvas_w = SMALL_CANVAS,
                                        .max_objects = 1,
                                        .batch_size = batch,
                                        .infer_batch_size = 1};
    enum det_code code = det_model_create(dev, &options, &model, err);
    cr_expect_eq(model != NULL, code == DET_OK);
    det_model_destroy(model);
    dev->ops->close(dev);
    return code;
}

Test(model, refuses_what_it_cannot_be_made_for)
{
    struct det_config config = small_config();
    struct det_error err = {0};
    cr_expect_eq(create(&config, 1, 64, 1, &err), DET_OK, "%s", err.message);
    cr_expect_eq(create(&config, 1, 65, 1, &err), DET_INVALID);
    cr_expect(strstr(err.message, "multiples of 32"), "%s", err.message);
    cr_expect_eq(create(&config, 0, 64, 1, &err), DET_INVALID);
    cr_expect(strstr(err.message, "class"), "%s", err.message);
    cr_expect_eq(create(&config, 1, 64, 0, &err), DET_INVALID);
    cr_expect(strstr(err.message, "batch"), "%s", err.message);
    cr_expect_eq(create(&config, 1, 4096, 65536, &err), DET_INVALID); /* 2^31 rows and more */
    cr_expect(strstr(err.message, "anchors"), "%s", err.message);
    config.model_anchor_sizes.n = 3;
    cr_expect_eq(create(&config, 1, 64, 1, &err), DET_INVALID);
    cr_expect(strstr(err.message, "anchor_sizes"), "%s", err.message);
}
