/* The classification loss: values worked out by hand, the weight's side, symmetries, the monitors.
 */
#include "suites/loss_suite.h"

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

TestSuite(roi_cls_loss, .init = set_up, .fini = tear_down);

static struct det_cls_loss weighted(float pos_weight, enum det_avg_factor avg_factor)
{
    return (struct det_cls_loss){
        .pos_weight = pos_weight, .avg_factor = avg_factor};
}

static double run(struct det_cls_loss loss, int rows, int classes, const float *logits,
                  const int32_t *labels, float *dlogits)
{
    double out = NAN;
    det_roi_cls_loss(dev, &loss, rows, classes, NULL, logits, labels, &out, dlogits, NULL);
    return out;
}

/* Row 0, class 2, logits log(1, 2, 5): p = (1/8, 2/8, 5/8), cross entropy log(8/5) = 0.4700036.
 * Row 1, background, logits log(1, 1, 2): p = (1/4, 1/4, 2/4), cross entropy log 4 = 1.3862944.
 * Weights 3 and 1: (3 * 0.4700036 + 1.3862944) / 4 = 0.6990763; gradients (p - onehot) w / 4. */
Test(roi_cls_loss, one_foreground_and_one_background_by_hand)
{
    const float logits[6] = {0, logf(2), logf(5), 0, 0, logf(2)};
    const int32_t labels[2] = {2, 0};
    const float want[6] = {0.09375f, 0.1875f, -0.28125f, -0.1875f, 0.0625f, 0.125f};
    float dx[6];
    expect_near("loss", run(weighted(3, DET_AVG_WEIGHTS), 2, 3, logits, labels, dx), 0.69907631,
                1e-7);
    expect_each_near("gradient", dx, want, 6, 1e-7);
}

/* Weights 1: the plain cross entropy, and the mean over weights is the mean over rows. */
Test(roi_cls_loss, weights_of_one_are_plain_cross_entropy)
{
    enum { ROWS = 30, CLASSES = 5 };
    float logits[ROWS * CLASSES];
    int32_t labels[ROWS];
    double want = 0;
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        labels[r] = r % CLASSES;
        for (int j = 0; j < CLASSES; j++) {
            logits[r * CLASSES + j] = test_number(3, r * CLASSES + j, -5, 5);
            sum += exp((double)logits[r * CLASSES + j]);
        }
        want += (log(sum) - (double)logits[r * CLASSES + labels[r]]) / ROWS;
    }
    expect_near("weights", run(weighted(1, DET_AVG_WEIGHTS), ROWS, CLASSES, logits, labels, NULL),
                want, 1e-6);
    expect_near("rows", run(weighted(1, DET_AVG_SAMPLED), ROWS, CLASSES, logits, labels, NULL),
                want, 1e-6);
}

/* `mean` where `sum` was meant, or the other way, is off by exactly the number of rows. */
Test(roi_cls_loss, sum_is_n_times_the_mean)
{
    struct test_input in = test_input_make(ROI_CLS, 7, 32, 4);
    struct det_cls_loss mean = weighted(1, DET_AVG_SAMPLED), sum = weighted(1, DET_AVG_ALL);
    float dmean[32 * TEST_CLASSES], dsum[32 * TEST_CLASSES];
    sum.reduction = DET_REDUCTION_SUM;
    double a = run(mean, 32, TEST_CLASSES, in.x, in.labels, dmean);
    double b = run(sum, 32, TEST_CLASSES, in.x, in.labels, dsum);
    cr_expect_eq(b, 32 * a, "got %a, want %a", b, 32 * a);
    for (int i = 0; i < 32 * TEST_CLASSES; i++)
        dmean[i] *= 32;
    expect_same_bits("gradient", dsum, dmean, 32 * TEST_CLASSES);
}

/* The weight belongs to every class but 0: background alone does not feel it, and each single
 * foreground class does. A weight on a wrong index fails one of these. */
