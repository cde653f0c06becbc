/* What a training pass makes of its batch: order, emptiness in all its forms, rows that are not
 * trained on, weights of passes, and input that is refused. */
#include "suites/model_suite.h"

#include <stddef.h>

static void expect_zero_gradients(const struct small *s, const char *what, const char *prefix)
{
    int tensors = 0;
    for (size_t i = 0; i < s->model->params.n; i++) {
        const struct det_parameter *p = &s->model->params.slots[i].parameter;
        if (!p->trainable || !starts_with(p->name, prefix))
            continue;
        tensors++;
        for (size_t k = 0; k < p->size; k++)
            cr_assert_eq(p->grad[k], 0.0f, "%s: gradient of %s[%zu]: %g, want exactly 0", what,
                         p->name, k, (double)p->grad[k]);
    }
    cr_expect_gt(tensors, 0, "no tensor is called %s", prefix);
}

static int any_gradient(const struct small *s, const char *name)
{
    const struct det_parameter *p = det_model_find(s->model, name);
    for (size_t k = 0; k < p->size; k++)
        if (p->grad[k] != 0.0f)
            return 1;
    return 0;
}

static void expect_finite(const struct small *s, const char *what,
                          const struct det_step_stats *stats)
{
    const struct det_losses *l = &stats->losses;
    cr_expect(isfinite(l->rpn_cls) && isfinite(l->rpn_bbox) && isfinite(l->cls) &&
                  isfinite(l->bbox) && isfinite(l->mask) && isfinite(l->total),
              "%s: losses %g %g %g %g %g", what, l->rpn_cls, l->rpn_bbox, l->cls, l->bbox, l->mask);
    for (size_t i = 0; i < s->model->params.grad_floats; i++)
        cr_assert(isfinite(s->model->params.grads[i]), "%s: gradient %zu is %g", what, i,
                  (double)s->model->params.grads[i]);
    cr_expect_eq(stats->not_finite, 0, "%s: %d dropped", what, stats->not_finite);
}

/* ---- order ---- */

static int count_label(const struct small *s, int label)
{
    int count = 0;
    struct det_tap rows, labels;
    cr_assert(det_model_tap(s->model, "roi_count", &rows));
    cr_assert(det_model_tap(s->model, "roi_labels", &labels));
    for (int i = 0; i < *(const int32_t *)rows.data; i++)
        count += ((const int32_t *)labels.data)[i] == label;
    return count;
}

/* Sampling is keyed by the image's id, so the same rows are summed, in another order: in double for
 * the losses, in float for gradients of weights. */
Test(model_batch, order_of_images_does_not_matter)
{
    static const int objects[SMALL_IMAGES] = {2, 0, 3, 1};
    static const int orders[][SMALL_IMAGES] = {{3, 2, 1, 0}, {1, 3, 0, 2}};
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES], turned[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, objects);
    struct small s = small_open(&config, 1);
    struct det_step_stats want = pass(&s, samples, SMALL_IMAGES, 5);
    float *gradients = gradients_of(&s);
    int labels[SMALL_CLASSES + 1];
    for (int c = 0; c <= SMALL_CLASSES; c++)
        labels[c] = count_label(&s, c);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        for (int i = 0; i < SMALL_IMAGES; i++)
            turned[i] = samples[orders[o][i]];
        struct det_step_stats got = pass(&s, turned, SMALL_IMAGES, 5);
        cr_expect(fabs(got.losses.total - want.losses.total) <= 1e-6 * want.losses.total,
                  "order %zu: loss %.9g, want %.9g", o, got.losses.total, want.losses.total);
        expect_near_gradients("another order", &s, s.model->params.grads, gradients, 2e-5);
        for (int c = 0; c <= SMALL_CLASSES; c++)
            cr_expect_eq(count_label(&s, c), labels[c], "order %zu: RoIs of class %d", o, c);
        cr_expect_eq(got.rpn.positives, want.rpn.positives);
        cr_expect_eq(got.rpn.negatives, want.rpn.negatives);
    }
    free(gradients);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

