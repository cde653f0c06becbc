/* RPN targets of a batch: labels, encoded deltas, counts; images on their own and together. */
#include "detector/boxes/rpn_assign.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/boxes/anchors.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { ANCHORS = 8 * 8 * 3 + 4 * 4 * 3, MOST_IMAGES = 3, MOST_OBJECTS = 6 };

static float anchors[ANCHORS][4];

static const struct det_rpn_assign assign = {
    .n_anchors = ANCHORS,
    .matcher = {0.7f, 0.3f, 1},
    .sampler = {32, 0.5f, 5, DET_PURPOSE_RPN_POSITIVE, DET_PURPOSE_RPN_NEGATIVE},
    .coder_weights = {1, 1, 1, 1},
};

struct batch {
    int64_t ids[MOST_IMAGES];
    float boxes[MOST_IMAGES * MOST_OBJECTS][4];
    int32_t first[MOST_IMAGES + 1];
};

struct result {
    int8_t labels[MOST_IMAGES][ANCHORS];
    float targets[MOST_IMAGES][ANCHORS][4];
    int32_t n_positive[MOST_IMAGES], n_negative[MOST_IMAGES], n_candidates[MOST_IMAGES][2];
};

static void make_anchors(void)
{
    static const struct det_anchor_level levels[] = {{8, 8, 8, 8, 12.0f}, {4, 4, 16, 16, 24.0f}};
    static const float ratios[] = {0.5f, 1.0f, 2.0f};
    det_anchors(2, levels, 3, ratios, anchors[0]);
}

/* Image i has objects[i] boxes. */
static void make_batch(int n, const int *objects, struct batch *b)
{
    struct draws d = {.seed = 17};
    make_anchors();
    for (int i = 0; i < n; i++) {
        b->ids[i] = 100 + i;
        b->first[i + 1] = b->first[i] + objects[i];
        draw_boxes(&d, objects[i], 64.0f, 1, b->boxes[b->first[i]]);
    }
}

static struct result *run(int n, const struct batch *b, int threads, uint32_t step)
{
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r); /* what is not written shows */
    struct det_rpn_sampled out = {r->labels[0], r->targets[0][0], r->n_positive, r->n_negative,
                                  r->n_candidates[0]};
    struct det_images images = {.n = n, .ids = b->ids};
    struct det_truth truth = {.boxes = b->boxes[0], .first = b->first};
    struct det_device *dev = open_cpu(threads, det_rpn_assign_scratch(&assign, MOST_OBJECTS));
    det_rpn_assign(dev, &assign, anchors[0], &images, &truth, &step, &out);
    dev->ops->close(dev);
    return r;
}

Test(rpn_assign, labels_targets_and_counts_agree)
{
    static struct batch b;
    make_batch(3, (int[]){6, 0, 2}, &b);
    struct result *r = run(3, &b, 1, 4);
    for (int i = 0; i < 3; i++) {
        int positives = 0;
        int negatives = 0;
        for (int a = 0; a < ANCHORS; a++) {
            float best = 0.0f;
            int row = b.first[i];
            for (int g = b.first[i]; g < b.first[i + 1]; g++)
                if (det_box_iou(anchors[a], b.boxes[g]) > best) {
                    best = det_box_iou(anchors[a], b.boxes[g]);
                    row = g;
                }
            float want[4] = {0};
            if (r->labels[i][a] == 1) {
                cr_expect_gt(best, 0.0f, "image %d anchor %d: positive without overlap", i, a);
                det_box_encode(anchors[a], b.boxes[row], assign.coder_weights, want);
            }
            if (r->labels[i][a] == 0)
                cr_expect_lt(best, 0.3f, "image %d anchor %d: negative at %g", i, a, (double)best);
            cr_expect_eq(memcmp(want, r->targets[i][a], sizeof want), 0,
                         "image %d anchor %d (label %d): targets", i, a, r->labels[i][a]);
            positives += r->labels[i][a] == 1;
            negatives += r->labels[i][a] == 0;
        }
        cr_expect_eq(positives, r->n_positive[i], "image %d", i);
        cr_expect_eq(negatives, r->n_negative[i], "image %d", i);
        cr_expect_eq(positives + negatives, 32, "image %d: quota", i);
    }
    free(r);
}

Test(rpn_assign, every_object_has_a_positive_candidate)
{
    static struct batch b;
    /* a 3 px object, far below any threshold */
    make_batch(1, (int[]){0}, &b);
    b.first[1] = 1;
    memcpy(b.boxes[0], (float[]){30, 30, 33, 33}, sizeof b.boxes[0]);
    struct result *r = run(1, &b, 1, 0);
    cr_expect_geq(r->n_positive[0], 1);
    free(r);
}

Test(rpn_assign, image_without_objects_is_all_negative)
{
    static struct batch b;
    make_batch(2, (int[]){0, 0}, &b);
    struct result *r = run(2, &b, 1, 0);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(r->n_positive[i], 0);
        cr_expect_eq(r->n_negative[i], 32);
        cr_expect_eq(r->n_candidates[i][0], 0);
        cr_expect_eq(r->n_candidates[i][1], ANCHORS);
        for (int a = 0; a < ANCHORS; a++)
            for (int c = 0; c < 4; c++)
                cr_assert_eq(r->targets[i][a][c], 0.0f, "image %d anchor %d", i, a);
    }
    free(r);
}

/* A box without area (bad data that got this far) must not make every anchor a positive. */
Test(rpn_assign, object_without_area_claims_nothing)
{
    static struct batch b;
    make_batch(1, (int[]){0}, &b);
    b.first[1] = 1;
    memcpy(b.boxes[0], (float[]){30, 30, 30, 30}, sizeof b.boxes[0]);
    struct result *r = run(1, &b, 1, 0);
    cr_expect_eq(r->n_candidates[0][0], 0);
    cr_expect_eq(r->n_candidates[0][1], ANCHORS);
    free(r);
}

Test(rpn_assign, an_image_does_not_depend_on_its_batch_mates_or_threads)
{
    static struct batch b;
    make_batch(3, (int[]){6, 1, 4}, &b);
    struct result *one = run(3, &b, 1, 9);
    struct result *two = run(3, &b, 2, 9);
    cr_expect_eq(memcmp(one, two, sizeof *one), 0, "two threads");
    for (int i = 0; i < 3; i++) {
        static struct batch alone;
        alone.ids[0] = b.ids[i];
        alone.first[1] = b.first[i + 1] - b.first[i];
        memcpy(alone.boxes, b.boxes[b.first[i]], (size_t)alone.first[1] * sizeof b.boxes[0]);
        struct result *r = run(1, &alone, 1, 9);
        cr_expect_eq(memcmp(r->labels[0], one->labels[i], ANCHORS), 0, "image %d: labels", i);
        cr_expect_eq(memcmp(r->targets[0], one->targets[i], sizeof r->targets[0]), 0,
                     "image %d: targets", i);
        free(r);
    }
    free(one);
    free(two);
}
