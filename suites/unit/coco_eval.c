/* COCO evaluation on scenes small enough to work out by hand. */
#include "detector/evaluation/coco_eval.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const int64_t one_category[] = {1}, two_categories[] = {4, 9};
static const int64_t one_image[] = {1}, two_images[] = {10, 30};

static struct det_coco_eval *boxes_of(const int64_t *categories, size_t k, const int64_t *images,
                                      size_t n)
{
    struct det_coco_eval *eval = NULL;
    cr_assert_eq(det_coco_eval_create(DET_IOU_BBOX, categories, k, images, n, &eval, NULL), DET_OK);
    return eval;
}

static struct det_coco_row row_at(int64_t image, int64_t category, double x, double side)
{
    return (struct det_coco_row){
        .image_id = image, .category_id = category, .box = {x, 0, side, side}, .area = NAN};
}

static void add_truth(struct det_coco_eval *eval, struct det_coco_row row)
{
    struct det_error err = {0};
    cr_assert_eq(det_coco_eval_add_truth(eval, &row, &err), DET_OK, "%s", err.message);
}

static void add_detection(struct det_coco_eval *eval, struct det_coco_row row, double score)
{
    struct det_error err = {0};
    row.score = score;
    cr_assert_eq(det_coco_eval_add_detection(eval, &row, &err), DET_OK, "%s", err.message);
}

static struct det_coco_result *result_of(struct det_coco_eval *eval)
{
    struct det_coco_result *result = NULL;
    struct det_error err = {0};
    cr_assert_eq(det_coco_eval_run(eval, NULL, &result, &err), DET_OK, "%s", err.message);
    return result;
}

/* Runs, checks one of the 12 numbers, frees both. */
static void expect_stat(struct det_coco_eval *eval, enum det_coco_stat stat, double want,
                        const char *name)
{
    struct det_coco_result *result = result_of(eval);
    double got = result->stats[stat];
    cr_expect(fabs(got - want) <= 1e-12, "%s: stat %d: got %.17g, want %.17g", name, (int)stat, got,
              want);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);
}

Test(coco_eval, empty_detector_scores_zero)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    struct det_coco_result *result = result_of(eval);
    for (int i = 0; i < DET_COCO_STATS; i++) {
        /* The object is small (400 pixels): nothing is known of medium and large ones. */
        int elsewhere = i == DET_COCO_AP_MEDIUM || i == DET_COCO_AP_LARGE ||
                        i == DET_COCO_AR_MEDIUM || i == DET_COCO_AR_LARGE;
        cr_expect_eq(result->stats[i], elsewhere ? -1 : 0, "stat %d: got %g", i, result->stats[i]);
    }
    cr_expect_eq(result->category_ap[0], 0);
    cr_expect_eq(det_coco_found(result, -1, 0), 0);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);
}

Test(coco_eval, undefined_without_ground_truth)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_detection(eval, row_at(1, 1, 0, 20), 0.9);
    struct det_coco_result *result = result_of(eval);
    for (int i = 0; i < DET_COCO_STATS; i++)
        cr_expect_eq(result->stats[i], -1, "stat %d: got %g", i, result->stats[i]);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);

    eval = boxes_of(NULL, 0, NULL, 0); /* nothing at all */
    expect_stat(eval, DET_COCO_AP, -1, "no categories, no images");
}

/* Two objects; the better detection hits nothing, the worse one hits the first object: precision
 * is 1/2 up to recall 1/2 (51 of the 101 thresholds), then 0, at every IoU threshold. */
Test(coco_eval, one_miss_one_hit)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    add_truth(eval, row_at(1, 1, 100, 20));
    add_detection(eval, row_at(1, 1, 50, 20), 0.9);
    add_detection(eval, row_at(1, 1, 0, 20), 0.8);
    expect_stat(eval, DET_COCO_AP, 51 * 0.5 / 101, "one miss, one hit");
}

/* A box of 20 x 20 moved by 2.5: IoU = 17.5 / 22.5 = 0.777..., found at 6 of the 10 thresholds. */
Test(coco_eval, iou_decides)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    add_detection(eval, row_at(1, 1, 2.5, 20), 0.5);
    expect_stat(eval, DET_COCO_AP, 0.6, "moved by an eighth");
}