Test(model_batch, samplers_follow_step_and_image)
{
    static const int objects[2] = {3, 3};
    struct det_config config = small_config();
    struct det_sample samples[2];
    images_with(samples, 2, objects);
    struct small s = small_open(&config, 1);
    struct det_tap tap;
    pass(&s, samples, 2, 5);
    cr_assert(det_model_tap(s.model, "rpn_sampled", &tap));
    size_t bytes = (size_t)tap.rows * (size_t)tap.columns;
    int8_t *first = malloc(bytes);
    memcpy(first, tap.data, bytes);
    pass(&s, samples, 2, 6);
    cr_expect(memcmp(first, tap.data, bytes) != 0, "the same anchors in the next step");
    pass(&s, samples, 2, 5);
    cr_expect(memcmp(first, tap.data, bytes) == 0, "other anchors in the same step");
    int32_t rois[2][8]; /* the RoI sampler draws its own, from proposals that do not change */
    for (uint32_t step = 5; step <= 6; step++) {
        struct det_tap index;
        pass(&s, samples, 2, step);
        cr_assert(det_model_tap(s.model, "roi_index", &index));
        memcpy(rois[step - 5], index.data, sizeof rois[0]);
    }
    cr_expect(memcmp(rois[0], rois[1], sizeof rois[0]) != 0, "the same RoIs in the next step");
    samples[0].id += 1000;
    pass(&s, samples, 2, 5);
    cr_expect(memcmp(first, tap.data, bytes / 2) != 0, "the same anchors for another image");
    cr_expect(memcmp(first + bytes / 2, (const int8_t *)tap.data + bytes / 2, bytes / 2) == 0,
              "an image's anchors depend on its batch mate");
    free(first);
    small_close(&s);
    drop_images(samples, 2);
}

/* ---- emptiness ---- */

Test(model_batch, images_without_objects)
{
    static const int objects[][SMALL_IMAGES] = {{0, 0, 0, 0}, {0, 3, 0, 1}, {2, 2, 2, 0}};
    for (size_t c = 0; c < sizeof objects / sizeof *objects; c++)
        for (int append = 0; append < 2; append++) {
            char what[64];
            struct det_config config = small_config();
            struct det_sample samples[SMALL_IMAGES];
            int total = 0;
            config.roi_append_ground_truth = append;
            images_with(samples, SMALL_IMAGES, objects[c]);
            for (int i = 0; i < SMALL_IMAGES; i++)
                total += objects[c][i];
            snprintf(what, sizeof what, "%d objects in 4 images, append %d", total, append);
            struct small s = small_open(&config, 1);
            struct det_step_stats stats = train_step(&s, samples, SMALL_IMAGES, 0);
            expect_finite(&s, what, &stats);
            cr_expect_eq(stats.objects, total, "%s: %d seen", what, stats.objects);
            cr_expect(det_model_all_finite(s.model), "%s: weights", what);
            if (total == 0) {
                cr_expect_eq(stats.losses.rpn_bbox, 0.0, "%s: %g", what, stats.losses.rpn_bbox);
                cr_expect_eq(stats.losses.bbox, 0.0, "%s: %g", what, stats.losses.bbox);
                cr_expect_eq(stats.losses.mask, 0.0, "%s: %g", what, stats.losses.mask);
                cr_expect_gt(stats.losses.rpn_cls, 0.0, "%s: negatives train", what);
                cr_expect_gt(stats.losses.cls, 0.0, "%s: negatives train", what);
                cr_expect_eq(stats.rpn.positives + stats.roi.positives, 0);
                expect_zero_gradients(&s, what, "roi_heads.mask_");
                expect_zero_gradients(&s, what, "roi_heads.box_predictor.bbox_pred");
                expect_zero_gradients(&s, what, "rpn.head.bbox_pred");
                cr_expect(any_gradient(&s, "roi_heads.box_predictor.cls_score.weight"), "%s", what);
            } else {
                cr_expect_gt(stats.rpn.positives, 0, "%s: low-quality matches", what);
            }
            small_close(&s);
            drop_images(samples, SMALL_IMAGES);
        }
}

