/* What the suites of losses and optimisers share: a CPU device of their own, numbers, comparisons
 * that a NaN fails, and the five losses behind one signature, so that a property can be asked of
 * each of them in every mode. */
#ifndef SUITES_LOSS_SUITE_H
#define SUITES_LOSS_SUITE_H

#include "detector/backend/cpu.h"
#include "detector/bodies/philox.h"
#include "detector/losses/losses.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a device ---- */

struct test_device {
    struct det_cpu cpu;
    double shared[4096];
};

static inline struct det_device *test_device_open(struct test_device *t, int threads)
{
    memset(t, 0, sizeof *t);
    cr_assert_eq(det_pool_create(threads, &t->cpu.pool, NULL), DET_OK);
    t->cpu.shared = (unsigned char *)t->shared;
    t->cpu.shared_bytes = sizeof t->shared;
    return &t->cpu.device;
}

static inline void test_device_close(struct test_device *t)
{
    det_pool_destroy(t->cpu.pool);
}

/* ---- numbers and comparisons ---- */

/* Uniform in [low, high), a function of (seed, i). */
static inline float test_number(uint32_t seed, int i, float low, float high)
{
    struct det_philox x = det_philox((uint32_t)i, 0, 0, 99, seed);
    return low + (high - low) * det_philox_uniform(x.word[0]);
}

static inline void expect_near(const char *what, double got, double want, double tolerance)
{
    double allowed = tolerance * fmax(1.0, fabs(want));
    cr_expect(fabs(got - want) <= allowed, "%s: got %.9g, want %.9g, tolerance %.3g", what, got,
              want, allowed);
}

static inline void expect_each_near(const char *what, const float *got, const float *want, int n,
                                    double tolerance)
{
    for (int i = 0; i < n; i++) {
        double allowed = tolerance * fmax(1.0, fabs((double)want[i]));
        cr_expect(fabs((double)got[i] - (double)want[i]) <= allowed,
                  "%s[%d]: got %.9g, want %.9g, tolerance %.3g", what, i, (double)got[i],
                  (double)want[i], allowed);
    }
}

/* The same bits; the first difference is named. */
static inline void expect_same_bits(const char *what, const float *got, const float *want, int n)
{
    for (int i = 0; i < n; i++) {
        if (memcmp(&got[i], &want[i], sizeof *got) == 0)
            continue;
        cr_expect_fail("%s[%d]: got %a, want %a, bit for bit", what, i, (double)got[i],
                       (double)want[i]);
        return;
    }
}

static inline void expect_all(const char *what, const float *got, int n, float want)
{
    for (int i = 0; i < n; i++) {
        if (got[i] == want)
            continue;
        cr_expect_fail("%s[%d]: got %a, want exactly %a", what, i, (double)got[i], (double)want);
        return;
    }
}

/* ---- the five losses as one ---- */

#define TEST_CLASSES 4 /* background and three */
#define TEST_SIDE 3    /* mask pixels a side */
#define TEST_ROWS 48   /* most rows of an input */
#define TEST_WIDTH (TEST_CLASSES * TEST_SIDE * TEST_SIDE)

enum test_loss { RPN_CLS, ROI_CLS, RPN_BOX, ROI_BOX, MASK, TEST_LOSSES };

static const struct {
    const char *name;
    int width;   /* predictions a row */
    int targets; /* target numbers a row */
    int classes; /* labels run to classes - 1 */
} test_losses[TEST_LOSSES] = {
    {"rpn_cls_loss", 1, 0, 2},
    {"roi_cls_loss", TEST_CLASSES, 0, TEST_CLASSES},
    {"rpn_box_loss", 4, 4, 2},
    {"roi_box_loss", 4 * TEST_CLASSES, 4, TEST_CLASSES},
    {"mask_loss", TEST_WIDTH, TEST_SIDE *TEST_SIDE, TEST_CLASSES},
};

