/* The objectness loss: values worked out by hand, the weight's side, extremes, the monitors. */
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

TestSuite(rpn_cls_loss, .init = set_up, .fini = tear_down);

static struct det_cls_loss weighted(float pos_weight, enum det_avg_factor avg_factor)
{
    return (struct det_cls_loss){
        .pos_weight = pos_weight, .avg_factor = avg_factor};
}

static double run(struct det_cls_loss loss, int rows, const float *logits, const int8_t *labels,
                  float *dlogits)
{
    double out = NAN;
    det_rpn_cls_loss(dev, &loss, rows, logits, labels, &out, dlogits, NULL);
    return out;
}

/* One foreground anchor at logit 0.5, one background anchor at -0.25, pos_weight 5:
 *   5 log(1 + e^-0.5) = 5 * 0.4740770 = 2.3703849        gradient -5 / (1 + e^0.5) = -1.8877033
 *     log(1 + e^-0.25) = 0.5759394                       gradient  1 / (1 + e^0.25) = 0.4378235
 * mean over the two sampled: 1.4731621. */
Test(rpn_cls_loss, one_foreground_and_one_background_by_hand)
{
    const float logits[2] = {0.5f, -0.25f};
    const int8_t labels[2] = {1, 0};
    const float want[2] = {-0.94385167f, 0.21891175f};
    float dx[2];
    double loss = run(weighted(5, DET_AVG_SAMPLED), 2, logits, labels, dx);
    expect_near("loss", loss, 1.47316215, 1e-6);
    expect_each_near("gradient", dx, want, 2, 1e-7);
}

/* Two positives and three negatives sampled, four anchors not: every loss is log 2 at logit 0, a
 * positive's five times that, so the sum is 13 log 2. */
Test(rpn_cls_loss, every_avg_factor_by_hand)
{
    static const struct {
        enum det_avg_factor factor;
        const char *name;
        double divisor;
    } cases[] = {
        {DET_AVG_WEIGHTS, "weights", 13},    {DET_AVG_SAMPLED, "sampled", 5},
        {DET_AVG_POSITIVES, "positives", 2}, {DET_AVG_ALL, "all", 9},
        {DET_AVG_FIXED, "fixed", 256},
    };
    const int8_t labels[9] = {-1, 1, 0, -1, 0, 1, -1, 0, -1};
    const float logits[9] = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct det_cls_loss loss = weighted(5, cases[i].factor);
        loss.fixed_factor = 256;
        expect_near(cases[i].name, run(loss, 9, logits, labels, NULL),
                    13 * log(2) / cases[i].divisor, 1e-7);
        loss.reduction = DET_REDUCTION_SUM;
        expect_near("sum", run(loss, 9, logits, labels, NULL), 13 * log(2), 1e-7);
    }
}

/* An average over nothing divides by 1, a fixed factor below 1 as well. */
Test(rpn_cls_loss, divisors_are_at_least_one)
{
    const float logits[2] = {0};
    const int8_t labels[2] = {0, 0};
    struct det_cls_loss loss = weighted(5, DET_AVG_POSITIVES);
    expect_near("no positives", run(loss, 2, logits, labels, NULL), 2 * log(2), 1e-7);
    loss.avg_factor = DET_AVG_FIXED;
    loss.fixed_factor = 0.01;
    expect_near("fixed factor 0.01", run(loss, 2, logits, labels, NULL), 2 * log(2), 1e-7);
}

/* The weight must be on the positives: with negatives only it changes nothing, with positives only
 * it multiplies, and it moves the gradient's balance towards them by exactly its value. */
Test(rpn_cls_loss, pos_weight_is_on_the_positives)
{
    float logits[20], dx1[20], dx4[20];
    int8_t negatives[20] = {0}, positives[20];
    for (int i = 0; i < 20; i++) {
        logits[i] = test_number(5, i, -4, 4);
        positives[i] = 1;
    }
    double one = run(weighted(1, DET_AVG_SAMPLED), 20, logits, negatives, dx1);
    double four = run(weighted(4, DET_AVG_SAMPLED), 20, logits, negatives, dx4);
    cr_expect_eq(one, four, "negatives only: %g at weight 1, %g at 4", one, four);
    expect_same_bits("gradient, negatives only", dx4, dx1, 20);
    one = run(weighted(1, DET_AVG_SAMPLED), 20, logits, positives, dx1);
    four = run(weighted(4, DET_AVG_SAMPLED), 20, logits, positives, dx4);
    cr_expect_eq(four, 4 * one, "positives only: got %g, want %g", four, 4 * one);
    for (int i = 0; i < 20; i++)
        dx1[i] *= 4;
    expect_same_bits("gradient, positives only", dx4, dx1, 20);
}