/* Proposals under the smallest size are removed; without appended ground truth none is left. */
Test(model_batch, no_proposals)
{
    static const int objects[2] = {3, 0};
    struct det_config config = small_config();
    struct det_sample samples[2];
    set(&config, "rpn.min_size", "4096");
    set(&config, "roi.append_ground_truth", "false");
    images_with(samples, 2, objects);
    struct small s = small_open(&config, 2);
    struct det_step_stats stats = pass(&s, samples, 2, 0);
    expect_finite(&s, "no proposals", &stats);
    cr_expect_eq(stats.proposals, 0);
    cr_expect_eq(stats.losses.cls, 0.0, "loss_cls %g", stats.losses.cls);
    cr_expect_eq(stats.losses.bbox, 0.0, "loss_bbox %g", stats.losses.bbox);
    cr_expect_eq(stats.losses.mask, 0.0, "loss_mask %g", stats.losses.mask);
    cr_expect_gt(stats.losses.rpn_cls, 0.0);
    expect_zero_gradients(&s, "no proposals", "roi_heads.");
    cr_expect(any_gradient(&s, "backbone.body.conv1.weight"), "the RPN does not reach the stem");

    struct det_detection at[2][12];
    float masks[12 * DET_MASK_SIZE * DET_MASK_SIZE];
    struct det_image_detections out[2] = {{.at = at[0], .mask_logits = masks},
                                          {.at = at[1], .mask_logits = masks}};
    struct det_infer_stats infer;
    cr_assert_eq(det_model_infer(s.model, samples, 2, out, &infer, NULL), DET_OK);
    cr_expect_eq(out[0].n + out[1].n, 0, "detections from no proposals");
    cr_expect_eq(infer.not_finite, 0);
    small_close(&s);
    drop_images(samples, 2);
}

/* Objects that no proposal fits: nothing for the box and mask losses, background for the rest. */
Test(model_batch, no_positive_rois)
{
    static const int objects[2] = {3, 2};
    struct det_config config = small_config();
    struct det_sample samples[2];
    set(&config, "roi.fg_iou", "1.0");
    set(&config, "roi.bg_iou", "1.0");
    set(&config, "roi.append_ground_truth", "false");
    images_with(samples, 2, objects);
    struct small s = small_open(&config, 1);
    struct det_step_stats stats = pass(&s, samples, 2, 0);
    expect_finite(&s, "no positives", &stats);
    cr_expect_eq(stats.roi.positives, 0);
    cr_expect_gt(stats.roi.negatives, 0);
    cr_expect_eq(stats.losses.bbox, 0.0, "loss_bbox %g", stats.losses.bbox);
    cr_expect_eq(stats.losses.mask, 0.0, "loss_mask %g", stats.losses.mask);
    cr_expect_gt(stats.losses.cls, 0.0);
    expect_zero_gradients(&s, "no positives", "roi_heads.mask_");
    expect_zero_gradients(&s, "no positives", "roi_heads.box_predictor.bbox_pred");
    small_close(&s);
    drop_images(samples, 2);
}

Test(model_batch, one_proposal_a_level)
{
    static const int objects[2] = {2, 1};
    struct det_config config = small_config();
    struct det_sample samples[2];
    set(&config, "rpn.pre_nms_train", "1");
    set(&config, "rpn.post_nms_train", "1");
    set(&config, "roi.batch_per_image", "1");
    images_with(samples, 2, objects);
    struct small s = small_open(&config, 1);
    struct det_step_stats stats = train_step(&s, samples, 2, 0);
    expect_finite(&s, "one proposal", &stats);
    cr_expect_eq(stats.proposals, 2);
    cr_expect_eq(stats.roi.positives + stats.roi.negatives, 2);
    small_close(&s);
    drop_images(samples, 2);
}

Test(model_batch, without_masks)
{
    static const int objects[2] = {2, 3};
    struct det_config config = small_config();
    struct det_sample samples[2];
    images_with(samples, 2, objects);
    struct small with = small_open(&config, 1);
    struct det_step_stats want = pass(&with, samples, 2, 0);
    cr_expect_gt(want.losses.mask, 0.0);
    small_close(&with);
    config.mask_enabled = 0;
    struct small s = small_open(&config, 1);
    free(samples[0].truth.masks);
    samples[0].truth.masks = NULL;
    struct det_step_stats stats = train_step(&s, samples, 2, 0);
    expect_finite(&s, "masks off", &stats);
    cr_expect_eq(stats.losses.mask, 0.0);
    expect_zero_gradients(&s, "masks off", "roi_heads.mask_");
    cr_expect_eq(stats.losses.cls, want.losses.cls, "the mask head reaches the box head's loss");
    small_close(&s);
    drop_images(samples, 2);
}

/* ---- rows that are not trained on ---- */

