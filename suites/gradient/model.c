/* The whole network's gradients against central differences of its losses.
 *
 * For each trainable tensor the loss is taken at w + h d and w - h d, along the gradient itself
 * (its length) and along two thirds of its elements (how it is spread over them). Two things would
 * make the difference wrong where the gradient is right:
 *
 *  - Proposals are constants to the analytic gradient but not to the loss. So in the first setting
 *    rpn.head.bbox_pred is zero: the proposals are the anchors, all of them, and all are RoIs;
 *    nothing that is drawn or sorted depends on a weight. In the second setting there are no
 *    proposals and bbox_pred is not zero: the RPN's own losses alone.
 *  - Kinks (rectifiers, max pooling): the steps are so small that few are crossed. */
#include "suites/model_suite.h"

enum { IMAGES = 2 };
static const int objects[IMAGES] = {3, 2};

static struct det_config every_anchor_config(void)
{
    static const char *const settings[][2] = {
        {"model.aspect_ratios", "[1.0]"},
        {"rpn.nms_iou", "1.0"},
        {"rpn.pre_nms_train", "256"},
        {"rpn.post_nms_train", "400"},
        {"rpn.post_nms_test", "1"},
        {"roi.batch_per_image", "400"},
        {"roi.positive_fraction", "1.0"},
        {"roi.fg_iou", "0.3"},
        {"roi.bg_iou", "0.3"},
        {"rpn.batch_per_image", "64"},
    };
    struct det_config config = small_config();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        set(&config, settings[i][0], settings[i][1]);
    return config;
}

/* All predictors away from zero, so that every gradient is worth comparing. */
static void scatter(struct small *s, const char *name, float size)
{
    struct det_parameter *p = det_model_find(s->model, name);
    cr_assert_not_null(p, "%s", name);
    for (size_t k = 0; k < p->size; k++)
        p->value[k] = number((uint32_t)k, (uint32_t)p->size, 9, -size, size);
}

struct decisions { /* what must not differ between the two sides of a difference */
    int rois, positives;
    uint64_t sampled;
};

static struct decisions decisions_of(struct small *s, const struct det_step_stats *stats)
{
    struct det_tap tap;
    struct decisions d = {.rois = stats->roi.positives + stats->roi.negatives,
                          .positives = stats->roi.positives};
    cr_assert(det_model_tap(s->model, "rpn_sampled", &tap));
    for (int i = 0; i < tap.rows * tap.columns; i++)
        d.sampled = d.sampled * 31 + (uint64_t)(((const int8_t *)tap.data)[i] + 1);
    return d;
}

static double loss_of(struct small *s, const struct det_sample *samples, int rpn_only,
                      struct decisions *decisions)
{
    struct det_step_stats stats = pass(s, samples, IMAGES, 1);
    const struct det_losses *l = &stats.losses;
    *decisions = decisions_of(s, &stats);
    return rpn_only ? l->rpn_cls + l->rpn_bbox : l->total;
}

/* The derivative of the loss along d (of unit length) by a central difference of width 2 h. */
static double difference(struct small *s, const struct det_sample *samples, struct det_parameter *p,
                         const double *d, double h, int rpn_only)
{
    struct decisions up, down;
    float *kept = copy_of(p->value, p->size);
    double moved = 0.0, asked = 0.0; /* what float made of the step */
    double loss[2];
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < p->size; k++) {
            double step = (side ? -h : h) * d[k];
            p->value[k] = (float)((double)kept[k] + step);
            moved += ((double)p->value[k] - (double)kept[k]) * step;
            asked += step * step;
        }
        loss[side] = loss_of(s, samples, rpn_only, side ? &down : &up);
    }
    memcpy(p->value, kept, p->size * sizeof *kept);
    free(kept);
    cr_expect_eq(up.rois, down.rois, "%s: %d and %d RoIs", p->name, up.rois, down.rois);
    cr_expect_eq(up.positives, down.positives, "%s: %d and %d positives", p->name, up.positives,
                 down.positives);
    cr_expect_eq(up.sampled, down.sampled, "%s: other anchors were sampled", p->name);
    return (loss[0] - loss[1]) / (2.0 * h) * (asked / moved);
}