/* A second detection of the same object is a mistake, and costs nothing as the first had already
 * reached recall 1; with the worse one first it still is the one that is matched. */
Test(coco_eval, twins)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    add_detection(eval, row_at(1, 1, 0, 20), 0.9);
    add_detection(eval, row_at(1, 1, 0, 20), 0.8);
    expect_stat(eval, DET_COCO_AP, 1, "twin detections");
}

/* The crowd swallows any number of detections inside it; without it they are mistakes. */
Test(coco_eval, crowd_is_ignored)
{
    for (int crowd = 0; crowd < 2; crowd++) {
        struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
        add_truth(eval, row_at(1, 1, 0, 20));
        struct det_coco_row many = row_at(1, 1, 100, 50);
        many.crowd = 1;
        if (crowd)
            add_truth(eval, many);
        for (int i = 0; i < 3; i++)
            add_detection(eval, row_at(1, 1, 105 + 10 * i, 10), 0.9);
        add_detection(eval, row_at(1, 1, 0, 20), 0.5);
        expect_stat(eval, DET_COCO_AP, crowd ? 1 : 0.25, crowd ? "crowd" : "no crowd");
    }
}

/* An object takes a detection although a crowd fits better. */
Test(coco_eval, object_before_crowd)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    struct det_coco_row crowd = row_at(1, 1, 0, 20);
    crowd.crowd = 1;
    add_truth(eval, crowd);
    add_truth(eval, row_at(1, 1, 5, 20)); /* IoU 15/25 = 0.6: at 0.50, 0.55, 0.60 */
    add_detection(eval, row_at(1, 1, 0, 20), 0.5);
    expect_stat(eval, DET_COCO_AP50, 1, "object before crowd");
}

/* Detections that tie are taken by image rank, then in the order of adding. */
Test(coco_eval, ties)
{
    for (int miss_first = 0; miss_first < 2; miss_first++) {
        struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
        add_truth(eval, row_at(1, 1, 0, 20));
        if (miss_first)
            add_detection(eval, row_at(1, 1, 60, 20), 0.5);
        add_detection(eval, row_at(1, 1, 0, 20), 0.5);
        if (!miss_first)
            add_detection(eval, row_at(1, 1, 60, 20), 0.5);
        expect_stat(eval, DET_COCO_AP, miss_first ? 0.5 : 1, "tie within an image");
    }
    struct det_coco_eval *eval = boxes_of(two_categories, 1, two_images, 2);
    add_truth(eval, row_at(10, 4, 0, 20));
    add_detection(eval, row_at(30, 4, 60, 20), 0.5); /* added first, but image 10 comes first */
    add_detection(eval, row_at(10, 4, 0, 20), 0.5);
    expect_stat(eval, DET_COCO_AP, 1, "tie between images");
}

Test(coco_eval, category_mix_up_lowers_ap)
{
    for (int swapped = 0; swapped < 2; swapped++) {
        struct det_coco_eval *eval = boxes_of(two_categories, 2, two_images, 2);
        add_truth(eval, row_at(10, 4, 0, 20));
        add_truth(eval, row_at(30, 9, 0, 20));
        add_detection(eval, row_at(10, swapped ? 9 : 4, 0, 20), 0.5);
        add_detection(eval, row_at(30, swapped ? 4 : 9, 0, 20), 0.5);
        expect_stat(eval, DET_COCO_AP, swapped ? 0 : 1, swapped ? "swapped" : "right");
    }
}

/* The caps: the object's detection is the 11th of its image. */
Test(coco_eval, caps)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    for (int i = 0; i < 10; i++)
        add_detection(eval, row_at(1, 1, 60 + i, 20), 0.9);
    add_detection(eval, row_at(1, 1, 0, 20), 0.5);
    struct det_coco_result *result = result_of(eval);
    cr_expect_eq(result->stats[DET_COCO_AR1], 0);
    cr_expect_eq(result->stats[DET_COCO_AR10], 0);
    cr_expect_eq(result->stats[DET_COCO_AR100], 1);
    det_coco_result_destroy(result);
    for (int i = 0; i < 90; i++) /* now it is the 101st, beyond the largest cap */
        add_detection(eval, row_at(1, 1, 60 + i, 20), 0.8);
    expect_stat(eval, DET_COCO_AR100, 0, "101st detection");
}