/* Take row k out of the sample's truth. */
static void remove_row(struct det_annotations *truth, int k)
{
    size_t plane = (size_t)SMALL_CANVAS * SMALL_CANVAS;
    size_t behind = (size_t)(truth->n - 1 - k);
    memmove(truth->boxes + k, truth->boxes + k + 1, behind * sizeof *truth->boxes);
    memmove(truth->labels + k, truth->labels + k + 1, behind * sizeof *truth->labels);
    memmove(truth->masks + (size_t)k * plane, truth->masks + (size_t)(k + 1) * plane,
            behind * plane);
    truth->n--;
}

Test(model_batch, crowds_and_missing_labels_are_not_trained_on)
{
    static const int objects[2] = {4, 2};
    struct det_config config = small_config();
    struct det_sample marked[2], removed[2];
    images_with(removed, 2, objects);
    remove_row(&removed[0].truth, 1);
    remove_row(&removed[1].truth, 0);
    struct small s = small_open(&config, 1);
    struct det_step_stats want = pass(&s, removed, 2, 3);
    float *gradients = gradients_of(&s);
    for (int crowd = 0; crowd < 2; crowd++) {
        images_with(marked, 2, objects);
        (crowd ? marked[0].truth.crowd : marked[0].truth.annotated)[1] = (uint8_t)crowd;
        (crowd ? marked[1].truth.crowd : marked[1].truth.annotated)[0] = (uint8_t)crowd;
        const char *what = crowd ? "crowd" : "not annotated";
        struct det_step_stats got = pass(&s, marked, 2, 3);
        expect_same_losses(what, &got.losses, &want.losses);
        expect_same_tensors(what, &s, s.model->params.grads, gradients, 1);
        cr_expect_eq(got.objects, 4, "%s: %d rows", what, got.objects);
        drop_images(marked, 2);
    }
    free(gradients);
    small_close(&s);
    drop_images(removed, 2);
}

/* What lies outside an image's live part is not proposed. */
Test(model_batch, boxes_stay_inside_the_live_part)
{
    struct det_config config = small_config();
    struct det_sample sample = image_with(5, 0);
    float boxes[64][4];
    sample.height = 40;
    sample.width = 50;
    struct small s = small_open(&config, 1);
    pass(&s, &sample, 1, 0);
    int n = det_model_proposals(s.model, 0, boxes, NULL);
    cr_expect_gt(n, 4);
    for (int i = 0; i < n; i++)
        cr_expect(boxes[i][0] >= 0.0f && boxes[i][1] >= 0.0f && boxes[i][2] <= 50.0f &&
                      boxes[i][3] <= 40.0f,
                  "proposal %d: %g %g %g %g", i, (double)boxes[i][0], (double)boxes[i][1],
                  (double)boxes[i][2], (double)boxes[i][3]);
    small_close(&s);
    drop_images(&sample, 1);
}

/* ---- passes ---- */

static void add_pass(struct small *s, const struct det_sample *samples, int n, double weight)
{
    struct det_step_stats stats;
    cr_assert_eq(det_model_forward_backward(s->model, samples, n, 4, weight, &stats, NULL), DET_OK);
}

/* Losses are reported unweighted; gradients of k passes at weight 1/k are their mean. */
Test(model_batch, passes_are_weighted_and_added)
{
    static const int objects[SMALL_IMAGES] = {3, 2, 0, 1};
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, SMALL_IMAGES, objects);
    struct small s = small_open(&config, 1);
    size_t floats = s.model->params.grad_floats;
    float *mean = calloc(floats, sizeof *mean);
    for (int i = 0; i < SMALL_IMAGES; i++) {
        struct det_step_stats whole = pass(&s, samples + i, 1, 4);
        float *single = gradients_of(&s);
        for (size_t k = 0; k < floats; k++)
            mean[k] += single[k] / SMALL_IMAGES;
        struct det_step_stats part;
        det_model_zero_grad(s.model);
        cr_assert_eq(det_model_forward_backward(s.model, samples + i, 1, 4, 0.25, &part, NULL),
                     DET_OK);
        expect_same_losses("a quarter of a pass", &part.losses, &whole.losses);
        for (size_t k = 0; k < floats; k++)
            single[k] *= 0.25f;
        expect_near_gradients("a quarter of a pass", &s, s.model->params.grads, single, 1e-6);
        free(single);
    }
    det_model_zero_grad(s.model);
    for (int i = 0; i < SMALL_IMAGES; i++)
        add_pass(&s, samples + i, 1, 1.0 / SMALL_IMAGES);
    expect_near_gradients("accumulated", &s, s.model->params.grads, mean, 1e-5);
    free(mean);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES);
}