/* Where the gradient of p positives and q negatives at one logit vanishes, sigmoid is
 * w p / (w p + q): the score law that the fixes rest on. One in four, w = 3: 0.5. */
Test(rpn_cls_loss, equilibrium_is_the_score_law)
{
    const int8_t labels[4] = {1, 0, 0, 0};
    for (float w = 1; w <= 5; w += 2) {
        float score = w / (w + 3), logit = logf(score / (1 - score)), dx[4];
        const float logits[4] = {logit, logit, logit, logit};
        run(weighted(w, DET_AVG_SAMPLED), 4, logits, labels, dx);
        expect_near("net gradient", (double)dx[0] + dx[1] + dx[2] + dx[3], 0, 1e-7);
    }
}

/* log(1 + e^x) written naively overflows at 89. */
Test(rpn_cls_loss, extreme_logits_are_finite)
{
    const float logits[4] = {100, -100, 100, -100};
    const int8_t labels[4] = {0, 1, 1, 0};
    float dx[4], rows[4];
    struct det_cls_loss loss = weighted(1, DET_AVG_SAMPLED);
    expect_near("loss", run(loss, 4, logits, labels, dx), 50, 1e-12);
    const float want[4] = {0.25f, -0.25f, 0, 0};
    expect_each_near("gradient", dx, want, 4, 1e-30);
    det_rpn_cls_loss_rows(dev, &loss, 4, logits, labels, rows);
    expect_near("far wrong", rows[0], 100, 0);
    expect_near("right", rows[2], exp(-100), 1e-40);
}

/* A small loss keeps its relative accuracy: log(1 + e^-12) is 6.1441935e-6, and a value computed as
 * log of a rounded 1 + e^-12 is off by 1 %. */
Test(rpn_cls_loss, small_losses_keep_their_digits)
{
    const float logit = 12;
    const int8_t label = 1;
    float dx;
    double loss = run(weighted(1, DET_AVG_SAMPLED), 1, &logit, &label, &dx);
    cr_expect(fabs(loss / log1p(exp(-12)) - 1) < 1e-6, "loss: got %.9g", loss);
    cr_expect(fabs(dx * (1 + exp(12)) + 1) < 1e-6, "gradient: got %.9g", (double)dx);
}

/* Four sampled positives: right, missed at logit 0 (a tie is background), missed, not a number;
 * three negatives: right, wrong, right at logit 0; one anchor not sampled has the highest logit. */
Test(rpn_cls_loss, monitors_by_hand)
{
    const float logits[8] = {2, 0, -1, 1, -3, 0.5f, 0, 4};
    const int8_t labels[8] = {1, 1, 1, 1, 0, 0, 0, -1};
    struct det_cls_loss loss = weighted(5, DET_AVG_SAMPLED);
    struct det_cls_stats s;
    double out;
    det_rpn_cls_loss(dev, &loss, 8, logits, labels, &out, NULL, &s);
    cr_expect_eq(s.positives, 4);
    cr_expect_eq(s.negatives, 3);
    cr_expect_eq(s.positives_right, 2);
    cr_expect_eq(s.positives_missed, 2);
    cr_expect_eq(s.predicted_positive, 3);
    cr_expect_eq(s.rows_right, 4);
    expect_near("max_foreground", s.max_foreground, 0.98201379, 1e-6); /* sigmoid(4) */
    /* (0.8807971 + 0.5 + 0.2689414 + 0.7310586) / 4 */
    expect_near("mean_foreground_at_positives", s.mean_foreground_at_positives, 0.59519927, 1e-6);
}

Test(rpn_cls_loss, monitors_show_a_nan)
{
    const float logits[3] = {1, NAN, 2};
    const int8_t labels[3] = {1, 0, 1};
    struct det_cls_loss loss = weighted(5, DET_AVG_SAMPLED);
    struct det_cls_stats s;
    double out;
    det_rpn_cls_loss(dev, &loss, 3, logits, labels, &out, NULL, &s);
    cr_expect(isnan(s.max_foreground), "max_foreground: got %g", (double)s.max_foreground);
    cr_expect_eq(s.rows_right, 2, "a NaN is no right answer: %d", s.rows_right);
}

Test(rpn_cls_loss, monitors_of_nothing_are_zero)
{
    struct det_cls_loss loss = weighted(5, DET_AVG_SAMPLED);
    struct det_cls_stats s, zero = {0};
    double out;
    memset(&s, 0xFF, sizeof s);
    det_rpn_cls_loss(dev, &loss, 0, NULL, NULL, &out, NULL, &s);
    cr_expect_eq(memcmp(&s, &zero, sizeof s), 0);
}