/* d: the gradient g, or (part) g with every third element 0, at unit length. Returns the analytic
 * derivative along it. */
static double direction(const struct det_parameter *p, const float *g, int part, double *d)
{
    double square = 0.0;
    for (size_t k = 0; k < p->size; k++) {
        d[k] = !part || k % 3 != 1 ? (double)g[k] : 0.0;
        square += d[k] * d[k];
    }
    double length = sqrt(square);
    for (size_t k = 0; k < p->size; k++)
        d[k] /= length > 0.0 ? length : 1.0;
    return length;
}

/* Steps that change the loss by about 4e-5, a quarter of it and a quarter of that: one of them must
 * agree. At 2e-4 and more, kinks bend the loss by a per cent and more, and now and then one lies in
 * the way of a smaller step; at 1e-6 there is only float's noise, some 1e-7. A gradient that is
 * wrong by three per cent agrees with none. */
static void check_direction(struct small *s, const struct det_sample *samples, const char *what,
                            struct det_parameter *p, const double *d, double analytic, int rpn_only)
{
    const double change = 4e-5, tolerance = 5e-3, noise = 1e-7;
    double norm = 0.0, numeric[3];
    for (size_t k = 0; k < p->size; k++)
        norm += (double)p->value[k] * (double)p->value[k];
    double h = fmin(change / analytic, 0.02 * fmax(sqrt(norm), 0.1));
    for (int finer = 0; finer < 3; finer++, h /= 4.0) {
        numeric[finer] = difference(s, samples, p, d, h, rpn_only);
        if (fabs(numeric[finer] - analytic) <= tolerance * analytic + noise / h)
            return;
    }
    cr_expect_fail("%s: %s: analytic %.6g, numeric %.6g, %.6g, %.6g", what, p->name, analytic,
                   numeric[0], numeric[1], numeric[2]);
}

static void check_tensor(struct small *s, const struct det_sample *samples, const char *setting,
                         struct det_parameter *p, const float *g, int rpn_only)
{
    double *d = malloc(p->size * sizeof *d);
    for (int part = 0; part < 2; part++) {
        double analytic = direction(p, g, part, d);
        char what[96];
        snprintf(what, sizeof what, "%s, %s gradient", setting, part ? "two thirds of the" : "the");
        cr_expect_gt(analytic, 1e-7, "%s: %s: nothing to check", what, p->name);
        if (analytic > 1e-7)
            check_direction(s, samples, what, p, d, analytic, rpn_only);
    }
    free(d);
}

static void check_all(struct small *s, const struct det_sample *samples, const char *setting,
                      int rpn_only)
{
    int checked = 0;
    struct decisions ignored;
    loss_of(s, samples, rpn_only, &ignored);
    float *gradients = gradients_of(s);
    for (size_t i = 0; i < det_model_parameter_count(s->model); i++) {
        struct det_parameter *p = det_model_parameter(s->model, i);
        int is_bbox_pred = starts_with(p->name, "rpn.head.bbox_pred");
        if (!p->trainable || (rpn_only && starts_with(p->name, "roi_heads.")) ||
            (!rpn_only && is_bbox_pred))
            continue;
        check_tensor(s, samples, setting, p, gradients + (p->grad - s->model->params.grads),
                     rpn_only);
        checked++;
    }
    cr_expect_gt(checked, 20, "%s: only %d tensors", setting, checked);
    free(gradients);
}

static void randomise_running_statistics(struct small *s)
{
    for (size_t i = 0; i < det_model_parameter_count(s->model); i++) {
        struct det_parameter *p = det_model_parameter(s->model, i);
        int positive = strstr(p->name, "weight") || strstr(p->name, "running_var");
        for (size_t k = 0; p->buffer && k < p->size; k++)
            p->value[k] = number((uint32_t)k, (uint32_t)i, 8, positive ? 0.6f : -0.2f,
                                 positive ? 1.4f : 0.2f);
    }
}

