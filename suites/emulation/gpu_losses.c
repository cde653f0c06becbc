/* The GPU's five losses against the CPU's: every kind, reduction and avg_factor, bit for bit. */
#include "detector/backend/cuda/box_loss.cu"
#include "detector/backend/cuda/cls_loss.cu"
#include "detector/backend/cuda/mask_loss.cu"
#include "detector/losses/losses.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

#include <stdio.h>

enum { ROWS = 2300, CLASSES = 5, SIDE = 18, WIDEST = CLASSES * SIDE * SIDE, MASKS = 28 };

enum which { RPN_CLS, ROI_CLS, RPN_BOX, ROI_BOX, MASK, LOSSES };

static const struct {
    const char *name;
    int width, rows;
} losses[] = {
    {"rpn_cls_loss", 1, ROWS},           {"roi_cls_loss", CLASSES, ROWS}, {"rpn_box_loss", 4, ROWS},
    {"roi_box_loss", 4 * CLASSES, ROWS}, {"mask_loss", WIDEST, MASKS},
};

_Static_assert(MASKS *WIDEST <= ROWS * 4 * CLASSES, "the masks fit");

struct input {
    enum which which;
    int32_t count; /* live rows; below 0: NULL is passed */
    int32_t labels[ROWS];
    int8_t anchors[ROWS];
    float x[ROWS * 4 * CLASSES];
    float targets[ROWS * SIDE];
};

struct result {
    double loss;
    struct det_cls_stats stats;
    float dx[ROWS * 4 * CLASSES];
};

/* of every ten rows about `ignored` are labelled -1 and `positives` foreground */
static struct input *make_input(uint32_t seed, enum which which, int ignored, int positives)
{
    struct draws d = {.seed = seed};
    struct input *in = malloc(sizeof *in);
    cr_assert_not_null(in);
    in->which = which;
    in->count = -1;
    for (int r = 0; r < ROWS; r++) {
        int sort = draw_int(&d, 10);
        in->labels[r] = sort < ignored               ? -1
                        : sort < ignored + positives ? 1 + draw_int(&d, CLASSES - 1)
                                                     : 0;
        in->anchors[r] = (int8_t)(in->labels[r] > 0 ? 1 : in->labels[r]);
    }
    for (int i = 0; i < ROWS * 4 * CLASSES; i++)
        in->x[i] = i % 9 ? draw(&d, -6.0f, 6.0f) : (float)(draw_int(&d, 5) - 2);
    for (int i = 0; i < ROWS * SIDE; i++)
        in->targets[i] = draw(&d, 0.0f, 1.0f);
    return in;
}

static void run_cls(struct det_device *dev, int gpu, const struct det_cls_loss *loss,
                    const struct input *in, struct result *r, float *dx)
{
    const int32_t *count = in->count < 0 ? NULL : &in->count;
    if (in->which == RPN_CLS)
        (gpu ? det_cuda_rpn_cls_loss : det_rpn_cls_loss)(dev, loss, ROWS, in->x, in->anchors,
                                                         &r->loss, dx, &r->stats);
    else
        (gpu ? det_cuda_roi_cls_loss : det_roi_cls_loss)(dev, loss, ROWS, CLASSES, count, in->x,
                                                         in->labels, &r->loss, dx, &r->stats);
}

static void run_box(struct det_device *dev, int gpu, const struct det_box_loss *loss,
                    const struct input *in, struct result *r, float *dx)
{
    const int32_t *count = in->count < 0 ? NULL : &in->count;
    if (in->which == RPN_BOX)
        (gpu ? det_cuda_rpn_box_loss : det_rpn_box_loss)(dev, loss, ROWS, in->x, in->targets,
                                                         in->anchors, &r->loss, dx);
    else
        (gpu ? det_cuda_roi_box_loss : det_roi_box_loss)(dev, loss, ROWS, CLASSES, count, in->x,
                                                         in->targets, in->labels, &r->loss, dx);
}

struct mode {
    struct det_cls_loss cls; /* the box losses take their reduction and the like from it */
    float beta;
    int gradient;
};

static struct result *run(struct det_device *dev, int gpu, const struct mode *mode,
                          const struct input *in)
{
    const int32_t *count = in->count < 0 ? NULL : &in->count;
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r); /* what is not written shows */
    float *dx = mode->gradient ? r->dx : NULL;
    struct det_box_loss box = {mode->beta, mode->cls.reduction, mode->cls.avg_factor,
                               mode->cls.fixed_factor, mode->cls.loss_scale};
    if (in->which == RPN_CLS || in->which == ROI_CLS)
        run_cls(dev, gpu, &mode->cls, in, r, dx);
    else if (in->which == MASK)
        (gpu ? det_cuda_mask_loss : det_mask_loss)(dev, mode->cls.loss_scale, MASKS, CLASSES, SIDE,
                                                   count, in->x, in->targets, in->labels, &r->loss,
                                                   dx);
    else
        run_box(dev, gpu, &box, in, r, dx);
    return r;
}

static int same(double got, double want)
{
    return memcmp(&got, &want, sizeof got) == 0 || (isnan(got) && isnan(want));
}

