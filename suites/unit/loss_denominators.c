/* The denominators as properties, asked of all five losses in every mode: what a loss is divided by
 * is where training silently changes when a batch is padded, split, pooled or accumulated. */
#include "suites/loss_suite.h"

#define SUM_TOLERANCE 1e-12  /* double sums in another order */
#define ROUND_TOLERANCE 1e-6 /* float32 gradients multiplied by another factor */

static struct test_device device;
static struct det_device *dev;

static void set_up(void)
{
    dev = test_device_open(&device, 1);
}

static void tear_down(void)
{
    test_device_close(&device);
}

TestSuite(loss_denominators, .init = set_up, .fini = tear_down);

#define FOR_EACH_MODE(loss, mode)                                                                  \
    for (enum test_loss loss = RPN_CLS; loss < TEST_LOSSES; loss++)                                \
        for (const struct test_mode *mode = test_modes; mode < test_modes + test_mode_count(loss); \
             mode++)

static int cells(const struct test_input *in)
{
    return in->rows * test_losses[in->loss].width;
}

/* The reference: the sum of the rows' own losses and the definition of each denominator, from the
 * labels alone. OHEM's denominators count the rows it kept. */
static double reference(const struct test_input *in, const struct test_mode *mode)
{
    float rows[TEST_ROWS];
    double sum = 0, weights = 0;
    int sampled = 0, positives = 0;
    double positive_weight = mode->kind == DET_CLS_FOCAL ? 3.0f * 0.4f : 3.0;
    double negative_weight = mode->kind == DET_CLS_FOCAL ? 1.0f - 0.4f : 1.0;
    test_run_rows(dev, in, mode, rows);
    for (int r = 0; r < in->rows; r++) {
        int dropped = mode->kind == DET_CLS_OHEM && rows[r] == 0.0f;
        sum += (double)rows[r];
        if (in->labels[r] < 0 || dropped)
            continue;
        sampled++;
        positives += in->labels[r] > 0;
        weights += in->labels[r] > 0 ? positive_weight : negative_weight;
    }
    if (in->loss == MASK)
        return sum / positives;
    if (mode->reduction == DET_REDUCTION_SUM)
        return sum;
    switch (mode->avg_factor) {
    case DET_AVG_WEIGHTS:
        return sum / weights;
    case DET_AVG_SAMPLED:
        return sum / sampled;
    case DET_AVG_POSITIVES:
        return sum / positives;
    case DET_AVG_ALL:
        return sum / in->rows;
    default:
        return sum / mode->fixed_factor;
    }
}

static struct test_input mixed_input(enum test_loss loss)
{
    struct test_input in = test_input_make(loss, 11, 18, 4);
    test_input_add(&in, 12, -1);
    test_input_add(&in, 12, 1);
    test_input_add(&in, 12, -1);
    return in;
}

Test(loss_denominators, each_mode_is_the_row_losses_over_its_definition)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input in = mixed_input(loss);
        expect_near(test_name(loss, mode, "loss"), test_run(dev, &in, mode, 1.0f, NULL, NULL),
                    reference(&in, mode), 1e-6);
    }
}

/* A row that is not sampled changes not a bit, whatever it holds; only `all` counts it, and then by
 * exactly the number of rows. */
Test(loss_denominators, appending_ignored_rows_changes_nothing)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input in = test_input_make(loss, 21, 16, 4), longer = in;
        float dx[TEST_ROWS * TEST_WIDTH], longer_dx[TEST_ROWS * TEST_WIDTH];
        while (longer.rows < 24)
            test_input_add(&longer, 22, -1);
        longer.x[cells(&longer) - 1] = NAN; /* never computed with */
        double loss_before = test_run(dev, &in, mode, 1.0f, NULL, dx);
        double loss_after = test_run(dev, &longer, mode, 1.0f, NULL, longer_dx);
        expect_all(test_name(loss, mode, "gradient of ignored rows"), longer_dx + cells(&in),
                   cells(&longer) - cells(&in), 0.0f);
        if (mode->reduction == DET_REDUCTION_MEAN && mode->avg_factor == DET_AVG_ALL) {
            expect_near(test_name(loss, mode, "loss"), loss_after, loss_before * 16 / 24,
                        SUM_TOLERANCE);
            continue;
        }
        cr_expect_eq(loss_after, loss_before, "%s: got %a, want %a", test_name(loss, mode, "loss"),
                     loss_after, loss_before);
        expect_same_bits(test_name(loss, mode, "gradient"), longer_dx, dx, cells(&in));
    }
}

