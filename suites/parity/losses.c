/* The five losses on both devices: counts alike, numbers to the accuracy of exp and log. */
#include "suites/parity/parity.h"

enum { ROWS = 3000, CLASSES = 7, SIDE = 28, MASKS = 20 };

struct inputs {
    struct twin count, labels, anchors, x, targets, loss, dx, stats;
};

/* Three of ten rows ignored, two positive. `numbers`: of predictions. */
static struct inputs open_inputs(struct pair p, int rows, size_t numbers)
{
    static int32_t labels[ROWS];
    static int8_t anchors[ROWS];
    int32_t count = rows - 7;
    for (int r = 0; r < ROWS; r++) {
        uint32_t sort = det_philox((uint32_t)r, 1, 0, 0, 1).word[0] % 10;
        labels[r] = sort < 3 ? -1 : sort < 5 ? 1 + r % (CLASSES - 1) : 0;
        anchors[r] = (int8_t)(labels[r] > 0 ? 1 : labels[r]);
    }
    return (struct inputs){twin_of(p, &count, sizeof count),
                           twin_of(p, labels, sizeof labels),
                           twin_of(p, anchors, sizeof anchors),
                           twin_uniform(p, numbers, 2, -8, 8),
                           twin_uniform(p, ROWS * SIDE * SIDE, 3, 0, 1),
                           twin_of(p, NULL, sizeof(double)),
                           twin_floats(p, numbers, SENTINEL),
                           twin_of(p, NULL, sizeof(struct det_cls_stats))};
}

static void expect_results(struct pair p, const char *name, struct inputs *in)
{
    double got, want = *(double *)CPU(in->loss);
    p.cuda->ops->download(p.cuda, &got, CUDA(in->loss), sizeof got);
    cr_expect(fabs(got - want) <= 1e-6 * want, "%s: loss: cuda %.12g, cpu %.12g", name, got, want);
    cr_expect_gt(want, 0.0, "%s", name);
    expect_near_floats(p, name, "gradient", in->dx, 1e-6);
}

static void expect_stats(struct pair p, const char *name, struct inputs *in)
{
    struct det_cls_stats *got = cuda_copy(p, in->stats), *want = CPU(in->stats);
    cr_expect_eq(memcmp(got, want, 6 * sizeof(int32_t)), 0, "%s: counts of the statistics", name);
    cr_expect(fabsf(got->max_foreground - want->max_foreground) <= 1e-6f,
              "%s: max_foreground %g, %g", name, (double)got->max_foreground,
              (double)want->max_foreground);
    cr_expect(fabsf(got->mean_foreground_at_positives - want->mean_foreground_at_positives) <=
                  1e-6f,
              "%s: mean_foreground_at_positives", name);
    free(got);
}

static void close_inputs(struct pair p, struct inputs *in)
{
    struct twin all[] = {in->count,   in->labels, in->anchors, in->x,
                         in->targets, in->loss,   in->dx,      in->stats};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
}

#define ON(t, gpu) ((gpu) ? (t).cuda : (t).cpu)

/* Hard negatives are chosen by a loss, which is a monotone function of a logit: of objectness rows,
 * whose order no last bit turns as long as no two logits are neighbours. */
static struct det_cls_loss cls_loss(int kind, int factor, const float *loss_scale)
{
    return (struct det_cls_loss){.kind = (enum det_cls_loss_kind)kind,
                                 .pos_weight = 5,
                                 .reduction = DET_REDUCTION_MEAN,
                                 .avg_factor = (enum det_avg_factor)factor,
                                 .fixed_factor = 64,
                                 .focal_alpha = 0.25f,
                                 .focal_gamma = 2,
                                 .ohem_ratio = 2.5f,
                                 .ohem_min_positives = 1,
                                 .loss_scale = loss_scale};
}

Test(losses, classification)
{
    struct pair p = open_pair();
    struct twin scale = twin_floats(p, 1, 4);
    for (int mode = 0; mode < 3 * 5; mode++) {
        char name[48];
        struct inputs rpn = open_inputs(p, ROWS, ROWS), roi = open_inputs(p, ROWS, ROWS * CLASSES);
        for (int gpu = 0; gpu < 2; gpu++) {
            struct det_device *dev = gpu ? p.cuda : p.cpu;
            struct det_cls_loss loss = cls_loss(mode / 5, mode % 5, ON(scale, gpu));
            dev->ops->rpn_cls_loss(dev, &loss, ROWS, ON(rpn.x, gpu), ON(rpn.anchors, gpu),
                                   ON(rpn.loss, gpu), ON(rpn.dx, gpu), ON(rpn.stats, gpu));
            dev->ops->roi_cls_loss(dev, &loss, ROWS, CLASSES, ON(roi.count, gpu), ON(roi.x, gpu),
                                   ON(roi.labels, gpu), ON(roi.loss, gpu), ON(roi.dx, gpu),
                                   ON(roi.stats, gpu));
        }
        snprintf(name, sizeof name, "rpn_cls_loss, kind %d, avg_factor %d", mode / 5, mode % 5);
        expect_results(p, name, &rpn);
        expect_stats(p, name, &rpn);
        snprintf(name, sizeof name, "roi_cls_loss, kind %d, avg_factor %d", mode / 5, mode % 5);
        expect_results(p, name, &roi);
        expect_stats(p, name, &roi);
        close_inputs(p, &rpn);
        close_inputs(p, &roi);
    }
    drop_twin(p, scale);
    close_pair(p);
}

Test(losses, boxes_and_masks)
{
    struct pair p = open_pair();
    struct twin scale = twin_floats(p, 1, 4);
    struct inputs rpn = open_inputs(p, ROWS, ROWS * 4);
    struct inputs roi = open_inputs(p, ROWS, ROWS * 4 * CLASSES);
    struct inputs mask = open_inputs(p, MASKS, MASKS * CLASSES * SIDE * SIDE);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct det_device *dev = gpu ? p.cuda : p.cpu;
        struct det_box_loss loss = {1.0f / 9, DET_REDUCTION_MEAN, DET_AVG_SAMPLED, 0,
                                    ON(scale, gpu)};
        dev->ops->rpn_box_loss(dev, &loss, ROWS, ON(rpn.x, gpu), ON(rpn.targets, gpu),
                               ON(rpn.anchors, gpu), ON(rpn.loss, gpu), ON(rpn.dx, gpu));
        dev->ops->roi_box_loss(dev, &loss, ROWS, CLASSES, ON(roi.count, gpu), ON(roi.x, gpu),
                               ON(roi.targets, gpu), ON(roi.labels, gpu), ON(roi.loss, gpu),
                               ON(roi.dx, gpu));
        dev->ops->mask_loss(dev, ON(scale, gpu), MASKS, CLASSES, SIDE, ON(mask.count, gpu),
                            ON(mask.x, gpu), ON(mask.targets, gpu), ON(mask.labels, gpu),
                            ON(mask.loss, gpu), ON(mask.dx, gpu));
    }
    expect_same(p, "rpn_box_loss", "loss", rpn.loss,
                sizeof(double)); /* neither exp nor log in it */
    expect_same(p, "rpn_box_loss", "gradient", rpn.dx, sizeof(float));
    expect_same(p, "roi_box_loss", "loss", roi.loss, sizeof(double));
    expect_same(p, "roi_box_loss", "gradient", roi.dx, sizeof(float));
    expect_results(p, "mask_loss", &mask);
    close_inputs(p, &rpn);
    close_inputs(p, &roi);
    close_inputs(p, &mask);
    drop_twin(p, scale);
    close_pair(p);
}