struct test_input {
    enum test_loss loss;
    int rows;
    int32_t labels[TEST_ROWS];
    float x[TEST_ROWS * TEST_WIDTH]; /* logits or deltas */
    float targets[TEST_ROWS * TEST_SIDE * TEST_SIDE];
};

static inline int test_is_cls(enum test_loss loss)
{
    return loss == RPN_CLS || loss == ROI_CLS;
}

/* One row of numbers that depend on (seed, row) only. */
static inline void test_input_add(struct test_input *in, uint32_t seed, int label)
{
    int r = in->rows++;
    int width = test_losses[in->loss].width, targets = test_losses[in->loss].targets;
    cr_assert_leq(in->rows, TEST_ROWS);
    in->labels[r] = label;
    for (int k = 0; k < width; k++)
        in->x[r * width + k] = test_number(seed, r * 1000 + k, -3.0f, 3.0f);
    for (int k = 0; k < targets; k++)
        in->targets[r * targets + k] = test_number(seed + 1, r * 1000 + k, 0.0f, 1.0f);
}

/* `rows` rows, of which every `period`-th is foreground (classes in turn), none ignored. */
static inline struct test_input test_input_make(enum test_loss loss, uint32_t seed, int rows,
                                                int period)
{
    struct test_input in = {.loss = loss};
    for (int r = 0; r < rows; r++)
        test_input_add(&in, seed,
                       r % period ? 0 : 1 + (r / period) % (test_losses[loss].classes - 1));
    return in;
}

static inline void test_input_append(struct test_input *in, const struct test_input *more)
{
    size_t width = (size_t)test_losses[in->loss].width;
    size_t targets = (size_t)test_losses[in->loss].targets;
    size_t at = (size_t)in->rows, n = (size_t)more->rows;
    cr_assert_leq(in->rows + more->rows, TEST_ROWS);
    memcpy(in->labels + at, more->labels, n * sizeof *in->labels);
    memcpy(in->x + at * width, more->x, n * width * sizeof *in->x);
    memcpy(in->targets + at * targets, more->targets, n * targets * sizeof *in->targets);
    in->rows += more->rows;
}

struct test_mode {
    const char *name;
    enum det_cls_loss_kind kind;
    enum det_reduction reduction;
    enum det_avg_factor avg_factor;
    double fixed_factor;
};

/* Every kind with every normalisation. Box losses know the plain ones, the mask loss only its own
 * mean, so each loss takes the first `test_mode_count` of them. */
static const struct test_mode test_modes[] = {
    {"plain, mean over sampled", DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_SAMPLED, 0},
    {"plain, mean over positives", DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_POSITIVES, 0},
    {"plain, mean over all", DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_ALL, 0},
    {"plain, mean over 37", DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_FIXED, 37},
    {"plain, sum", DET_CLS_PLAIN, DET_REDUCTION_SUM, DET_AVG_ALL, 0},
    {"plain, mean over weights", DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS, 0},
    {"focal, mean over sampled", DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_SAMPLED, 0},
    {"focal, mean over positives", DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_POSITIVES, 0},
    {"focal, mean over all", DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_ALL, 0},
    {"focal, mean over 37", DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_FIXED, 37},
    {"focal, sum", DET_CLS_FOCAL, DET_REDUCTION_SUM, DET_AVG_ALL, 0},
    {"focal, mean over weights", DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS, 0},
    {"OHEM, mean over sampled", DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_SAMPLED, 0},
    {"OHEM, mean over positives", DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_POSITIVES, 0},
    {"OHEM, mean over all", DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_ALL, 0},
    {"OHEM, mean over 37", DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_FIXED, 37},
    {"OHEM, sum", DET_CLS_OHEM, DET_REDUCTION_SUM, DET_AVG_ALL, 0},
    {"OHEM, mean over weights", DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS, 0},
};

static inline int test_mode_count(enum test_loss loss)
{
    int all = (int)(sizeof test_modes / sizeof test_modes[0]);
    return test_is_cls(loss) ? all : loss == MASK ? 1 : 5;
}