/* An image twice in a batch: the same rows twice, averaged. Not so for a loss that is normalised
 * by image, summed, or divided by a count of one image only. */
Test(model_batch, duplicated_images_change_nothing)
{
    static const int objects[2] = {3, 2};
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES];
    images_with(samples, 2, objects);
    samples[2] = samples[0];
    samples[3] = samples[1];
    struct small s = small_open(&config, 1);
    struct det_step_stats want = pass(&s, samples, 2, 4);
    float *gradients = gradients_of(&s);
    struct det_step_stats got = pass(&s, samples, 4, 4);
    cr_expect(fabs(got.losses.total - want.losses.total) <= 1e-6 * want.losses.total,
              "total %.9g, want %.9g", got.losses.total, want.losses.total);
    expect_near_gradients("twice the batch", &s, s.model->params.grads, gradients, 2e-5);
    free(gradients);
    small_close(&s);
    drop_images(samples, 2);
}

/* Every loss, with the tensor that it alone reaches and its denominator in a pass. */
static const struct part {
    const char *tensor;
    size_t loss;
    int by_rows; /* all sampled RoIs, where otherwise positives */
    int of_rpn;
} parts[] = {
    {"rpn.head.cls_logits.weight", offsetof(struct det_losses, rpn_cls), 0, 1},
    {"rpn.head.bbox_pred.weight", offsetof(struct det_losses, rpn_bbox), 0, 1},
    {"roi_heads.box_predictor.cls_score.weight", offsetof(struct det_losses, cls), 0, 0},
    {"roi_heads.box_predictor.bbox_pred.weight", offsetof(struct det_losses, bbox), 1, 0},
    {"roi_heads.mask_predictor.mask_fcn_logits.weight", offsetof(struct det_losses, mask), 0, 0},
};

static double loss_of(const struct part *part, const struct det_step_stats *stats)
{
    return *(const double *)(const void *)((const char *)&stats->losses + part->loss);
}

static double denominator_of(const struct part *part, const struct det_step_stats *stats)
{
    const struct det_cls_stats *rows = part->of_rpn ? &stats->rpn : &stats->roi;
    return rows->positives + (part->by_rows ? rows->negatives : 0);
}

/* One denominator for the batch, not one an image: a batch is the mean of its images by their
 * denominators, which differ here. A mean of the images' means would weigh them alike. */
Test(model_batch, a_batch_has_one_denominator)
{
    static const int objects[2] = {4, 1};
    struct det_config config = small_config();
    set(&config, "rpn_avg_factor", "positives");
    set(&config, "roi_cls_avg_factor", "positives");
    set(&config, "rpn.post_nms_train", "6"); /* not enough background to fill the RoIs' sample */
    struct det_sample samples[2];
    images_with(samples, 2, objects);
    struct small s = small_open(&config, 1);
    struct det_step_stats of[2];
    float *gradients[2];
    for (int i = 0; i < 2; i++) {
        of[i] = pass(&s, samples + i, 1, 4);
        gradients[i] = gradients_of(&s);
    }
    struct det_step_stats both = pass(&s, samples, 2, 4);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const struct part *part = &parts[i];
        double a = denominator_of(part, &of[0]), b = denominator_of(part, &of[1]);
        double want = (a * loss_of(part, &of[0]) + b * loss_of(part, &of[1])) / (a + b);
        const struct det_parameter *p = det_model_find(s.model, part->tensor);
        cr_assert(p && a != b && a > 0 && b > 0, "%s: denominators %g and %g", part->tensor, a, b);
        cr_expect(fabs(loss_of(part, &both) - want) <= 1e-6 * want, "%s: loss %.9g, want %.9g",
                  part->tensor, loss_of(part, &both), want);
        size_t at = (size_t)(p->grad - s.model->params.grads);
        double largest = 0.0, apart = 0.0;
        for (size_t k = 0; k < p->size; k++) {
            double mean =
                (a * (double)gradients[0][at + k] + b * (double)gradients[1][at + k]) / (a + b);
            largest = fmax(largest, fabs(mean));
            apart = fmax(apart, fabs((double)p->grad[k] - mean));
        }
        cr_expect(largest > 0.0 && apart <= 2e-5 * largest, "%s: gradient %g off of %g",
                  part->tensor, apart, largest);
    }
    free(gradients[0]);
    free(gradients[1]);
    small_close(&s);
    drop_images(samples, 2);
}