/* Rows beyond *count: neither read (they hold NaN) nor written (the sentinel stays). */
Test(loss_denominators, padding_changes_nothing)
{
    FOR_EACH_MODE(loss, mode)
    {
        if (loss == RPN_CLS || loss == RPN_BOX)
            continue; /* anchors are never padded */
        struct test_input in = test_input_make(loss, 31, 15, 4), padded = in;
        float dx[TEST_ROWS * TEST_WIDTH], padded_dx[TEST_ROWS * TEST_WIDTH];
        int32_t count = in.rows;
        while (padded.rows < 20)
            test_input_add(&padded, 32, 1);
        for (int i = cells(&in); i < cells(&padded); i++) {
            padded.x[i] = NAN;
            padded_dx[i] = 7.0f;
        }
        double loss_before = test_run(dev, &in, mode, 1.0f, NULL, dx);
        double loss_after = test_run(dev, &padded, mode, 1.0f, &count, padded_dx);
        cr_expect_eq(loss_after, loss_before, "%s: got %a, want %a", test_name(loss, mode, "loss"),
                     loss_after, loss_before);
        expect_same_bits(test_name(loss, mode, "gradient"), padded_dx, dx, cells(&in));
        expect_all(test_name(loss, mode, "sentinel"), padded_dx + cells(&in),
                   cells(&padded) - cells(&in), 7.0f);
    }
}

/* What each mode divides by, found by dividing the sum by the mean. */
static double denominator(const struct test_input *in, const struct test_mode *mode)
{
    struct test_mode sum = *mode;
    double mean = test_run(dev, in, mode, 1.0f, NULL, NULL);
    sum.reduction = DET_REDUCTION_SUM;
    if (in->loss == MASK) {
        int positives = 0;
        for (int r = 0; r < in->rows; r++)
            positives += in->labels[r] > 0;
        return positives;
    }
    return test_run(dev, in, &sum, 1.0f, NULL, NULL) / mean;
}

/* Two images of unequal positives, in one batch or in two passes: the pooled loss is the sum of
 * both divided by the sum of both denominators, and the mean of the two means is something else
 * (so a trainer that averages per-image means is caught). OHEM selects within a batch, so it pools
 * only by itself. */
Test(loss_denominators, pooling_two_images_of_unequal_positives)
{
    FOR_EACH_MODE(loss, mode)
    {
        if (mode->kind == DET_CLS_OHEM)
            continue;
        struct test_input rich = test_input_make(loss, 41, 12, 2);
        struct test_input poor = test_input_make(loss, 43, 28, 14), pooled = rich;
        float dx[TEST_ROWS * TEST_WIDTH], pooled_dx[TEST_ROWS * TEST_WIDTH];
        for (int i = 0; i < cells(&poor); i++)
            poor.x[i] *= 0.125f; /* so that the two means differ in every mode */
        test_input_append(&pooled, &poor);
        double a = test_run(dev, &rich, mode, 1.0f, NULL, dx);
        double b = test_run(dev, &poor, mode, 1.0f, NULL, dx + cells(&rich));
        double both = test_run(dev, &pooled, mode, 1.0f, NULL, pooled_dx);
        double na = denominator(&rich, mode), nb = denominator(&poor, mode);
        double n = denominator(&pooled, mode);
        expect_near(test_name(loss, mode, "pooled"), both * n, a * na + b * nb, SUM_TOLERANCE);
        for (int i = 0; i < cells(&pooled); i++)
            dx[i] *= (float)((i < cells(&rich) ? na : nb) / n);
        expect_each_near(test_name(loss, mode, "pooled gradient"), pooled_dx, dx, cells(&pooled),
                         ROUND_TOLERANCE);
        if (mode->reduction == DET_REDUCTION_SUM || mode->avg_factor == DET_AVG_FIXED)
            continue;
        expect_near(test_name(loss, mode, "denominators"), n, na + nb, SUM_TOLERANCE);
        cr_expect(fabs(both - 0.5 * (a + b)) > 1e-3 * both, "%s: %g is the mean of the means",
                  test_name(loss, mode, "pooled"), both);
    }
}

