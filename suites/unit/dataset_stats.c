/* Imbalance, measured: against what is known of the recipes and worked out by hand. */
#include "fixtures/imbalance.h"
#include "fixtures/recipe_dataset.h"
#include "suites/unit/dataset_helper.h"

#include <math.h>
#include <string.h>

static struct imbalance measure(const struct det_dataset *dataset, int64_t n)
{
    struct det_config config;
    struct imbalance measured;
    struct det_error err = {0};
    det_config_defaults(&config);
    cr_assert_eq(imbalance_measure(dataset, &config, n, &measured, &err), DET_OK, "%s",
                 err.message);
    return measured;
}

Test(dataset_stats, settled_scores)
{
    /* s = w p / (w p + 1 - p): 1/3 : (1 - 1/3), 3/4 : 3/4, 5/4 : 3/4. */
    cr_expect_float_eq(imbalance_settled_score(1, 1.0 / 3), 1.0 / 3, 1e-15);
    cr_expect_float_eq(imbalance_settled_score(3, 0.25), 0.5, 1e-15);
    cr_expect_float_eq(imbalance_settled_score(5, 0.25), 0.625, 1e-15);
    cr_expect_eq(imbalance_settled_score(3, 1), 1.0);
    cr_expect_eq(imbalance_settled_score(3, 0), 0.0);
    cr_expect_eq(imbalance_settled_score(0, 1), 0.0, "0 / 0 is no score");
}

Test(dataset_stats, posteriors_are_those_of_the_recipes)
{
    static const char *const recipes[] = {"lookalike", "twins", "per_class", "missing_labels",
                                          "balanced"};
    for (size_t r = 0; r < sizeof recipes / sizeof recipes[0]; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_TRAIN, 1, 5);
        struct imbalance measured = measure(dataset, 400);
        cr_expect_eq(measured.images, 400);
        for (int k = 1; k <= dataset->n_classes; k++) {
            double want = recipe_annotated_share(recipe_of_dataset(dataset), k);
            double got = imbalance_posterior(&measured, k);
            double bound = 4.5 * sqrt(want * (1 - want) / (double)measured.classes[k - 1].objects);
            cr_expect(fabs(got - want) <= bound, "%s class %d: p %g, want %g +- %g", recipes[r], k,
                      got, want, bound);
        }
        imbalance_release(&measured);
        dataset->close(dataset);
    }
}

/* Two classes that look alike share their objects: p of each is its share of all of them. */
Test(dataset_stats, classes_of_one_look_compete)
{
    struct yaml_file *file;
    struct recipe recipe;
    struct det_dataset *dataset;
    struct det_error err = {0};
    cr_assert_eq(yaml_file_parse("classes:\n"
                                 "  - {name: a, shape: circle, colour: [9, 9, 9]}\n"
                                 "  - {name: b, shape: circle, colour: [9, 9, 9]}\n"
                                 "  - {name: c, shape: circle, colour: [9, 9, 90]}\n",
                                 "t.yaml", &file, &err),
                 DET_OK, "%s", err.message);
    cr_assert_eq(recipe_read(file, &recipe, &err), DET_OK, "%s", err.message);
    yaml_file_close(file);
    cr_assert_eq(recipe_dataset_open(&recipe, FIXTURE_TRAIN, 1, 1, &dataset, &err), DET_OK);
    struct imbalance measured = measure(dataset, 300);
    cr_expect_float_eq(imbalance_posterior(&measured, 1) + imbalance_posterior(&measured, 2), 1.0,
                       1e-12);
    cr_expect(fabs(imbalance_posterior(&measured, 1) - 0.5) < 0.1, "p %g",
              imbalance_posterior(&measured, 1));
    cr_expect_eq(imbalance_posterior(&measured, 3), 1.0);
    imbalance_release(&measured);
    dataset->close(dataset);
}

/* One image of 64 x 64 whose objects a test sets; masks are not looked at. */
static struct det_annotations made_truth;