Test(roi_cls_loss, pos_weight_is_on_every_foreground_class)
{
    for (int label = 0; label < TEST_CLASSES; label++) {
        struct test_input in = test_input_make(ROI_CLS, 8, 10, 1);
        for (int r = 0; r < in.rows; r++)
            in.labels[r] = label;
        double one = run(weighted(1, DET_AVG_SAMPLED), 10, TEST_CLASSES, in.x, in.labels, NULL);
        double four = run(weighted(4, DET_AVG_SAMPLED), 10, TEST_CLASSES, in.x, in.labels, NULL);
        double want = label == 0 ? one : 4 * one;
        cr_expect_eq(four, want, "class %d, weight 4: got %g, want %g", label, four, want);
        double mean = run(weighted(4, DET_AVG_WEIGHTS), 10, TEST_CLASSES, in.x, in.labels, NULL);
        expect_near("one class, mean over weights", mean, one, 1e-12);
    }
}

/* Foreground classes are interchangeable: permuting their columns and labels permutes gradients. */
Test(roi_cls_loss, label_permutation)
{
    static const int to[TEST_CLASSES] = {0, 3, 1, 2};
    struct test_input in = test_input_make(ROI_CLS, 9, 24, 2), other = in;
    float dx[24 * TEST_CLASSES], other_dx[24 * TEST_CLASSES];
    for (int r = 0; r < in.rows; r++) {
        other.labels[r] = to[in.labels[r]];
        for (int j = 0; j < TEST_CLASSES; j++)
            other.x[r * TEST_CLASSES + to[j]] = in.x[r * TEST_CLASSES + j];
    }
    struct det_cls_loss loss = weighted(3, DET_AVG_WEIGHTS);
    expect_near("loss", run(loss, 24, TEST_CLASSES, other.x, other.labels, other_dx),
                run(loss, 24, TEST_CLASSES, in.x, in.labels, dx), 1e-7);
    for (int r = 0; r < in.rows; r++)
        for (int j = 0; j < TEST_CLASSES; j++)
            expect_near("gradient", other_dx[r * TEST_CLASSES + to[j]], dx[r * TEST_CLASSES + j],
                        1e-7);
}

/* Softmax knows differences only: adding a constant to a row changes nothing, and so a row's
 * gradient sums to 0. */
Test(roi_cls_loss, a_constant_added_to_a_row_changes_nothing)
{
    struct test_input in = test_input_make(ROI_CLS, 10, 20, 3), shifted = in;
    float dx[20 * TEST_CLASSES];
    struct det_cls_loss loss = weighted(3, DET_AVG_WEIGHTS);
    for (int i = 0; i < 20 * TEST_CLASSES; i++)
        shifted.x[i] += 64.0f; /* rounds the logits to 2^-17 */
    expect_near("loss", run(loss, 20, TEST_CLASSES, shifted.x, in.labels, NULL),
                run(loss, 20, TEST_CLASSES, in.x, in.labels, dx), 1e-5);
    for (int r = 0; r < 20; r++) {
        double sum = 0;
        for (int j = 0; j < TEST_CLASSES; j++)
            sum += (double)dx[r * TEST_CLASSES + j];
        expect_near("sum of a row's gradient", sum, 0, 1e-8);
    }
}

/* One look-alike in four is annotated; background logit 0, foreground logit log(w / 3): the score
 * of the law, at which the net gradient is 0. */
Test(roi_cls_loss, equilibrium_is_the_score_law)
{
    const int32_t labels[4] = {1, 0, 0, 0};
    for (float w = 1; w <= 5; w += 2) {
        float logits[8], dx[8];
        for (int r = 0; r < 4; r++) {
            logits[2 * r] = 0;
            logits[2 * r + 1] = logf(w / 3);
        }
        run(weighted(w, DET_AVG_WEIGHTS), 4, 2, logits, labels, dx);
        expect_near("net gradient", (double)dx[1] + dx[3] + dx[5] + dx[7], 0, 1e-7);
    }
}

Test(roi_cls_loss, extreme_logits_are_finite)
{
    const float logits[6] = {100, -100, 0, -100, 100, 0};
    const int32_t labels[2] = {1, 1};
    float dx[6], rows[2];
    struct det_cls_loss loss = weighted(1, DET_AVG_SAMPLED);
    det_roi_cls_loss_rows(dev, &loss, 2, 3, NULL, logits, labels, rows);
    expect_near("far wrong", rows[0], 200, 0);
    expect_near("right", rows[1], exp(-100), 1e-40);
    expect_near("loss", run(loss, 2, 3, logits, labels, dx), 100, 1e-12);
    const float want[6] = {0.5f, -0.5f, 0, 0, 0, 0};
    expect_each_near("gradient", dx, want, 6, 1e-30);
}

