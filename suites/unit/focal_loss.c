/* The focal loss, binary and softmax: what it becomes without its two parameters, by hand with
 * them, which side alpha is on, and its behaviour where 1 - p vanishes. */
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

TestSuite(focal_loss, .init = set_up, .fini = tear_down);

static struct det_cls_loss focal(float alpha, float gamma)
{
    return (struct det_cls_loss){.kind = DET_CLS_FOCAL,
                                 .pos_weight = 1.0f,
                                 .avg_factor = DET_AVG_SAMPLED,
                                 .focal_alpha = alpha,
                                 .focal_gamma = gamma};
}

static double binary(struct det_cls_loss loss, float logit, int8_t label, float *gradient)
{
    double out = NAN;
    det_rpn_cls_loss(dev, &loss, 1, &logit, &label, &out, gradient, NULL);
    return out;
}

/* Gamma 0 and no alpha: the weighted cross entropy, bit for bit, loss and gradient. */
Test(focal_loss, gamma_zero_is_weighted_cross_entropy)
{
    for (enum test_loss kind = RPN_CLS; kind <= ROI_CLS; kind++) {
        struct test_input in = test_input_make(kind, 15, 24, 4);
        struct det_cls_loss plain = test_cls_loss(&test_modes[5], NULL), loss = plain;
        float want_dx[TEST_ROWS * TEST_CLASSES], dx[TEST_ROWS * TEST_CLASSES];
        int8_t labels[24];
        double want, got;
        loss.kind = DET_CLS_FOCAL;
        loss.focal_alpha = -1.0f;
        loss.focal_gamma = 0.0f;
        for (int r = 0; r < 24; r++)
            labels[r] = (int8_t)in.labels[r];
        if (kind == RPN_CLS) {
            det_rpn_cls_loss(dev, &plain, 24, in.x, labels, &want, want_dx, NULL);
            det_rpn_cls_loss(dev, &loss, 24, in.x, labels, &got, dx, NULL);
        } else {
            det_roi_cls_loss(dev, &plain, 24, TEST_CLASSES, NULL, in.x, in.labels, &want, want_dx,
                             NULL);
            det_roi_cls_loss(dev, &loss, 24, TEST_CLASSES, NULL, in.x, in.labels, &got, dx, NULL);
        }
        cr_expect_eq(got, want, "%s: got %a, want %a", test_losses[kind].name, got, want);
        expect_same_bits(test_losses[kind].name, dx, want_dx, 24 * test_losses[kind].width);
    }
}

/* A positive at p = 0.9 (logit log 9): 0.25 * 0.1^2 * -log 0.9 = 2.6340e-4; gradient
 * -0.25 (0.1^2 + 2 * 0.1 * 0.9 * 0.1053605) 0.1 = -7.2412e-4. A negative there (p_t = 0.1):
 * 0.75 * 0.9^2 * -log 0.1 = 1.3988204. Swapped alphas would give three times and a third of these.
 */
Test(focal_loss, binary_by_hand)
{
    float logit = logf(9), gradient;
    expect_near("positive", binary(focal(0.25f, 2), logit, 1, &gradient) * 1e4, 2.63401289, 1e-5);
    expect_near("its gradient", (double)gradient * 1e4, -7.24122283, 1e-5);
    expect_near("negative", binary(focal(0.25f, 2), logit, 0, &gradient), 1.39882045, 1e-6);
    /* 0.75 (0.81 + 2 * 0.9 * 0.1 * 2.3025851) 0.9 */
    expect_near("its gradient", gradient, 0.82651409, 1e-6);
}

/* Softmax, p = (0.2, 0.5, 0.3): class 1 costs 0.25 * 0.5^2 * log 2 = 0.0433217, background
 * 0.75 * 0.8^2 * log 5 = 0.7725302. Slope of class 1: 0.25 (0.25 + 2 * 0.5 * 0.5 * log 2) times
 * p - onehot. */
Test(focal_loss, softmax_by_hand)
{
    const float logits[3] = {logf(2), logf(5), logf(3)};
    struct det_cls_loss loss = focal(0.25f, 2);
    double out, slope = 0.25 * (0.25 + 0.5 * log(2));
    float dx[3];
    int32_t label = 1;
    det_roi_cls_loss(dev, &loss, 1, 3, NULL, logits, &label, &out, dx, NULL);
    expect_near("class 1", out, 0.25 * 0.25 * log(2), 1e-6);
    const float want[3] = {(float)(0.2 * slope), (float)(-0.5 * slope), (float)(0.3 * slope)};
    expect_each_near("its gradient", dx, want, 3, 1e-7);
    label = 0;
    det_roi_cls_loss(dev, &loss, 1, 3, NULL, logits, &label, &out, dx, NULL);
    expect_near("background", out, 0.75 * 0.64 * log(5), 1e-6);
}

