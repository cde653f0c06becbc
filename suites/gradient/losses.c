/* Numerical gradients of the five losses in every mode.
 *
 * Central differences with five points: (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h, whose error is
 * h^4 / 30 of the fifth derivative (below 1e-6 here). What is left is the rounding of a row's
 * float32 loss (6e-8 of a value below 20) times 1.5 / h: below 6e-5 for h = 1/32 and 5e-4 for
 * h = 1/256. The steps are powers of two and the inputs are rounded to multiples of 2^-12, so that
 * x + h is exact. Differences are compared with the gradient of the sum, undivided: the tolerance
 * is then the same for every denominator. */
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

TestSuite(losses, .init = set_up, .fini = tear_down);

static float on_grid(float x)
{
    return floorf(x * 4096.0f) / 4096.0f;
}

/* Numbers away from where a loss has no derivative: the smooth L1 bends at 0 and +-beta, so its
 * differences are put at +-0.055 and +-0.6 (beta 1/9). */
static struct test_input smooth_input(enum test_loss loss)
{
    struct test_input in = test_input_make(loss, 91, 14, 5);
    int width = test_losses[loss].width, box = loss == RPN_BOX || loss == ROI_BOX;
    test_input_add(&in, 92, -1);
    static const float away[4] = {0.055f, -0.6f, -0.055f, 0.6f};
    for (int r = 0; r < in.rows; r++) {
        for (int k = 0; k < width; k++) {
            float *x = &in.x[r * width + k];
            *x = on_grid(box ? in.targets[r * 4 + k % 4] + away[(r + k) % 4] : *x);
        }
    }
    return in;
}

/* OHEM's choice must not change within a step: the losses of the hardest negative dropped and the
 * easiest kept lie further apart than two steps can move them. */
static void assert_selection_is_stable(const struct test_input *in, const struct test_mode *mode,
                                       float h)
{
    struct test_mode plain = test_modes[0];
    float all[TEST_ROWS], kept[TEST_ROWS], easiest_kept = INFINITY, hardest_dropped = 0.0f;
    test_run_rows(dev, in, &plain, all);
    test_run_rows(dev, in, mode, kept);
    for (int r = 0; r < in->rows; r++) {
        if (in->labels[r] != 0)
            continue;
        if (kept[r] > 0.0f)
            easiest_kept = fminf(easiest_kept, kept[r]);
        else
            hardest_dropped = fmaxf(hardest_dropped, all[r]);
    }
    cr_assert(hardest_dropped > 0.0f, "OHEM drops nothing: the case tests nothing");
    cr_assert(easiest_kept - hardest_dropped > 4.0f * h, "OHEM's margin is %g, steps of %g",
              (double)(easiest_kept - hardest_dropped), (double)h);
}

static double difference(struct test_input *in, int i, const struct test_mode *mode, float h)
{
    static const float at[4] = {-2, -1, 1, 2};
    static const double weight[4] = {1, -8, 8, -1};
    float x = in->x[i];
    double sum = 0.0;
    for (int k = 0; k < 4; k++) {
        in->x[i] = x + at[k] * h;
        sum += weight[k] * test_run(dev, in, mode, 1.0f, NULL, NULL);
    }
    in->x[i] = x;
    return sum / (12.0 * (double)h);
}

/* The number that divides this mode's sum, read off the sum and the mean. */
static double divisor(const struct test_input *in, const struct test_mode *mode)
{
    struct test_mode sum = *mode;
    sum.reduction = DET_REDUCTION_SUM;
    if (in->loss == MASK)
        return 1.0;
    return test_run(dev, in, &sum, 1.0f, NULL, NULL) / test_run(dev, in, mode, 1.0f, NULL, NULL);
}

static void check_mode(enum test_loss loss, const struct test_mode *mode)
{
    int box = loss == RPN_BOX || loss == ROI_BOX;
    float h = box ? 1.0f / 256 : 1.0f / 32;
    double tolerance = box ? 5e-4 : 1e-4;
    struct test_input in = smooth_input(loss);
    float dx[TEST_ROWS * TEST_WIDTH];
    double n = divisor(&in, mode), largest = 0.0;
    if (mode->kind == DET_CLS_OHEM)
        assert_selection_is_stable(&in, mode, h);
    test_run(dev, &in, mode, 1.0f, NULL, dx);
    for (int i = 0; i < in.rows * test_losses[loss].width; i++) {
        double got = n * (double)dx[i], want = n * difference(&in, i, mode, h);
        largest = fmax(largest, fabs(got));
        cr_expect(fabs(got - want) <= tolerance, "%s[%d]: got %.7g, want %.7g, tolerance %g",
                  test_name(loss, mode, "gradient"), i, got, want, tolerance);
    }
    cr_expect(largest > 100 * tolerance, "%s: all gradients are below %g",
              test_name(loss, mode, "gradient"), largest);
}

static void check_loss(enum test_loss loss)
{
    for (int m = 0; m < test_mode_count(loss); m++)
        check_mode(loss, &test_modes[m]);
}

Test(losses, rpn_cls_loss)
{
    check_loss(RPN_CLS);
}

Test(losses, roi_cls_loss)
{
    check_loss(ROI_CLS);
}

Test(losses, rpn_box_loss)
{
    check_loss(RPN_BOX);
}

Test(losses, roi_box_loss)
{
    check_loss(ROI_BOX);
}

Test(losses, mask_loss)
{
    check_loss(MASK);
}
