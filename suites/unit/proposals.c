/* Proposals against a plain statement of the filter; what is not finite is dropped and counted. */
#include "detector/boxes/proposals.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/bodies/probability.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { ANCHORS = 330, MOST_IMAGES = 4, MOST = 40 };

static const struct det_proposal_filter base = {
    .n_anchors = ANCHORS,
    .n_levels = 3,
    .level_first = {0, 250, 320, 330},
    .pre_nms = 60,
    .post_nms = MOST,
    .nms_iou = 0.5f,
    .min_size = 1.0f,
    .coder_weights = {1, 1, 1, 1},
    .delta_clip = DET_DELTA_CLIP,
};

struct batch {
    int n;
    float anchors[ANCHORS][4];
    int64_t ids[MOST_IMAGES];
    float heights[MOST_IMAGES], widths[MOST_IMAGES];
    float logits[MOST_IMAGES][ANCHORS];
    float deltas[MOST_IMAGES][ANCHORS][4];
};

struct result {
    float boxes[MOST_IMAGES][MOST][4];
    float scores[MOST_IMAGES][MOST];
    int32_t count[MOST_IMAGES];
    int32_t not_finite;
};

/* Logits of few values, so that ties are everywhere. Images smaller than where the anchors are. */
static void make_batch(int n, struct batch *b)
{
    struct draws d = {.seed = 31};
    b->n = n;
    draw_boxes(&d, ANCHORS, 100.0f, 1, b->anchors[0]);
    for (int i = 0; i < n; i++) {
        b->heights[i] = 100.0f - 9.0f * (float)i;
        b->widths[i] = 64.0f + 7.0f * (float)i;
        for (int a = 0; a < ANCHORS; a++) {
            b->logits[i][a] = (float)draw_int(&d, 12) - 6.0f;
            for (int c = 0; c < 4; c++)
                b->deltas[i][a][c] = draw(&d, -0.3f, 0.3f);
        }
    }
}

static struct result *run(const struct det_proposal_filter *filter, const struct batch *b,
                          int threads)
{
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0, sizeof *r);
    r->not_finite = 77; /* overwritten, not added to */
    struct det_images images = {b->n, b->ids, b->heights, b->widths};
    struct det_proposals out = {r->boxes[0][0], r->scores[0], r->count, &r->not_finite, MOST};
    struct det_device *dev = open_cpu(threads, det_rpn_propose_scratch(filter));
    det_rpn_propose(dev, filter, b->anchors[0], &images, b->logits[0], b->deltas[0][0], &out);
    dev->ops->close(dev);
    return r;
}

struct candidate {
    float box[4], logit;
    int level, alive;
};

/* The best unused candidate of a level (-1: of all); ties to the lower index. */
static int best_of(const struct candidate *c, const char *used, int level)
{
    int best = -1;
    for (int a = 0; a < ANCHORS; a++)
        if (!used[a] && c[a].alive && (level < 0 || c[a].level == level) &&
            (best < 0 || c[a].logit > c[best].logit))
            best = a;
    return best;
}