/* A row that is nearly right: -log p = log(1 + 2 e^-14) is 1.66305e-6, lost if p is rounded first.
 */
Test(roi_cls_loss, small_losses_keep_their_digits)
{
    const float logits[3] = {0, 14, 0};
    const int32_t label = 1;
    float dx[3];
    double want = log1p(2 * exp(-14)), rest = 2 * exp(-14) / (1 + 2 * exp(-14));
    double loss = run(weighted(1, DET_AVG_SAMPLED), 1, 3, logits, &label, dx);
    cr_expect(fabs(loss / want - 1) < 1e-6, "loss: got %.9g, want %.9g", loss, want);
    cr_expect(fabs((double)dx[1] / -rest - 1) < 1e-6, "gradient: got %.9g, want %.9g",
              (double)dx[1], -rest);
}

/* Background, right. Background, wrong. Class 1, right. Class 2 seen as 1: foreground, but wrong.
 * Class 1 tied with background: ties go to the lower index, so missed. Background tied with all:
 * right. An ignored row counts nowhere but in the maximum. */
Test(roi_cls_loss, monitors_by_hand)
{
    const float logits[7 * 3] = {
        2, 0, 0, 0, 0, 1, 0, 3, 0, 0, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 5,
    };
    const int32_t labels[7] = {0, 0, 1, 2, 1, 0, -1};
    struct det_cls_loss loss = weighted(3, DET_AVG_WEIGHTS);
    struct det_cls_stats s;
    double out;
    det_roi_cls_loss(dev, &loss, 7, 3, NULL, logits, labels, &out, NULL, &s);
    cr_expect_eq(s.positives, 3);
    cr_expect_eq(s.negatives, 3);
    cr_expect_eq(s.positives_right, 1);
    cr_expect_eq(s.positives_missed, 1);
    cr_expect_eq(s.predicted_positive, 3);
    cr_expect_eq(s.rows_right, 3); /* rows 0, 2 and the tie of row 5 */
    expect_near("max_foreground", s.max_foreground, 0.98670329, 1e-6); /* e^5 / (2 + e^5) */
    /* own classes: e^3/(2+e^3) 0.9094430, e/(1+e^2+e) 0.2447285, e/(2e+1) 0.4223188 */
    expect_near("mean_foreground_at_positives", s.mean_foreground_at_positives, 0.52549674, 1e-6);
}

/* A foreground row with a NaN is neither right nor missed, a background row not right. */
Test(roi_cls_loss, monitors_show_a_nan)
{
    const float logits[9] = {0, NAN, 0, 2, 0, NAN, 0, 3, 0};
    const int32_t labels[3] = {2, 0, 1};
    struct det_cls_loss loss = weighted(3, DET_AVG_WEIGHTS);
    struct det_cls_stats s;
    double out;
    det_roi_cls_loss(dev, &loss, 3, 3, NULL, logits, labels, &out, NULL, &s);
    cr_expect(isnan(s.max_foreground), "max_foreground: got %g", (double)s.max_foreground);
    cr_expect_eq(s.positives_missed, 0, "missed: %d", s.positives_missed);
    cr_expect_eq(s.rows_right, 1, "right: %d", s.rows_right);
}

Test(roi_cls_loss, monitors_of_nothing_are_zero)
{
    struct det_cls_loss loss = weighted(3, DET_AVG_WEIGHTS);
    struct det_cls_stats s, zero = {0};
    const int32_t count = 0;
    double out;
    memset(&s, 0xFF, sizeof s);
    det_roi_cls_loss(dev, &loss, 5, 3, &count, NULL, NULL, &out, NULL, &s);
    cr_expect_eq(memcmp(&s, &zero, sizeof s), 0);
}

/* A broken counter (negative, or more than there is room for) stays inside the arrays. */
Test(roi_cls_loss, count_is_clamped)
{
    struct test_input in = test_input_make(ROI_CLS, 12, 6, 2);
    const int32_t below = -3, above = 1000;
    const struct test_mode *mode = &test_modes[0];
    cr_expect_eq(test_run(dev, &in, mode, 1, &below, NULL), 0.0);
    cr_expect_eq(test_run(dev, &in, mode, 1, &above, NULL),
                 test_run(dev, &in, mode, 1, NULL, NULL));
}