/* Gradient accumulation: with the denominator of the whole batch fixed beforehand, the parts'
 * losses and gradients add up to the whole's. */
Test(loss_denominators, parts_accumulate_to_the_whole)
{
    FOR_EACH_MODE(loss, mode)
    {
        if (loss == MASK || mode->kind == DET_CLS_OHEM || mode->reduction == DET_REDUCTION_SUM)
            continue;
        struct test_input whole = test_input_make(loss, 51, 12, 3);
        struct test_input second = test_input_make(loss, 52, 18, 6), first = whole;
        float dx[TEST_ROWS * TEST_WIDTH], whole_dx[TEST_ROWS * TEST_WIDTH];
        test_input_append(&whole, &second);
        double want = test_run(dev, &whole, mode, 1.0f, NULL, whole_dx);
        struct test_mode fixed = *mode;
        fixed.avg_factor = DET_AVG_FIXED;
        fixed.fixed_factor = denominator(&whole, mode);
        double got = test_run(dev, &first, &fixed, 1.0f, NULL, dx) +
                     test_run(dev, &second, &fixed, 1.0f, NULL, dx + cells(&first));
        expect_near(test_name(loss, mode, "accumulated"), got, want, SUM_TOLERANCE);
        expect_each_near(test_name(loss, mode, "accumulated gradient"), dx, whole_dx, cells(&whole),
                         ROUND_TOLERANCE);
    }
}

/* The same batch twice: a mean stays and each row's gradient halves; a sum (and a fixed factor)
 * doubles and the gradient stays. */
Test(loss_denominators, duplicating_the_batch)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input once = test_input_make(loss, 61, 15, 4), twice = once;
        float dx[TEST_ROWS * TEST_WIDTH], twice_dx[TEST_ROWS * TEST_WIDTH];
        int doubles = loss != MASK &&
                      (mode->reduction == DET_REDUCTION_SUM || mode->avg_factor == DET_AVG_FIXED);
        test_input_append(&twice, &once);
        double a = test_run(dev, &once, mode, 1.0f, NULL, dx);
        double b = test_run(dev, &twice, mode, 1.0f, NULL, twice_dx);
        expect_near(test_name(loss, mode, "duplicated"), b, doubles ? 2 * a : a, SUM_TOLERANCE);
        for (int i = 0; i < cells(&once); i++)
            dx[i] *= doubles ? 1.0f : 0.5f;
        expect_each_near(test_name(loss, mode, "first copy's gradient"), twice_dx, dx, cells(&once),
                         ROUND_TOLERANCE);
        expect_same_bits(test_name(loss, mode, "second copy's gradient"), twice_dx + cells(&once),
                         twice_dx, cells(&once));
    }
}

/* The order of the rows is nothing but the order of a sum (no two losses of OHEM's are equal). */
Test(loss_denominators, order_of_rows_does_not_matter)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input in = mixed_input(loss), back = {.loss = loss, .rows = in.rows};
        float dx[TEST_ROWS * TEST_WIDTH], back_dx[TEST_ROWS * TEST_WIDTH];
        int width = test_losses[loss].width, targets = test_losses[loss].targets;
        for (int r = 0; r < in.rows; r++) {
            int s = in.rows - 1 - r;
            back.labels[s] = in.labels[r];
            memcpy(back.x + s * width, in.x + r * width, (size_t)width * sizeof *in.x);
            memcpy(back.targets + s * targets, in.targets + r * targets,
                   (size_t)targets * sizeof *in.targets);
        }
        expect_near(test_name(loss, mode, "reversed"),
                    test_run(dev, &back, mode, 1.0f, NULL, back_dx),
                    test_run(dev, &in, mode, 1.0f, NULL, dx), SUM_TOLERANCE);
        for (int r = 0; r < in.rows; r++)
            expect_same_bits(test_name(loss, mode, "reversed gradient"),
                             back_dx + (in.rows - 1 - r) * width, dx + r * width, width);
    }
}