static void compare_results(const char *what, const struct result *got, const struct result *want)
{
    const int32_t *counts = &got->stats.positives, *wanted = &want->stats.positives;
    cr_expect(same(got->loss, want->loss), "%s: loss %.17g, want %.17g", what, got->loss,
              want->loss);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(counts[i], wanted[i], "%s: count %d of the statistics: %d, want %d", what, i,
                     counts[i], wanted[i]);
    cr_expect(same((double)got->stats.max_foreground, (double)want->stats.max_foreground),
              "%s: max_foreground %g, want %g", what, (double)got->stats.max_foreground,
              (double)want->stats.max_foreground);
    cr_expect(same((double)got->stats.mean_foreground_at_positives,
                   (double)want->stats.mean_foreground_at_positives),
              "%s: mean_foreground_at_positives", what);
    for (int i = 0; i < ROWS * 4 * CLASSES; i++)
        cr_assert(same((double)got->dx[i], (double)want->dx[i]), "%s: gradient %d: %a, want %a",
                  what, i, (double)got->dx[i], (double)want->dx[i]);
}

static void compare(const char *name, const struct mode *mode, const struct input *in)
{
    struct det_error err = {0};
    struct det_device *cpu = open_cpu(1, 0);
    cr_assert_eq(cpu->ops->reserve_scratch(cpu, 0, ROWS * sizeof(double), &err), DET_OK);
    struct result *want = run(cpu, 0, mode, in);
    for (int order = 0; order < emulated_orders(); order++) {
        char what[120];
        snprintf(what, sizeof what, "%s, %s, kind %d, reduction %d, avg_factor %d, %s",
                 losses[in->which].name, name, (int)mode->cls.kind, (int)mode->cls.reduction,
                 (int)mode->cls.avg_factor, emulated_order_names[order]);
        struct emulated_device gpu = emulated_open((enum emulated_order)order);
        struct result *got = run(&gpu.device, 1, mode, in);
        compare_results(what, got, want);
        free(got);
        emulated_close(&gpu);
    }
    free(want);
    cpu->ops->close(cpu);
}

static const float scale = 1024.0f;

static struct mode mode_of(enum det_cls_loss_kind kind)
{
    return (struct mode){.cls = {.kind = kind,
                                 .pos_weight = 2.7f,
                                 .reduction = DET_REDUCTION_MEAN,
                                 .avg_factor = DET_AVG_SAMPLED,
                                 .fixed_factor = 37.0,
                                 .focal_alpha = 0.3f,
                                 .focal_gamma = 1.5f,
                                 .ohem_ratio = 1.7f,
                                 .ohem_min_positives = 3,
                                 .loss_scale = &scale},
                         .beta = 0.2f,
                         .gradient = 1};
}

/* Every kind with every way to divide. */
static void compare_modes(const char *name, const struct input *in)
{
    int kinds = in->which == RPN_CLS || in->which == ROI_CLS ? 3 : 1;
    for (int kind = 0; kind < kinds; kind++) {
        struct mode mode = mode_of((enum det_cls_loss_kind)kind);
        for (int factor = 0; factor <= DET_AVG_FIXED && (in->which != MASK || factor == 0);
             factor++) {
            mode.cls.avg_factor = (enum det_avg_factor)factor;
            compare(name, &mode, in);
        }
        mode.cls.reduction = DET_REDUCTION_SUM;
        compare(name, &mode, in);
    }
}

Test(gpu_losses, every_mode)
{
    for (int which = 0; which < LOSSES; which++) {
        struct input *in = make_input(71, (enum which)which, 3, 2);
        compare_modes("some rows ignored", in);
        free(in);
    }
}

Test(gpu_losses, few_live_rows)
{
    for (int which = 0; which < LOSSES; which++)
        for (int i = 0; i < 4; i++) {
            struct input *in = make_input(73, (enum which)which, 2, 4);
            struct mode mode = mode_of(DET_CLS_OHEM);
            in->count = (int[]){0, 1, 40, ROWS + 5}[i];
            compare("live rows on the device", &mode, in);
            mode.gradient = 0;
            compare("no gradient", &mode, in);
            free(in);
        }
}

Test(gpu_losses, sampled_one_sidedly)
{
    static const int mix[][2] = {{10, 0}, {0, 10}, {0, 0}, {9, 1}};
    for (int which = 0; which < LOSSES; which++)
        for (int i = 0; i < 4; i++) {
            struct input *in = make_input(79, (enum which)which, mix[i][0], mix[i][1]);
            compare_modes("all ignored, all positive, all negative, few", in);
            free(in);
        }
}

Test(gpu_losses, not_finite_and_saturated)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 100.0f, -100.0f, 3e38f, -0.0f};
    for (int which = 0; which < LOSSES; which++)
        for (int kinds = 1; kinds <= 7; kinds += 3)
            for (int kind = 0; kind < 3; kind++) {
                struct input *in = make_input(83, (enum which)which, 3, 3);
                struct mode mode = mode_of((enum det_cls_loss_kind)kind);
                for (int i = 0; i < ROWS * 4 * CLASSES; i += 11)
                    in->x[i] = odd[i % kinds + (kinds == 1 ? 3 : 0)];
                compare("odd numbers", &mode, in);
                free(in);
            }
}

/* Hard negatives that tie: the lower rows are kept. */
Test(gpu_losses, hard_negatives_tie)
{
    for (int which = 0; which <= ROI_CLS; which++)
        for (int ratio = 0; ratio < 5; ratio++) {
            struct input *in = make_input(89, (enum which)which, 2, 1);
            struct mode mode = mode_of(DET_CLS_OHEM);
            mode.cls.ohem_ratio = (float)ratio * 0.75f;
            mode.cls.ohem_min_positives = ratio == 4 ? 100000 : 0;
            for (int i = 0; i < ROWS * 4 * CLASSES; i++)
                in->x[i] = ratio % 2 ? 0.5f : (float)(i / CLASSES % 3);
            compare("ties", &mode, in);
            free(in);
        }
}
