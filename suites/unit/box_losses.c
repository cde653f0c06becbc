/* Smooth L1 by hand on both sides of beta, which deltas count, and what divides. */
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

TestSuite(box_losses, .init = set_up, .fini = tear_down);

static struct det_box_loss smooth(float beta)
{
    return (struct det_box_loss){.beta = beta, .avg_factor = DET_AVG_SAMPLED};
}

static double one_box(struct det_box_loss loss, const float deltas[4], float gradient[4])
{
    const float targets[4] = {0};
    const int8_t label = 1;
    double out = NAN;
    det_rpn_box_loss(dev, &loss, 1, deltas, targets, &label, &out, gradient);
    return out;
}

/* beta 0.5: 0.25 is quadratic, 0.25^2 / (2 * 0.5) = 0.0625, slope 0.25 / 0.5; -0.5 is at beta,
 * where both forms give 0.25, slope -1; 2 is linear, 2 - 0.25, slope 1; so is -0.75 (beta is not 1),
 * 0.75 - 0.25, slope -1. */
Test(box_losses, either_side_of_beta)
{
    const float deltas[4] = {0.25f, -0.5f, 2.0f, -0.75f};
    const float want[4] = {0.5f, -1.0f, 1.0f, -1.0f};
    float gradient[4];
    expect_near("loss", one_box(smooth(0.5f), deltas, gradient), 0.0625 + 0.25 + 1.75 + 0.5, 1e-7);
    expect_each_near("gradient", gradient, want, 4, 1e-7);
}

/* Value and slope meet at beta: a hair below and a hair above differ by the hair. */
Test(box_losses, the_two_forms_meet_at_beta)
{
    for (float beta = 1.0f / 9.0f; beta < 3.0f; beta *= 3.0f) {
        float below[4], above[4], d_below[4], d_above[4];
        for (int k = 0; k < 4; k++) {
            below[k] = nextafterf(beta, 0.0f);
            above[k] = nextafterf(beta, 10.0f);
        }
        double a = one_box(smooth(beta), below, d_below), b = one_box(smooth(beta), above, d_above);
        expect_near("value", a, b, 1e-6);
        expect_each_near("slope", d_below, d_above, 4, 1e-6);
    }
}

/* beta 0 is L1, whose derivative at 0 is taken as 0. */
Test(box_losses, beta_zero_is_l1)
{
    const float deltas[4] = {0.25f, -3.0f, 0.0f, 1e-30f};
    const float want[4] = {1.0f, -1.0f, 0.0f, 1.0f};
    float gradient[4];
    expect_near("loss", one_box(smooth(0.0f), deltas, gradient), 3.25, 1e-7);
    expect_each_near("gradient", gradient, want, 4, 0);
}

/* Swapping prediction and target keeps the loss and turns the gradient round. */
Test(box_losses, gradient_points_from_target_to_prediction)
{
    const float a[4] = {0.3f, -0.7f, 0.02f, 1.5f}, b[4] = {0.1f, 0.4f, 0.05f, -0.2f};
    const int8_t label = 1;
    float forth[4], back[4];
    struct det_box_loss loss = smooth(1.0f / 9.0f);
    double x, y;
    det_rpn_box_loss(dev, &loss, 1, a, b, &label, &x, forth);
    det_rpn_box_loss(dev, &loss, 1, b, a, &label, &y, back);
    cr_expect_eq(x, y);
    for (int k = 0; k < 4; k++)
        cr_expect_eq(forth[k], -back[k], "[%d]: %g and %g", k, (double)forth[k], (double)back[k]);
}

/* One positive of loss 1 per coordinate beyond L1's corner, two negatives, three not sampled. Only
 * the positive has a loss; negatives count in the divisor `sampled`, the others in `all` alone. */
