/* The mask loss by hand, which channel it reaches, and its independence of threads. */
#include "suites/loss_suite.h"

enum { CLASSES = 3, SIDE = 2, PLANE = SIDE * SIDE, ROW = CLASSES * PLANE };

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

TestSuite(mask_loss, .init = set_up, .fini = tear_down);

static double run(int rows, const float *logits, const float *targets, const int32_t *labels,
                  float *dlogits)
{
    double out = NAN;
    det_mask_loss(dev, NULL, rows, CLASSES, SIDE, NULL, logits, targets, labels, &out, dlogits);
    return out;
}

/* At logit 0 a pixel's loss is log 2 whatever its target, its gradient (1/2 - target) / pixels. */
Test(mask_loss, untrained_mask_by_hand)
{
    const float logits[2 * ROW] = {0};
    const float targets[2 * PLANE] = {0, 1, 0.5f, 0.25f, 1, 1, 0, 0};
    const int32_t labels[2] = {1, 2};
    float dx[2 * ROW], want[2 * ROW] = {0};
    for (int i = 0; i < PLANE; i++) {
        want[1 * PLANE + i] = (0.5f - targets[i]) / 8;
        want[ROW + 2 * PLANE + i] = (0.5f - targets[PLANE + i]) / 8;
    }
    expect_near("loss", run(2, logits, targets, labels, dx), log(2), 1e-7);
    expect_each_near("gradient", dx, want, 2 * ROW, 1e-8);
}

/* Logit 2: target 1 costs log(1 + e^-2) = 0.1269280, target 0 costs 2.1269280, target 0.25 costs
 * 0.25 * 0.1269280 + 0.75 * 2.1269280 = 1.6269280; logit -1 with target 0 costs 0.3132617. */
Test(mask_loss, soft_targets_by_hand)
{
    float logits[ROW] = {0};
    const float pixels[PLANE] = {2, 2, 2, -1};
    const float targets[PLANE] = {1, 0, 0.25f, 0};
    const int32_t label = 1;
    memcpy(logits + PLANE, pixels, sizeof pixels);
    expect_near("loss", run(1, logits, targets, &label, NULL),
                (0.12692801 + 2.12692801 + 1.62692801 + 0.31326169) / 4, 1e-7);
}

/* The label's channel alone decides and alone learns: NaN in the others is never read. */
Test(mask_loss, only_the_label_channel_gets_gradient)
{
    for (int label = 1; label < CLASSES; label++) {
        float logits[ROW], dx[ROW];
        const float targets[PLANE] = {1, 0, 1, 0};
        for (int i = 0; i < ROW; i++)
            logits[i] = i / PLANE == label ? 0.5f : NAN;
        cr_expect(isfinite(run(1, logits, targets, &label, dx)), "label %d: not finite", label);
        for (int c = 0; c < CLASSES; c++)
            for (int i = 0; i < PLANE; i++) {
                float g = dx[c * PLANE + i];
                cr_expect(c == label ? g != 0.0f : g == 0.0f,
                          "label %d, channel %d, pixel %d: gradient %g", label, c, i, (double)g);
            }
    }
}

/* The mean is over positives and pixels: a row of background or -1 in between changes nothing. */
Test(mask_loss, rows_that_are_not_positive_do_not_count)
{
    float logits[3 * ROW], targets[3 * PLANE], dx[3 * ROW];
    int32_t labels[3] = {1, 0, 2};
    for (int i = 0; i < 3 * ROW; i++)
        logits[i] = test_number(1, i, -3, 3);
    for (int i = 0; i < 3 * PLANE; i++)
        targets[i] = test_number(2, i, 0, 1);
    float rows[3];
    det_mask_loss_rows(dev, 3, CLASSES, SIDE, NULL, logits, targets, labels, rows);
    cr_expect_eq(rows[1], 0.0f);
    for (int other = -1; other <= 0; other++) {
        labels[1] = other;
        expect_near("loss", run(3, logits, targets, labels, dx),
                    ((double)rows[0] + (double)rows[2]) / 2, 1e-6);
        expect_all("gradient", dx + ROW, ROW, 0.0f);
    }
}

Test(mask_loss, extreme_logits_are_finite)
{
    const float logits[ROW] = {0, 0, 0, 0, 100, -100, 100, -100};
    const float targets[PLANE] = {0, 1, 1, 0};
    const int32_t label = 1;
    float dx[ROW];
    expect_near("loss", run(1, logits, targets, &label, dx), 50, 1e-12);
    const float want[PLANE] = {0.25f, -0.25f, 0, 0};
    expect_each_near("gradient", dx + PLANE, want, PLANE, 1e-30);
}

/* Rows are worked on in parallel; their sums are added in row order. */
Test(mask_loss, same_bits_for_any_number_of_threads)
{
    struct test_input in = test_input_make(MASK, 6, 40, 2);
    float dx[TEST_ROWS * TEST_WIDTH], want_dx[TEST_ROWS * TEST_WIDTH];
    int n = in.rows * TEST_WIDTH;
    double want = test_run(dev, &in, &test_modes[0], 1, NULL, want_dx);
    for (int threads = 2; threads <= 5; threads++) {
        struct test_device other;
        struct det_device *parallel = test_device_open(&other, threads);
        double got = test_run(parallel, &in, &test_modes[0], 1, NULL, dx);
        cr_expect_eq(got, want, "%d threads: got %a, want %a", threads, got, want);
        expect_same_bits("gradient", dx, want_dx, n);
        test_device_close(&other);
    }
}