/* One image by the definition; finite inputs only. */
static int plain_propose(const struct det_proposal_filter *f, const struct batch *b, int image,
                         float (*boxes)[4], float *scores)
{
    static struct candidate c[ANCHORS];
    char used[ANCHORS] = {0};
    memset(c, 0, sizeof c);
    for (int l = 0; l < f->n_levels; l++)
        for (int a = f->level_first[l]; a < f->level_first[l + 1]; a++)
            c[a] = (struct candidate){.logit = b->logits[image][a], .level = l, .alive = 1};
    for (int l = 0; l < f->n_levels; l++) { /* the top pre_nms of the level stay alive */
        for (int k = 0; k < f->pre_nms; k++) {
            int a = best_of(c, used, l);
            if (a >= 0)
                used[a] = 1;
        }
        for (int a = f->level_first[l]; a < f->level_first[l + 1]; a++)
            c[a].alive = used[a];
    }
    for (int a = 0; a < ANCHORS; a++) {
        det_box_decode(b->anchors[a], b->deltas[image][a], f->coder_weights, f->delta_clip,
                       c[a].box);
        det_box_clip(c[a].box, b->heights[image], b->widths[image]);
        c[a].alive = c[a].alive && c[a].box[2] - c[a].box[0] >= f->min_size &&
                     c[a].box[3] - c[a].box[1] >= f->min_size &&
                     det_sigmoid(c[a].logit) >= f->score_threshold;
    }
    memset(used, 0, sizeof used);
    int count = 0;
    for (int a; count < f->post_nms && (a = best_of(c, used, -1)) >= 0; count++) {
        used[a] = 1;
        memcpy(boxes[count], c[a].box, sizeof c[a].box);
        scores[count] = det_sigmoid(c[a].logit);
        for (int other = 0; other < ANCHORS; other++)
            if (!used[other] && c[other].level == c[a].level &&
                det_box_iou(c[a].box, c[other].box) > f->nms_iou)
                c[other].alive = 0;
    }
    return count;
}

static void expect_plain(const char *what, const struct det_proposal_filter *f)
{
    static struct batch b;
    make_batch(MOST_IMAGES, &b);
    struct result *got = run(f, &b, 1);
    for (int i = 0; i < b.n; i++) {
        float boxes[MOST][4];
        float scores[MOST];
        int want = plain_propose(f, &b, i, boxes, scores);
        cr_expect_eq(got->count[i], want, "%s: image %d: %d proposals, want %d", what, i,
                     got->count[i], want);
        for (int k = 0; k < want && k < got->count[i]; k++) {
            cr_expect_eq(memcmp(boxes[k], got->boxes[i][k], sizeof boxes[k]), 0,
                         "%s: image %d rank %d: box", what, i, k);
            cr_expect_eq(scores[k], got->scores[i][k], "%s: image %d rank %d: score", what, i, k);
        }
    }
    cr_expect_eq(got->not_finite, 0, "%s: %d not finite", what, got->not_finite);
    free(got);
}

Test(proposals, agree_with_the_definition)
{
    struct det_proposal_filter f = base;
    expect_plain("base", &f);
    f.pre_nms = 1000;
    expect_plain("pre_nms above the level's anchors", &f);
    f.pre_nms = 3;
    expect_plain("few before NMS", &f);
    f = base;
    f.post_nms = 1;
    expect_plain("one after NMS", &f);
    f = base;
    f.min_size = 14.0f;
    expect_plain("large boxes only", &f);
    f = base;
    f.score_threshold = 0.5f;
    expect_plain("score threshold", &f);
    f = base;
    f.nms_iou = 1.0f;
    expect_plain("no suppression", &f);
    f = base;
    f.min_size = 1000.0f;
    expect_plain("nothing is large enough", &f);
}

Test(proposals, an_image_does_not_depend_on_its_batch_mates_or_threads)
{
    static struct batch b;
    make_batch(MOST_IMAGES, &b);
    struct result *one = run(&base, &b, 1);
    struct result *three = run(&base, &b, 3);
    cr_expect_eq(memcmp(one, three, sizeof *one), 0, "three threads");
    free(three);
    for (int i = 0; i < b.n; i++) {
        static struct batch alone;
        alone = b;
        alone.n = 1;
        alone.heights[0] = b.heights[i];
        alone.widths[0] = b.widths[i];
        memcpy(alone.logits[0], b.logits[i], sizeof b.logits[i]);
        memcpy(alone.deltas[0], b.deltas[i], sizeof b.deltas[i]);
        struct result *r = run(&base, &alone, 1);
        cr_expect_eq(r->count[0], one->count[i], "image %d", i);
        cr_expect_eq(memcmp(r->boxes[0], one->boxes[i], sizeof r->boxes[0]), 0, "image %d", i);
        free(r);
    }
    free(one);
}