/* Powers of two are exact: the gradient is multiplied, not a bit else; the loss not at all. */
Test(loss_denominators, loss_scale_multiplies_gradients_only)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input in = mixed_input(loss);
        float dx[TEST_ROWS * TEST_WIDTH], scaled_dx[TEST_ROWS * TEST_WIDTH];
        double a = test_run(dev, &in, mode, 1.0f, NULL, dx);
        double b = test_run(dev, &in, mode, 1024.0f, NULL, scaled_dx);
        cr_expect_eq(a, b, "%s: got %a, want %a", test_name(loss, mode, "loss"), b, a);
        for (int i = 0; i < cells(&in); i++)
            dx[i] *= 1024.0f;
        expect_same_bits(test_name(loss, mode, "gradient"), scaled_dx, dx, cells(&in));
    }
}

/* No rows, all ignored, no positives: exact zeros, never 0 / 0. */
Test(loss_denominators, nothing_to_average_over_is_zero)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input none = {.loss = loss}, ignored = {.loss = loss};
        struct test_input negatives = test_input_make(loss, 71, 9, 100);
        float dx[TEST_ROWS * TEST_WIDTH];
        int32_t count = 0;
        negatives.labels[0] = 0;
        cr_expect_eq(test_run(dev, &none, mode, 1.0f, NULL, dx), 0.0, "%s",
                     test_name(loss, mode, "no rows"));
        cr_expect_eq(test_run(dev, loss == RPN_CLS || loss == RPN_BOX ? &none : &negatives, mode,
                              1.0f, &count, dx),
                     0.0, "%s", test_name(loss, mode, "count 0"));
        while (ignored.rows < 9)
            test_input_add(&ignored, 72, -1);
        cr_expect_eq(test_run(dev, &ignored, mode, 1.0f, NULL, dx), 0.0, "%s",
                     test_name(loss, mode, "all ignored"));
        expect_all(test_name(loss, mode, "gradient, all ignored"), dx, cells(&ignored), 0.0f);
        double loss_value = test_run(dev, &negatives, mode, 1.0f, NULL, dx);
        cr_expect(isfinite(loss_value), "%s: %g", test_name(loss, mode, "no positives"),
                  loss_value);
        if (test_is_cls(loss))
            continue;
        cr_expect_eq(loss_value, 0.0, "%s", test_name(loss, mode, "no positives"));
        expect_all(test_name(loss, mode, "gradient, no positives"), dx, cells(&negatives), 0.0f);
    }
}

/* A NaN in any row that counts is seen in the loss and in its own gradient. */
Test(loss_denominators, a_nan_is_never_laundered)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input clean = test_input_make(loss, 81, 12, 3);
        int width = test_losses[loss].width;
        for (int r = 0; r < clean.rows; r++) {
            if (!test_counts(loss, clean.labels[r]))
                continue;
            struct test_input in = clean;
            float dx[TEST_ROWS * TEST_WIDTH];
            for (int k = 0; k < width; k++)
                in.x[r * width + k] = NAN;
            double got = test_run(dev, &in, mode, 1.0f, NULL, dx);
            cr_expect(isnan(got), "%s, NaN in row %d: got %g", test_name(loss, mode, "loss"), r,
                      got);
            int nans = 0;
            for (int k = 0; k < width; k++)
                nans += isnan(dx[r * width + k]);
            cr_expect_gt(nans, 0, "%s, NaN in row %d: none", test_name(loss, mode, "gradient"), r);
        }
    }
}

