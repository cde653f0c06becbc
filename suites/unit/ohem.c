/* Online hard example mining: who is kept, against sorting; ties; what the average is over. */
#include "detector/losses/ohem.h"
#include "suites/loss_suite.h"

#include <stdlib.h>

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

TestSuite(ohem, .init = set_up, .fini = tear_down);

static int higher_first(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x < y) - (x > y);
}

/* The selection against a sort, over few distinct keys (ties), many, and every number to keep. */
Test(ohem, selection_agrees_with_sorting)
{
    enum { N = 97 };
    for (uint32_t distinct = 1; distinct < 1u << 30; distinct *= 8) {
        uint32_t keys[N], sorted[N];
        for (int i = 0; i < N; i++)
            keys[i] = det_philox((uint32_t)i, 0, 0, 98, distinct).word[0] % distinct;
        memcpy(sorted, keys, sizeof keys);
        qsort(sorted, N, sizeof *sorted, higher_first);
        for (int keep = 0; keep <= N; keep++) {
            struct det_ohem ohem = det_ohem_select(keys, N, keep);
            int kept = 0, closed = 0;
            for (int i = 0; i < N; i++) {
                int is_tie = keep > 0 && keys[i] == sorted[keep - 1];
                int k = det_ohem_keep(&ohem, keys[i]);
                kept += k;
                cr_expect(!k || keys[i] >= sorted[keep - 1], "keep %d of %d: key %u is too low",
                          keep, N, keys[i]);
                cr_expect(!(k && is_tie && closed), "keep %d of %d: a tie went to the higher index",
                          keep, N);
                closed |= is_tie && !k;
            }
            cr_expect_eq(kept, keep, "%u distinct keys: kept %d, want %d", distinct, kept, keep);
        }
    }
}

static struct det_cls_loss mined(float ratio, int min_positives)
{
    return (struct det_cls_loss){.kind = DET_CLS_OHEM,
                                 .pos_weight = 2.0f,
                                 .avg_factor = DET_AVG_SAMPLED,
                                 .ohem_ratio = ratio,
                                 .ohem_min_positives = min_positives};
}

/* Two positives, ratio 1.5: three negatives, the hardest: logits 3, 2 and 1. Mean over the five
 * kept of 2 log(1 + e^-0) twice, and log(1 + e^x): 3.0485874, 2.1269280, 1.3132617. */
Test(ohem, by_hand)
{
    const float logits[8] = {0, 1, -5, 0, 3, 9, 2, 0.5f};
    const int8_t labels[8] = {1, 0, 0, 1, 0, -1, 0, 0};
    const float signs[8] = {-1, 1, 0, -1, 1, 0, 1, 0};
    struct det_cls_loss loss = mined(1.5f, 1);
    float dx[8];
    double out;
    det_rpn_cls_loss(dev, &loss, 8, logits, labels, &out, dx, NULL);
    expect_near("loss", out, (4 * 0.69314718 + 3.04858735 + 2.12692801 + 1.31326169) / 5, 1e-7);
    for (int r = 0; r < 8; r++)
        cr_expect(signs[r] == 0 ? dx[r] == 0 : dx[r] * signs[r] > 0, "row %d: gradient %g", r,
                  (double)dx[r]);
    expect_near("gradient of a positive", dx[0], -0.2, 1e-7);
}

/* Every kept negative's loss is at least every dropped one's; every positive is kept; exactly as
 * many negatives are kept as the ratio says. */
Test(ohem, kept_are_harder_than_dropped)
{
    for (enum test_loss kind = RPN_CLS; kind <= ROI_CLS; kind++) {
        for (uint32_t seed = 0; seed < 20; seed++) {
            struct test_input in = test_input_make(kind, 100 + seed, 40, 8);
            const struct test_mode *ohem = &test_modes[12], *plain = &test_modes[0];
            float all[40], kept[40], easiest = INFINITY, hardest = 0;
            int negatives = 0;
            test_run_rows(dev, &in, plain, all);
            test_run_rows(dev, &in, ohem, kept);
            for (int r = 0; r < 40; r++) {
                if (in.labels[r] > 0) {
                    cr_expect_eq(kept[r], all[r], "seed %u: positive %d dropped", seed, r);
                } else if (kept[r] > 0) {
                    negatives++;
                    easiest = fminf(easiest, kept[r]);
                } else {
                    hardest = fmaxf(hardest, all[r]);
                }
            }
            cr_expect_eq(negatives, 10, "%s, seed %u: kept %d negatives of 5 positives",
                         test_losses[kind].name, seed, negatives);
            cr_expect(easiest >= hardest, "%s, seed %u: kept %g, dropped %g",
                      test_losses[kind].name, seed, (double)easiest, (double)hardest);
        }
    }
}