Test(box_losses, every_avg_factor_by_hand)
{
    static const struct {
        enum det_avg_factor factor;
        const char *name;
        double divisor;
    } cases[] = {
        {DET_AVG_SAMPLED, "sampled", 3},     {DET_AVG_WEIGHTS, "weights", 3},
        {DET_AVG_POSITIVES, "positives", 1}, {DET_AVG_ALL, "all", 6},
        {DET_AVG_FIXED, "fixed", 64},
    };
    float deltas[24], targets[24] = {0}, dx[24];
    const int8_t labels[6] = {-1, 0, 1, -1, 0, -1};
    for (int i = 0; i < 24; i++)
        deltas[i] = 1.0f;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct det_box_loss loss = smooth(0.0f);
        double out;
        loss.avg_factor = cases[i].factor;
        loss.fixed_factor = 64;
        det_rpn_box_loss(dev, &loss, 6, deltas, targets, labels, &out, dx);
        expect_near(cases[i].name, out, 4 / cases[i].divisor, 1e-12);
        for (int r = 0; r < 6; r++)
            expect_all(cases[i].name, dx + 4 * r, 4, r == 2 ? (float)(1 / cases[i].divisor) : 0.0f);
        loss.reduction = DET_REDUCTION_SUM;
        det_rpn_box_loss(dev, &loss, 6, deltas, targets, labels, &out, dx);
        expect_near("sum", out, 4, 1e-12);
    }
}

/* The head has four deltas a class: those of the row's own class count, at 4 * label, and the loss
 * is divided by the RoIs, background included (torchvision's labels.numel()). */
Test(box_losses, only_the_own_class_deltas_count)
{
    enum { CLASSES = 3 };
    float deltas[4 * 4 * CLASSES], targets[16] = {0}, dx[4 * 4 * CLASSES];
    const int32_t labels[4] = {2, 0, 1, -1};
    struct det_box_loss loss = smooth(0.0f);
    double out;
    for (int i = 0; i < 4 * 4 * CLASSES; i++)
        deltas[i] = (float)(i / 4 % CLASSES + 1); /* class c predicts c + 1 */
    det_roi_box_loss(dev, &loss, 4, CLASSES, NULL, deltas, targets, labels, &out, dx);
    expect_near("loss", out, (4 * 3 + 4 * 2) / 3.0, 1e-12);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < CLASSES; c++)
            expect_all("gradient", dx + (r * CLASSES + c) * 4, 4,
                       labels[r] == c && c > 0 ? 1.0f / 3.0f : 0.0f);
}

/* The RPN's loss is the head's with one foreground class whose deltas come first. */
Test(box_losses, both_losses_agree)
{
    struct test_input rpn = test_input_make(RPN_BOX, 14, 20, 3);
    struct det_box_loss loss = smooth(1.0f / 9.0f);
    float deltas[20 * 8], dx[20 * 8], rpn_dx[20 * 4];
    double want = test_run(dev, &rpn, &test_modes[0], 1, NULL, rpn_dx), got;
    for (int r = 0; r < 20; r++)
        for (int k = 0; k < 8; k++)
            deltas[r * 8 + k] = k < 4 ? NAN : rpn.x[r * 4 + k - 4];
    det_roi_box_loss(dev, &loss, 20, 2, NULL, deltas, rpn.targets, rpn.labels, &got, dx);
    cr_expect_eq(got, want, "got %a, want %a", got, want);
    for (int r = 0; r < 20; r++)
        expect_same_bits("gradient", dx + r * 8 + 4, rpn_dx + r * 4, 4);
}

/* A NaN target of a background row is nobody's business; of a foreground row it is seen. */
Test(box_losses, a_nan_counts_where_the_row_does)
{
    float deltas[8] = {0}, targets[8] = {0}, dx[8];
    int8_t labels[2] = {1, 0};
    struct det_box_loss loss = smooth(1.0f / 9.0f);
    double out;
    targets[4] = NAN;
    det_rpn_box_loss(dev, &loss, 2, deltas, targets, labels, &out, dx);
    cr_expect_eq(out, 0.0, "background: got %g", out);
    labels[1] = 1;
    det_rpn_box_loss(dev, &loss, 2, deltas, targets, labels, &out, dx);
    cr_expect(isnan(out) && isnan(dx[4]), "foreground: loss %g, gradient %g", out, (double)dx[4]);
}

/* A delta that has run away pulls with slope 1, not more: what smooth L1 is for. */
Test(box_losses, slope_is_bounded)
{
    const float deltas[4] = {1e30f, -1e30f, 1e4f, -50};
    const float want[4] = {1, -1, 1, -1};
    float gradient[4];
    cr_expect(isfinite(one_box(smooth(1.0f / 9.0f), deltas, gradient)));
    expect_each_near("gradient", gradient, want, 4, 0);
}