/* A detection of 100 x 100 that hits nothing counts against large objects only. */
Test(coco_eval, area_ranges)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    add_truth(eval, row_at(1, 1, 0, 20));
    add_truth(eval, row_at(1, 1, 500, 100));
    add_detection(eval, row_at(1, 1, 200, 100), 0.9);
    add_detection(eval, row_at(1, 1, 0, 20), 0.8);
    add_detection(eval, row_at(1, 1, 500, 100), 0.7);
    struct det_coco_result *result = result_of(eval);
    cr_expect_float_eq(result->stats[DET_COCO_AP_SMALL], 1, 1e-12);
    cr_expect_eq(result->stats[DET_COCO_AP_MEDIUM], -1);
    cr_expect_float_eq(result->stats[DET_COCO_AP_LARGE], 0.5, 1e-12);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);
}

/* Annotation id 0 means "no match" to pycocotools: its detection counts as a mistake. */
Test(coco_eval, uncounted_object)
{
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    struct det_coco_row row = row_at(1, 1, 0, 20);
    row.uncounted = 1;
    add_truth(eval, row);
    add_detection(eval, row_at(1, 1, 0, 20), 0.5);
    expect_stat(eval, DET_COCO_AP, 0, "annotation 0");
}

Test(coco_eval, found_at_scores)
{
    struct det_coco_eval *eval = boxes_of(two_categories, 2, two_images, 2);
    add_truth(eval, row_at(10, 4, 0, 20));
    add_truth(eval, row_at(30, 4, 0, 20));
    add_truth(eval, row_at(30, 9, 0, 20));
    add_detection(eval, row_at(10, 4, 0, 20), 0.3);
    add_detection(eval, row_at(30, 4, 0, 20), 0.7);
    add_detection(eval, row_at(30, 4, 70, 20), 0.9); /* hits nothing */
    struct det_coco_result *result = result_of(eval);
    cr_expect_eq(result->objects[0], 2);
    cr_expect_eq(result->objects[1], 1);
    cr_expect_eq(result->detections[0], 3);
    const struct {
        int k;
        double score;
        size_t want;
    } cases[] = {{-1, 0, 2}, {-1, 0.3, 2}, {-1, 0.5, 1}, {-1, 0.8, 0}, {0, 0.5, 1}, {1, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(det_coco_found(result, cases[i].k, cases[i].score), cases[i].want,
                     "category %d at score %g: got %zu, want %zu", cases[i].k, cases[i].score,
                     det_coco_found(result, cases[i].k, cases[i].score), cases[i].want);
    det_coco_result_destroy(result);

    det_coco_eval_clear_detections(eval);
    expect_stat(eval, DET_COCO_AP, 0, "detections cleared");
}

Test(coco_eval, bad_rows)
{
    struct det_error err = {0};
    struct det_coco_eval *eval = boxes_of(one_category, 1, one_image, 1);
    struct det_coco_row row = row_at(77, 1, 0, 20);
    cr_expect_eq(det_coco_eval_add_detection(eval, &row, &err), DET_INVALID);
    cr_expect(strstr(err.message, "77"), "%s", err.message);
    row = row_at(1, 1, NAN, 20);
    cr_expect_eq(det_coco_eval_add_detection(eval, &row, &err), DET_INVALID);
    row = row_at(1, 1, 0, 20);
    row.score = NAN;
    cr_expect_eq(det_coco_eval_add_detection(eval, &row, &err), DET_INVALID);
    row = row_at(1, 5, 0, 20); /* unknown category: left out */
    cr_expect_eq(det_coco_eval_add_detection(eval, &row, &err), DET_OK);
    struct det_coco_result *result = result_of(eval);
    cr_expect_eq(result->detections_left_out, 1);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);

    cr_assert_eq(det_coco_eval_create(DET_IOU_SEGM, one_category, 1, one_image, 1, &eval, NULL),
                 DET_OK);
    row = row_at(1, 1, 0, 20);
    cr_expect_eq(det_coco_eval_add_truth(eval, &row, &err), DET_INVALID);
    cr_expect(strstr(err.message, "mask"), "%s", err.message);
    det_coco_eval_destroy(eval);
}