/* Two classes of softmax are one logit of the sigmoid: the difference. */
Test(focal_loss, two_classes_are_the_binary_loss)
{
    for (int i = 0; i < 40; i++) {
        float z = test_number(16, i, -8, 8), dx[2], want_dx;
        const float logits[2] = {0, z};
        struct det_cls_loss loss = focal(0.25f, 2);
        int32_t label = i % 2;
        double want = binary(loss, z, (int8_t)label, &want_dx), got;
        det_roi_cls_loss(dev, &loss, 1, 2, NULL, logits, &label, &got, dx, NULL);
        expect_near("loss", got, want, 2e-6);
        expect_near("gradient", dx[1], want_dx, 2e-6);
    }
}

/* alpha 1 leaves positives alone, alpha 0 negatives: a swap shows as a zero on the wrong side. */
Test(focal_loss, alpha_is_the_positives_weight)
{
    cr_expect_gt(binary(focal(1, 2), -1, 1, NULL), 0.1);
    cr_expect_eq(binary(focal(1, 2), 1, 0, NULL), 0.0);
    cr_expect_eq(binary(focal(0, 2), -1, 1, NULL), 0.0);
    cr_expect_gt(binary(focal(0, 2), 1, 0, NULL), 0.1);
}

/* The larger gamma, the less an easy row counts beside a hard one; at p = 1/2 the factor is
 * 2^-gamma. */
Test(focal_loss, gamma_turns_easy_rows_down)
{
    double previous = INFINITY;
    for (float gamma = 0; gamma <= 5; gamma += 0.5f) {
        double ratio = binary(focal(-1, gamma), 3, 1, NULL) / binary(focal(-1, gamma), -3, 1, NULL);
        cr_expect_lt(ratio, previous, "gamma %g: easy / hard is %g, was %g", (double)gamma, ratio,
                     previous);
        previous = ratio;
        expect_near("p = 1/2", binary(focal(-1, gamma), 0, 1, NULL), exp2(-(double)gamma) * log(2),
                    1e-6);
    }
}

/* Where 1 - p vanishes (1 - p)^(gamma - 1) is infinite for gamma below 1, and times a cross entropy
 * of 0 it is NaN if written so. */
Test(focal_loss, extreme_logits_are_finite)
{
    static const float gammas[] = {0.0f, 0.25f, 0.5f, 1.0f, 2.0f, 5.0f};
    for (size_t g = 0; g < sizeof gammas / sizeof gammas[0]; g++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            struct det_cls_loss loss = focal(0.25f, gammas[g]);
            float x = 100.0f * (float)sign, gradient, dx[2];
            const float logits[2] = {-x, x};
            const int32_t label = 1;
            double a = binary(loss, x, 1, &gradient), b;
            det_roi_cls_loss(dev, &loss, 1, 2, NULL, logits, &label, &b, dx, NULL);
            cr_expect(isfinite(a) && isfinite(gradient), "binary, gamma %g, logit %g: %g, %g",
                      (double)gammas[g], (double)x, a, (double)gradient);
            cr_expect(isfinite(b) && isfinite(dx[0]) && isfinite(dx[1]),
                      "softmax, gamma %g, logit %g: %g, %g", (double)gammas[g], (double)x, b,
                      (double)dx[1]);
            expect_near("far wrong", sign < 0 ? a : 25, 25, 1e-6); /* 0.25 * 1 * 100 */
        }
    }
}

/* An easy row: 1 - p = 8.3e-7 is squared. Taken from a p rounded to float32 it would be 0.7 % off.
 */
Test(focal_loss, small_losses_keep_their_digits)
{
    const float logits[2] = {0, 14}, logit = 14;
    const int32_t label = 1;
    double q = 1 / (1 + exp(14)), want = q * q * log1p(exp(-14)), out;
    struct det_cls_loss loss = focal(-1, 2);
    det_roi_cls_loss(dev, &loss, 1, 2, NULL, logits, &label, &out, NULL, NULL);
    cr_expect(fabs(out / want - 1) < 1e-5, "softmax: got %.9g, want %.9g", out, want);
    out = binary(loss, logit, 1, NULL);
    cr_expect(fabs(out / want - 1) < 1e-5, "binary: got %.9g, want %.9g", out, want);
}

/* pow(NaN, 0) is 1: gamma 0 must not turn a NaN into a number. */
Test(focal_loss, a_nan_stays_for_every_gamma)
{
    for (float gamma = 0; gamma <= 2; gamma += 1) {
        float gradient;
        double loss = binary(focal(0.25f, gamma), NAN, 1, &gradient);
        cr_expect(isnan(loss) && isnan(gradient), "gamma %g: loss %g, gradient %g", (double)gamma,
                  loss, (double)gradient);
    }
}