/* "roi_cls_loss, focal, sum: what" in a buffer that the next call overwrites. */
static inline const char *test_name(enum test_loss loss, const struct test_mode *mode,
                                    const char *what)
{
    static char name[200];
    snprintf(name, sizeof name, "%s, %s: %s", test_losses[loss].name,
             loss == MASK ? "mean" : mode->name, what);
    return name;
}

static inline struct det_cls_loss test_cls_loss(const struct test_mode *mode,
                                                const float *loss_scale)
{
    return (struct det_cls_loss){
        .kind = mode->kind,
        .pos_weight = 3.0f,
        .reduction = mode->reduction,
        .avg_factor = mode->avg_factor,
        .fixed_factor = mode->fixed_factor,
        .focal_alpha = 0.4f,
        .focal_gamma = 2.0f,
        .ohem_ratio = 2.0f,
        .ohem_min_positives = 1,
        .loss_scale = loss_scale,
    };
}

/* Whether this row can have a loss at all in that kind of loss. */
static inline int test_counts(enum test_loss loss, int label)
{
    return test_is_cls(loss) ? label >= 0 : label > 0;
}

/* Loss of `in`; gradient into dx [rows, width] (may be NULL). `count` as in the table. */
static inline double test_run(struct det_device *dev, const struct test_input *in,
                              const struct test_mode *mode, float loss_scale, const int32_t *count,
                              float *dx)
{
    struct det_cls_loss cls = test_cls_loss(mode, &loss_scale);
    struct det_box_loss box = {1.0f / 9.0f, mode->reduction, mode->avg_factor, mode->fixed_factor,
                               &loss_scale};
    int8_t small[TEST_ROWS];
    double loss = NAN;
    for (int r = 0; r < in->rows; r++)
        small[r] = (int8_t)in->labels[r];
    switch (in->loss) {
    case RPN_CLS:
        det_rpn_cls_loss(dev, &cls, in->rows, in->x, small, &loss, dx, NULL);
        break;
    case ROI_CLS:
        det_roi_cls_loss(dev, &cls, in->rows, TEST_CLASSES, count, in->x, in->labels, &loss, dx,
                         NULL);
        break;
    case RPN_BOX:
        det_rpn_box_loss(dev, &box, in->rows, in->x, in->targets, small, &loss, dx);
        break;
    case ROI_BOX:
        det_roi_box_loss(dev, &box, in->rows, TEST_CLASSES, count, in->x, in->targets, in->labels,
                         &loss, dx);
        break;
    default:
        det_mask_loss(dev, &loss_scale, in->rows, TEST_CLASSES, TEST_SIDE, count, in->x,
                      in->targets, in->labels, &loss, dx);
    }
    return loss;
}

/* The losses of the rows (reduction none). */
static inline void test_run_rows(struct det_device *dev, const struct test_input *in,
                                 const struct test_mode *mode, float *losses)
{
    struct det_cls_loss cls = test_cls_loss(mode, NULL);
    struct det_box_loss box = {1.0f / 9.0f, mode->reduction, mode->avg_factor, 0, NULL};
    int8_t small[TEST_ROWS];
    for (int r = 0; r < in->rows; r++)
        small[r] = (int8_t)in->labels[r];
    switch (in->loss) {
    case RPN_CLS:
        det_rpn_cls_loss_rows(dev, &cls, in->rows, in->x, small, losses);
        break;
    case ROI_CLS:
        det_roi_cls_loss_rows(dev, &cls, in->rows, TEST_CLASSES, NULL, in->x, in->labels, losses);
        break;
    case RPN_BOX:
        det_rpn_box_loss_rows(dev, &box, in->rows, in->x, in->targets, small, losses);
        break;
    case ROI_BOX:
        det_roi_box_loss_rows(dev, &box, in->rows, TEST_CLASSES, NULL, in->x, in->targets,
                              in->labels, losses);
        break;
    default:
        det_mask_loss_rows(dev, in->rows, TEST_CLASSES, TEST_SIDE, NULL, in->x, in->targets,
                           in->labels, losses);
    }
}

#endif