/* Gradients overwrite: what the buffer held is gone, for every live row. */
Test(loss_denominators, gradients_overwrite)
{
    FOR_EACH_MODE(loss, mode)
    {
        struct test_input in = mixed_input(loss);
        float dx[TEST_ROWS * TEST_WIDTH] = {0}, again[TEST_ROWS * TEST_WIDTH];
        for (int i = 0; i < cells(&in); i++)
            again[i] = NAN;
        test_run(dev, &in, mode, 1.0f, NULL, dx);
        test_run(dev, &in, mode, 1.0f, NULL, again);
        expect_same_bits(test_name(loss, mode, "gradient"), again, dx, cells(&in));
    }
}

/* ---- which combinations are refused ------------------------------------------------------------
 */

static const struct det_cls_loss good_cls = {
    .kind = DET_CLS_OHEM,
    .pos_weight = 5.0f,
    .reduction = DET_REDUCTION_MEAN,
    .avg_factor = DET_AVG_SAMPLED,
    .focal_alpha = 0.25f,
    .focal_gamma = 2.0f,
    .ohem_ratio = 3.0f,
    .ohem_min_positives = 1,
};

static void expect_refused(struct det_cls_loss loss, const char *word)
{
    struct det_error err = {0};
    cr_expect_eq(det_cls_loss_check(&loss, &err), DET_INVALID, "%s: accepted", word);
    cr_expect(strstr(err.message, word) != NULL, "message '%s' does not name %s", err.message,
              word);
}

Test(loss_denominators, contradictions_are_refused)
{
    struct det_cls_loss bad = good_cls;
    struct det_error err = {0};
    cr_expect_eq(det_cls_loss_check(&good_cls, &err), DET_OK, "%s", err.message);
    bad.reduction = DET_REDUCTION_NONE;
    expect_refused(bad, "reduction");
    for (int factor = DET_AVG_WEIGHTS; factor <= DET_AVG_FIXED; factor++) {
        bad = good_cls;
        bad.reduction = DET_REDUCTION_SUM;
        bad.avg_factor = (enum det_avg_factor)factor;
        if (factor == DET_AVG_ALL)
            cr_expect_eq(det_cls_loss_check(&bad, &err), DET_OK, "%s", err.message);
        else
            expect_refused(bad, "avg_factor");
    }
    bad = good_cls;
    bad.avg_factor = DET_AVG_FIXED;
    bad.fixed_factor = NAN;
    expect_refused(bad, "fixed_factor");
}

Test(loss_denominators, parameters_out_of_range_are_refused)
{
    struct det_cls_loss bad = good_cls;
    bad.pos_weight = -1.0f;
    expect_refused(bad, "pos_weight");
    bad = good_cls;
    bad.pos_weight = NAN;
    expect_refused(bad, "pos_weight");
    bad = good_cls;
    bad.ohem_ratio = INFINITY;
    expect_refused(bad, "ohem_ratio");
    bad = good_cls;
    bad.ohem_min_positives = -1;
    expect_refused(bad, "ohem_min_positives");
    bad = good_cls;
    bad.kind = DET_CLS_FOCAL;
    bad.focal_gamma = -2.0f;
    expect_refused(bad, "focal_gamma");
    bad = good_cls;
    bad.kind = DET_CLS_FOCAL;
    bad.focal_alpha = 1.5f;
    expect_refused(bad, "focal_alpha");
}

Test(loss_denominators, box_losses_are_checked_too)
{
    struct det_box_loss box = {0.0f, DET_REDUCTION_MEAN, DET_AVG_SAMPLED, 0, NULL};
    struct det_error err = {0};
    cr_expect_eq(det_box_loss_check(&box, &err), DET_OK, "%s", err.message);
    box.beta = -1.0f;
    cr_expect_eq(det_box_loss_check(&box, &err), DET_INVALID);
    cr_expect(strstr(err.message, "beta") != NULL, "%s", err.message);
    box.beta = 1.0f;
    box.reduction = DET_REDUCTION_SUM;
    cr_expect_eq(det_box_loss_check(&box, &err), DET_INVALID);
    box.avg_factor = DET_AVG_ALL;
    cr_expect_eq(det_box_loss_check(&box, &err), DET_OK, "%s", err.message);
}