/* All negatives alike: the first ones are kept. */
Test(ohem, ties_go_to_the_lower_index)
{
    const float logits[10] = {0};
    const int8_t labels[10] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    struct det_cls_loss loss = mined(3, 1);
    float rows[10];
    det_rpn_cls_loss_rows(dev, &loss, 10, logits, labels, rows);
    for (int r = 0; r < 10; r++)
        cr_expect((rows[r] > 0) == (r <= 3), "row %d: loss %g", r, (double)rows[r]);
}

/* Images without objects still teach: min_positives negatives times the ratio are kept. */
Test(ohem, min_positives_when_there_are_none)
{
    static const struct {
        float ratio;
        int min_positives, kept;
    } cases[] = {{3, 1, 3},    {3, 2, 6},    {3, 0, 0},     {0, 1, 0},
                 {0.5f, 1, 0}, {2.5f, 1, 2}, {0.7f, 10, 7}, {1000, 100000, 12}};
    float logits[12], rows[12];
    const int8_t labels[12] = {0};
    for (int r = 0; r < 12; r++)
        logits[r] = test_number(17, r, -2, 2);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct det_cls_loss loss = mined(cases[c].ratio, cases[c].min_positives);
        int kept = 0;
        double out;
        det_rpn_cls_loss_rows(dev, &loss, 12, logits, labels, rows);
        for (int r = 0; r < 12; r++)
            kept += rows[r] > 0;
        cr_expect_eq(kept, cases[c].kept, "ratio %g, min_positives %d: kept %d, want %d",
                     (double)cases[c].ratio, cases[c].min_positives, kept, cases[c].kept);
        det_rpn_cls_loss(dev, &loss, 12, logits, labels, &out, NULL, NULL);
        cr_expect(kept ? out > 0 : out == 0.0, "ratio %g: loss %g", (double)cases[c].ratio, out);
    }
}

/* The monitors count all sampled rows, kept or not. */
Test(ohem, monitors_see_dropped_rows_too)
{
    struct test_input in = test_input_make(ROI_CLS, 18, 40, 10);
    struct det_cls_loss loss = mined(1, 1), plain = loss;
    struct det_cls_stats a, b;
    double out;
    plain.kind = DET_CLS_PLAIN;
    det_roi_cls_loss(dev, &loss, 40, TEST_CLASSES, NULL, in.x, in.labels, &out, NULL, &a);
    det_roi_cls_loss(dev, &plain, 40, TEST_CLASSES, NULL, in.x, in.labels, &out, NULL, &b);
    cr_expect_eq(memcmp(&a, &b, sizeof a), 0);
}

/* A negative that is NaN is the hardest of all: kept, so that the loss shows it. */
Test(ohem, a_nan_is_the_hardest)
{
    float logits[6] = {0, 1, 2, -NAN, 3, 4};
    const int8_t labels[6] = {1, 0, 0, 0, 0, 0};
    struct det_cls_loss loss = mined(1, 1);
    double out;
    det_rpn_cls_loss(dev, &loss, 6, logits, labels, &out, NULL, NULL);
    cr_expect(isnan(out), "got %g", out);
    cr_expect_gt(det_ohem_key(-NAN), det_ohem_key(INFINITY));
    cr_expect_gt(det_ohem_key(NAN), det_ohem_key(INFINITY));
    cr_expect_eq(det_ohem_key(-0.0f), det_ohem_key(0.0f));
}

Test(ohem, scratch_is_asked_for_only_where_needed)
{
    struct det_cls_loss loss = mined(3, 1);
    cr_expect_eq(det_cls_loss_scratch(&loss, 1000), 4000);
    loss.kind = DET_CLS_FOCAL;
    cr_expect_eq(det_cls_loss_scratch(&loss, 1000), 0);
}