static const struct {
    const char *name;
    const char *settings[8];
} variants[] = {
    {"group norm, basic blocks", {NULL}},
    {"frozen batch norm, bottlenecks",
     {"model.norm", "frozen_bn", "model.block", "bottleneck", NULL}},
};

static struct small open_variant(size_t v, const char *min_size)
{
    struct det_config config = every_anchor_config();
    for (int i = 0; variants[v].settings[i]; i += 2)
        set(&config, variants[v].settings[i], variants[v].settings[i + 1]);
    set(&config, "rpn.min_size", min_size);
    set(&config, "roi.append_ground_truth", "false");
    struct small s = small_open(&config, 1);
    randomise_running_statistics(&s);
    scatter(&s, "rpn.head.conv.0.0.weight", 0.15f);
    scatter(&s, "rpn.head.conv.0.0.bias", 0.1f);
    scatter(&s, "rpn.head.cls_logits.weight", 0.3f);
    return s;
}

Test(model, all_losses_where_proposals_are_the_anchors)
{
    struct det_sample samples[IMAGES];
    images_with(samples, IMAGES, objects);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        struct small s = open_variant(v, "0.001");
        scatter(&s, "rpn.head.bbox_pred.weight", 0.0f);
        struct det_step_stats stats = pass(&s, samples, IMAGES, 1);
        cr_expect_gt(stats.roi.positives, 4);
        cr_expect_gt(stats.losses.mask, 0.1);
        check_all(&s, samples, variants[v].name, 0);
        small_close(&s);
    }
    drop_images(samples, IMAGES);
}

Test(model, rpn_losses_alone)
{
    struct det_sample samples[IMAGES];
    images_with(samples, IMAGES, objects);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        struct small s = open_variant(v, "4096");
        scatter(&s, "rpn.head.bbox_pred.weight", 0.3f);
        scatter(&s, "rpn.head.bbox_pred.bias", 0.1f);
        struct det_step_stats stats = pass(&s, samples, IMAGES, 1);
        cr_expect_eq(stats.proposals, 0);
        cr_expect_gt(stats.losses.rpn_bbox, 0.01);
        check_all(&s, samples, variants[v].name, 1);
        small_close(&s);
    }
    drop_images(samples, IMAGES);
}

/* Proposals are detached: with RoI losses and without them the gradient of the RPN's box predictor
 * is the same, bit for bit, although the RoI losses do depend on its weights. */
Test(model, no_gradient_flows_through_proposals)
{
    struct det_sample samples[IMAGES];
    static const char *const parts[] = {"rpn.head.bbox_pred.weight", "rpn.head.bbox_pred.bias"};
    float *alone[2];
    images_with(samples, IMAGES, objects);
    for (int with_rois = 0; with_rois < 2; with_rois++) {
        struct small s = open_variant(0, with_rois ? "0.001" : "4096");
        scatter(&s, "rpn.head.bbox_pred.weight", 0.3f);
        struct det_step_stats stats = pass(&s, samples, IMAGES, 1);
        cr_expect_eq(stats.losses.cls > 0.0, with_rois);
        for (int i = 0; i < 2; i++) {
            const struct det_parameter *p = det_model_find(s.model, parts[i]);
            if (!with_rois) {
                alone[i] = copy_of(p->grad, p->size);
                continue;
            }
            cr_expect(memcmp(alone[i], p->grad, p->size * sizeof(float)) == 0,
                      "%s: RoI losses reach it", p->name);
            free(alone[i]);
        }
        if (with_rois) {
            struct det_parameter *p = det_model_find(s.model, parts[1]);
            double roi = stats.losses.cls + stats.losses.bbox + stats.losses.mask;
            for (size_t k = 0; k < p->size; k++)
                p->value[k] += 0.05f;
            stats = pass(&s, samples, IMAGES, 1);
            cr_expect_neq(stats.losses.cls + stats.losses.bbox + stats.losses.mask, roi);
        }
        small_close(&s);
    }
    drop_images(samples, IMAGES);
}