static enum det_code load_made(const struct det_dataset *self, int64_t index,
                               struct det_sample *sample, struct det_error *err)
{
    (void)self;
    (void)index;
    enum det_code code = det_sample_reserve(sample, made_truth.n, 1, err);
    if (code)
        return code;
    sample->truth.n = made_truth.n;
    for (int i = 0; i < made_truth.n; i++) {
        memcpy(sample->truth.boxes[i], made_truth.boxes[i], sizeof sample->truth.boxes[i]);
        sample->truth.labels[i] = 1;
        sample->truth.crowd[i] = i == 2;
        sample->truth.annotated[i] = i != 3;
    }
    return DET_OK;
}

Test(dataset_stats, anchors_are_matched_and_covered_as_by_hand)
{
    /* Strides 4 to 64 on 64 pixels: 16, 8, 4, 2, 1 cells a side, three ratios: 3 * 341 anchors.
     * The first box is an anchor: size 16 of stride 8, cell (2, 2), ratio 1: IoU 1. The second, of
     * 2 x 2 pixels on the centre of an anchor of 8 x 8 (cell (10, 10) of stride 4), has its best
     * IoU with that one or with a flat one, 12 x 6 or 6 x 12 (8 sqrt 2 / 2 = 5.66 -> 6, 8 / sqrt 2
     * / 2 = 2.83 -> 3): 4 / 64. Rows 2 and 3 are a crowd and not annotated: nothing is matched to
     * them. */
    static float boxes[4][4] = {{8, 8, 24, 24}, {39, 39, 41, 41}, {0, 0, 60, 60}, {48, 0, 64, 16}};
    const struct det_dataset dataset = {
        .name = "made",
        .size = 1,
        .n_classes = 1,
        .canvas_h = 64,
        .canvas_w = 64,
        .max_objects = 4,
        .load = load_made,
    };
    made_truth = (struct det_annotations){.n = 4, .boxes = boxes};
    struct imbalance m = measure(&dataset, 100);
    cr_expect_eq(m.images, 1);
    cr_expect_eq(m.n_anchors, 1023);
    cr_expect(m.objects == 3 && m.annotated == 2 && m.crowds == 1, "%d %d %d", (int)m.objects,
              (int)m.annotated, (int)m.crowds);
    cr_expect(m.ious[0] == 1 && m.ious[IMBALANCE_IOUS - 1] == 1);
    cr_expect(m.sizes[0] == 1 && m.sizes[2] == 1, "2 px: %d, 16 px: %d", (int)m.sizes[0],
              (int)m.sizes[2]);
    cr_expect_eq(m.below_threshold, 1);
    cr_assert_eq(m.n_worst, 2);
    cr_expect_float_eq(m.worst[0].iou, 4.0f / 64.0f, 1e-6f, "worst IoU %g", (double)m.worst[0].iou);
    cr_expect_eq(m.worst[1].iou, 1.0f);
    /* Positive: the anchor itself, and the forced one of the small box, which is the only one at
     * 4/64. All sampled; negatives fill the batch of 64. */
    cr_expect_eq(m.positives, 2, "%d positives", (int)m.positives);
    cr_expect_eq(m.positives + m.negatives + m.ignored, 1023);
    cr_expect(m.sampled_positives == 2 && m.sampled_negatives == 62);
    cr_expect_eq(m.without_positives, 0);
    cr_expect_eq(m.hidden_objects_known, 0);
    imbalance_release(&m);
}

Test(dataset_stats, images_without_objects_count_as_empty)
{
    struct det_dataset *dataset = open_recipe("sparse", FIXTURE_TRAIN, 1, 5);
    struct imbalance m = measure(dataset, 300);
    cr_expect(fabs((double)m.empty / 300 - 0.8) < 0.1, "%d of 300 empty", (int)m.empty);
    cr_expect_eq(m.without_positives, m.empty);
    cr_expect_eq(m.annotated, 300 - m.empty);
    imbalance_release(&m);
    dataset->close(dataset);
}
