/* Box head output to detections: against a plain statement of it, and its edges. */
#include "detector/inference/detect.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/bodies/probability.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, MOST_IMAGES = 3, ROIS = 90, MOST = 25 };

static const struct det_detect base = {
    .n_classes = CLASSES,
    .score_threshold = 0.05f,
    .nms_iou = 0.5f,
    .min_size = 1e-2f,
    .max_per_image = MOST,
    .coder_weights = {10, 10, 5, 5},
    .delta_clip = DET_DELTA_CLIP,
};

struct batch {
    int n;
    float heights[MOST_IMAGES], widths[MOST_IMAGES];
    int32_t count;
    float rois[ROIS][4];
    int32_t image[ROIS];
    float logits[ROIS][CLASSES];
    float deltas[ROIS][CLASSES][4];
};

struct result {
    float boxes[MOST_IMAGES][MOST][4];
    float scores[MOST_IMAGES][MOST];
    int32_t labels[MOST_IMAGES][MOST];
    int32_t count[MOST_IMAGES];
    int32_t not_finite;
};

/* rois[i] RoIs of image i; logits of few values, so that scores tie. */
static void make_batch(int n, const int *rois, struct batch *b)
{
    struct draws d = {.seed = 51};
    memset(b, 0, sizeof *b);
    b->n = n;
    for (int i = 0; i < n; i++) {
        b->heights[i] = 100.0f - 8.0f * (float)i;
        b->widths[i] = 90.0f + 5.0f * (float)i;
        draw_boxes(&d, rois[i], 100.0f, 1, b->rois[b->count]);
        for (int k = 0; k < rois[i]; k++)
            b->image[b->count++] = i;
    }
    for (int r = 0; r < b->count; r++)
        for (int c = 0; c < CLASSES; c++) {
            b->logits[r][c] = (float)draw_int(&d, 6);
            for (int k = 0; k < 4; k++)
                b->deltas[r][c][k] = draw(&d, -1.0f, 1.0f);
        }
}

static struct result *run(const struct det_detect *detect, const struct batch *b, int threads)
{
    struct result *r = calloc(1, sizeof *r);
    cr_assert_not_null(r);
    r->not_finite = 77; /* overwritten, not added to */
    struct det_images images = {.n = b->n, .heights = b->heights, .widths = b->widths};
    struct det_rois rois = {.max_rois = ROIS,
                            .count = (int32_t *)(uintptr_t)&b->count,
                            .boxes = (float *)(uintptr_t)b->rois[0],
                            .image = (int32_t *)(uintptr_t)b->image};
    struct det_detections out = {MOST,         r->boxes[0][0], r->scores[0],
                                 r->labels[0], r->count,       &r->not_finite};
    struct det_device *dev = open_cpu(threads, det_detect_scratch(detect, ROIS));
    det_detect(dev, detect, &images, &rois, b->logits[0], b->deltas[0][0], &out);
    dev->ops->close(dev);
    return r;
}

/* One image by the definition: of all live candidates the best, which drops its class mates. */
static int plain_detect(const struct det_detect *p, const struct batch *b, int image,
                        struct result *want)
{
    static float scores[ROIS][CLASSES];
    static float boxes[ROIS][CLASSES][4];
    static char alive[ROIS][CLASSES];
    for (int r = 0; r < b->count; r++) {
        det_softmax(CLASSES, b->logits[r], scores[r]);
        for (int c = 0; c < CLASSES; c++) {
            float *box = boxes[r][c];
            det_box_decode(b->rois[r], b->deltas[r][c], p->coder_weights, p->delta_clip, box);
            det_box_clip(box, b->heights[image], b->widths[image]);
            alive[r][c] =
                (char)(b->image[r] == image && c > 0 && scores[r][c] > p->score_threshold &&
                       det_box_large_enough(box, p->min_size));
        }
    }
    int count = 0;
    for (; count < p->max_per_image; count++) {
        int r = -1;
        int c = 0;
        for (int i = 0; i < b->count; i++)
            for (int k = 1; k < CLASSES; k++)
                if (alive[i][k] && (r < 0 || scores[i][k] > scores[r][c])) {
                    r = i;
                    c = k;
                }
        if (r < 0)
            break;
        memcpy(want->boxes[image][count], boxes[r][c], sizeof boxes[r][c]);
        want->scores[image][count] = scores[r][c];
        want->labels[image][count] = c;
        alive[r][c] = 0;
        for (int i = 0; i < b->count; i++)
            if (det_box_iou(boxes[r][c], boxes[i][c]) > p->nms_iou)
                alive[i][c] = 0;
    }
    return want->count[image] = count;
}

static void expect_plain(const char *what, const struct det_detect *p, const struct batch *b)
{
    struct result *got = run(p, b, 1);
    struct result *want = calloc(1, sizeof *want);
    cr_assert_not_null(want);
    for (int i = 0; i < b->n; i++) {
        plain_detect(p, b, i, want);
        cr_expect_eq(got->count[i], want->count[i], "%s: image %d: %d detections, want %d", what, i,
                     got->count[i], want->count[i]);
    }
    cr_expect_eq(memcmp(got, want, sizeof *got), 0, "%s: detections differ", what);
    free(got);
    free(want);
}