static void expect_sound(const char *what, const struct batch *b, const struct result *r)
{
    for (int i = 0; i < b->n; i++)
        for (int k = 0; k < r->count[i]; k++) {
            const float *box = r->boxes[i][k];
            cr_expect(box[0] >= 0.0f && box[1] >= 0.0f && box[2] <= b->widths[i] &&
                          box[3] <= b->heights[i] && box[2] > box[0] && box[3] > box[1],
                      "%s: image %d rank %d: box", what, i, k);
            cr_expect(r->scores[i][k] >= 0.0f && r->scores[i][k] <= 1.0f, "%s: score", what);
            cr_expect(k == 0 || r->scores[i][k] <= r->scores[i][k - 1], "%s: order", what);
        }
}

Test(proposals, not_finite_is_dropped_and_counted)
{
    static struct batch b;
    make_batch(2, &b);
    b.logits[0][3] = NAN;
    b.logits[0][251] = INFINITY;
    b.logits[1][0] = -INFINITY;
    b.logits[1][329] = -NAN;
    struct result *r = run(&base, &b, 2);
    cr_expect_eq(r->not_finite, 4, "logits: %d", r->not_finite);
    expect_sound("logits", &b, r);
    free(r);
    make_batch(2, &b);
    b.logits[0][5] = b.logits[0][6] = 50.0f; /* chosen for sure */
    b.deltas[0][5][2] = INFINITY;
    b.deltas[0][6][1] = NAN;
    r = run(&base, &b, 1);
    cr_expect_eq(r->not_finite, 2, "deltas: %d", r->not_finite);
    cr_expect_lt(r->scores[0][0], 1.0f, "a dropped box must not lead");
    expect_sound("deltas", &b, r);
    free(r);
    for (int a = 0; a < ANCHORS; a++)
        b.logits[1][a] = NAN;
    r = run(&base, &b, 1);
    cr_expect_eq(r->count[1], 0);
    cr_expect_eq(r->not_finite, 2 + ANCHORS, "a whole image: %d", r->not_finite);
    cr_expect_gt(r->count[0], 0, "the other image stays");
    free(r);
}

Test(proposals, extreme_deltas_stay_in_the_image)
{
    static struct batch b;
    make_batch(2, &b);
    for (int a = 0; a < ANCHORS; a++)
        for (int c = 0; c < 4; c++)
            b.deltas[1][a][c] = (a + c) % 2 ? 100.0f : -100.0f;
    struct result *r = run(&base, &b, 1);
    cr_expect_eq(r->not_finite, 0);
    expect_sound("deltas of 100", &b, r);
    free(r);
}

/* Logits of 0: every score is exactly 0.5, which a threshold of 0.5 keeps. */
Test(proposals, score_threshold_keeps_its_own_value)
{
    static struct batch b;
    struct det_proposal_filter f = base;
    make_batch(1, &b);
    memset(b.logits, 0, sizeof b.logits);
    f.score_threshold = 0.5f;
    struct result *r = run(&f, &b, 1);
    cr_expect_eq(r->count[0], MOST, "%d", r->count[0]);
    free(r);
    f.score_threshold = 0.50001f;
    r = run(&f, &b, 1);
    cr_expect_eq(r->count[0], 0, "%d", r->count[0]);
    free(r);
}

/* Where the sigmoid is 1 in float, the larger logit still goes first. */
Test(proposals, saturated_scores_keep_the_order_of_their_logits)
{
    static struct batch b;
    make_batch(1, &b);
    memset(b.deltas, 0, sizeof b.deltas);
    b.logits[0][10] = 40.0f;
    b.logits[0][325] = 60.0f;
    for (int c = 0; c < 4; c++)
        b.anchors[325][c] = c < 2 ? 8.0f : 24.0f;
    struct result *r = run(&base, &b, 1);
    cr_assert_gt(r->count[0], 1);
    cr_expect_eq(r->scores[0][0], 1.0f);
    cr_expect_eq(r->boxes[0][0][0], 8.0f, "got the box at x1 = %g", (double)r->boxes[0][0][0]);
    free(r);
}