/* What inference needs room for is no part of training: neither its bits nor its memory. */
Test(model_batch, larger_inference_batches_leave_training_alone)
{
    static const int objects[2] = {3, 1};
    struct det_config config = small_config();
    struct det_sample samples[2];
    struct det_step_stats stats[2];
    float *gradients[2];
    images_with(samples, 2, objects);
    for (int larger = 0; larger < 2; larger++) {
        struct small s = small_open_for(&config, 1, 2, larger ? 64 : 1);
        poison_passes(&s);
        stats[larger] = pass(&s, samples, 2, 0);
        gradients[larger] = gradients_of(&s);
        if (larger) {
            expect_same_losses("64 images of inference", &stats[1].losses, &stats[0].losses);
            expect_same_tensors("64 images of inference", &s, gradients[1], gradients[0], 1);
        }
        small_close(&s);
    }
    free(gradients[0]);
    free(gradients[1]);
    drop_images(samples, 2);
}

/* ---- refusals ---- */

static void expect_refused(struct small *s, const struct det_sample *samples, int n,
                           const char *named)
{
    struct det_step_stats stats;
    struct det_error err = {0};
    uint64_t hash = det_model_hash(s->model);
    enum det_code code = det_model_forward_backward(s->model, samples, n, 0, 1.0, &stats, &err);
    cr_expect_eq(code, DET_INVALID, "%s: code %d", named, code);
    cr_expect(strstr(err.message, named), "'%s' does not say '%s'", err.message, named);
    cr_expect_eq(det_model_hash(s->model), hash);
}

Test(model_batch, bad_input_is_refused_by_name)
{
    static const int objects[SMALL_IMAGES + 1] = {3, 2, 0, 1, 1};
    struct det_config config = small_config();
    struct det_sample samples[SMALL_IMAGES + 1];
    images_with(samples, SMALL_IMAGES + 1, objects);
    struct small s = small_open(&config, 1);
    struct det_step_stats before = pass(&s, samples, 2, 0);
    expect_refused(&s, samples, 0, "0 images");
    expect_refused(&s, samples, SMALL_IMAGES + 1, "5 images");

    float *box = samples[1].truth.boxes[1];
    const float kept[4] = {box[0], box[1], box[2], box[3]};
    const float bad[][4] = {{5, 5, 5, 9},   {5, 5, 9, 5},        {9, 5, 5, 9},
                            {NAN, 5, 9, 9}, {5, 5, INFINITY, 9}, {5, NAN, 9, 9}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(box, bad[i], sizeof bad[i]);
        expect_refused(&s, samples, 2, "image 101, object 1");
    }
    memcpy(box, kept, sizeof kept);
    for (int label = -1; label <= SMALL_CLASSES + 1; label += SMALL_CLASSES + 2) {
        samples[1].truth.labels[0] = label;
        expect_refused(&s, samples, 2, "image 101, object 0");
    }
    samples[1].truth.labels[0] = 0;
    expect_refused(&s, samples, 2, "class 0");
    samples[1].truth.labels[0] = 1;
    samples[0].width = SMALL_CANVAS + 1;
    expect_refused(&s, samples, 2, "image 100");
    samples[0].width = 0;
    expect_refused(&s, samples, 2, "image 100");
    samples[0].width = SMALL_CANVAS;

    struct det_sample crowded = image_with(77, SMALL_OBJECTS + 1);
    expect_refused(&s, &crowded, 1, "image 77");
    crowded.truth.crowd[0] = 1; /* one less to train on */
    pass(&s, &crowded, 1, 0);
    drop_images(&crowded, 1);

    struct det_step_stats after = pass(&s, samples, 2, 0);
    expect_same_losses("after the refusals", &after.losses, &before.losses);
    small_close(&s);
    drop_images(samples, SMALL_IMAGES + 1);
}