Test(detect, agrees_with_the_definition)
{
    static struct batch b;
    struct det_detect p = base;
    make_batch(3, (int[]){40, 0, 50}, &b);
    expect_plain("base", &p, &b);
    p.score_threshold = 0.0f;
    expect_plain("every score", &p, &b);
    p.score_threshold = 0.6f;
    expect_plain("high scores", &p, &b);
    p = base;
    p.max_per_image = 1;
    expect_plain("one", &p, &b);
    p = base;
    p.min_size = 30.0f;
    expect_plain("large ones", &p, &b);
    make_batch(2, (int[]){0, 0}, &b);
    expect_plain("no RoIs", &base, &b);
}

Test(detect, classes_do_not_suppress_each_other_and_background_is_none)
{
    static struct batch b;
    make_batch(1, (int[]){2}, &b);
    memset(b.deltas, 0, sizeof b.deltas);
    memcpy(b.rois[1], b.rois[0], sizeof b.rois[0]);
    memcpy(b.logits[0], (float[]){9, 5, 8, 0}, sizeof b.logits[0]); /* background is the best */
    memcpy(b.logits[1], (float[]){0, 5, 4, -90}, sizeof b.logits[1]);
    struct det_detect p = base;
    p.score_threshold = 0.01f;
    struct result *r = run(&p, &b, 1);
    cr_assert_eq(r->count[0], 2, "%d detections", r->count[0]);
    cr_expect(r->labels[0][0] == 1 && r->labels[0][1] == 2, "labels %d %d", r->labels[0][0],
              r->labels[0][1]);
    free(r);
}

/* Two equal logits: both scores are exactly 0.5, and the threshold must be passed, not met. */
Test(detect, threshold_is_strict)
{
    static struct batch b;
    make_batch(1, (int[]){1}, &b);
    memcpy(b.logits[0], (float[]){3, 3, -200, -200}, sizeof b.logits[0]);
    struct det_detect p = base;
    p.score_threshold = 0.5f;
    struct result *r = run(&p, &b, 1);
    cr_expect_eq(r->count[0], 0);
    free(r);
    p.score_threshold = 0.4999f;
    r = run(&p, &b, 1);
    cr_expect_eq(r->count[0], 1);
    cr_expect_eq(r->scores[0][0], 0.5f);
    free(r);
}

Test(detect, not_finite_is_dropped_and_counted)
{
    static struct batch b;
    make_batch(2, (int[]){30, 30}, &b);
    struct result *clean = run(&base, &b, 1);
    cr_expect_eq(clean->not_finite, 0);
    b.logits[7][0] = NAN; /* takes its row's three classes */
    b.logits[8][2] = NAN;
    struct result *r = run(&base, &b, 2);
    cr_expect_eq(r->not_finite, 6, "logits: %d", r->not_finite);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < r->count[i]; k++)
            cr_expect(r->scores[i][k] > 0.05f && r->scores[i][k] <= 1.0f, "image %d rank %d: %g", i,
                      k, (double)r->scores[i][k]);
    cr_expect_eq(memcmp(r->boxes[1], clean->boxes[1], sizeof r->boxes[1]), 0, "the other image");
    free(r);
    make_batch(2, (int[]){30, 30}, &b);
    memcpy(b.logits[31], (float[]){0, 9, 0, 0}, sizeof b.logits[31]);
    b.deltas[31][1][3] = NAN;
    r = run(&base, &b, 1);
    cr_expect_eq(r->not_finite, 1, "deltas: %d", r->not_finite);
    free(r);
    for (int i = 0; i < 30; i++)
        for (int c = 0; c < CLASSES; c++)
            b.logits[i][c] = NAN;
    r = run(&base, &b, 1);
    cr_expect_eq(r->count[0], 0);
    cr_expect_eq(r->not_finite, 1 + 30 * 3, "a whole image: %d", r->not_finite);
    free(r);
    free(clean);
}

Test(detect, extreme_deltas_stay_in_the_image)
{
    static struct batch b;
    make_batch(1, (int[]){40}, &b);
    for (int r = 0; r < 40; r++)
        for (int c = 0; c < CLASSES; c++)
            for (int k = 0; k < 4; k++)
                b.deltas[r][c][k] = (r + k) % 2 ? 1000.0f : -1000.0f;
    struct result *r = run(&base, &b, 1);
    cr_expect_eq(r->not_finite, 0);
    for (int k = 0; k < r->count[0]; k++) {
        const float *box = r->boxes[0][k];
        cr_expect(box[0] >= 0 && box[1] >= 0 && box[2] <= b.widths[0] && box[3] <= b.heights[0]);
    }
    free(r);
}

Test(detect, an_image_does_not_depend_on_its_batch_mates_or_threads)
{
    static struct batch b;
    make_batch(3, (int[]){20, 30, 40}, &b);
    struct result *one = run(&base, &b, 1);
    struct result *two = run(&base, &b, 2);
    cr_expect_eq(memcmp(one, two, sizeof *one), 0, "two threads");
    static struct batch last;
    last.n = 1;
    last.count = 40;
    last.heights[0] = b.heights[2];
    last.widths[0] = b.widths[2];
    memcpy(last.rois, b.rois[50], 40 * sizeof b.rois[0]);
    memcpy(last.logits, b.logits[50], 40 * sizeof b.logits[0]);
    memcpy(last.deltas, b.deltas[50], 40 * sizeof b.deltas[0]);
    struct result *alone = run(&base, &last, 1);
    cr_expect_eq(alone->count[0], one->count[2]);
    cr_expect_eq(memcmp(alone->boxes[0], one->boxes[2], sizeof alone->boxes[0]), 0, "boxes");
    cr_expect_eq(memcmp(alone->scores[0], one->scores[2], sizeof alone->scores[0]), 0, "scores");
    free(one);
    free(two);
    free(alone);
}
