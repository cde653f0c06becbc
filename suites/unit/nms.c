/* NMS against a naive one, on boxes and scores with many ties. */
#include "detector/boxes/nms.h"
#include "detector/bodies/iou.h"
#include "suites/random_boxes.h"

#include <stdlib.h>

enum { MOST = 400 };

struct problem {
    int n;
    float boxes[MOST][4];
    float scores[MOST];
    int32_t classes[MOST];
};

static void draw_problem(struct draws *d, int n, int n_classes, int tied, struct problem *p)
{
    p->n = n;
    draw_boxes(d, n, 60.0f, tied, p->boxes[0]);
    for (int i = 0; i < n; i++) {
        p->scores[i] = tied ? (float)draw_int(d, 5) : draw(d, -1.0f, 1.0f);
        p->classes[i] = draw_int(d, n_classes);
    }
}

/* The definition: take the best box left (ties: the lowest index), drop what it suppresses. */
static int naive_nms(const struct problem *p, int use_classes, float threshold, int32_t *keep)
{
    char gone[MOST] = {0};
    int kept = 0;
    for (;;) {
        int best = -1;
        for (int i = 0; i < p->n; i++)
            if (!gone[i] && (best < 0 || p->scores[i] > p->scores[best]))
                best = i;
        if (best < 0)
            return kept;
        keep[kept++] = best;
        gone[best] = 1;
        for (int i = 0; i < p->n; i++)
            if (det_box_iou(p->boxes[best], p->boxes[i]) > threshold &&
                (!use_classes || p->classes[best] == p->classes[i]))
                gone[i] = 1;
    }
}

static int run(const struct problem *p, int use_classes, float threshold, int32_t *keep)
{
    void *scratch = aligned_alloc(64, det_nms_scratch(p->n) + 64);
    cr_assert_not_null(scratch);
    int kept = det_nms(p->n, p->boxes[0], p->scores, use_classes ? p->classes : NULL, threshold,
                       keep, scratch);
    free(scratch);
    return kept;
}

static void expect_same(const char *what, int n_got, const int32_t *got, int n_want,
                        const int32_t *want)
{
    cr_expect_eq(n_got, n_want, "%s: kept %d want %d", what, n_got, n_want);
    for (int i = 0; i < n_got && i < n_want; i++)
        cr_expect_eq(got[i], want[i], "%s: rank %d: got %d want %d", what, i, got[i], want[i]);
}

Test(nms, agrees_with_the_definition)
{
    static const float thresholds[] = {0.0f, 0.3f, 0.5f, 0.7f, 1.0f};
    static struct problem p;
    static int32_t got[MOST];
    static int32_t want[MOST];
    struct draws d = {.seed = 21};
    for (int round = 0; round < 100; round++) {
        float threshold = thresholds[round % 5];
        draw_problem(&d, 1 + draw_int(&d, MOST), 4, round % 2, &p);
        for (int use_classes = 0; use_classes < 2; use_classes++) {
            int n_want = naive_nms(&p, use_classes, threshold, want);
            int n_got = run(&p, use_classes, threshold, got);
            expect_same(use_classes ? "by class" : "one class", n_got, got, n_want, want);
        }
    }
}

Test(nms, classes_do_not_suppress_each_other)
{
    struct problem p = {.n = 3,
                        .boxes = {{10, 10, 50, 50}, {10, 10, 50, 50}, {10, 10, 50, 51}},
                        .scores = {0.9f, 0.8f, 0.7f},
                        .classes = {1, 2, 1}};
    int32_t keep[3];
    int kept = run(&p, 1, 0.5f, keep);
    expect_same("same box, two classes", kept, keep, 2, (int32_t[]){0, 1});
    kept = run(&p, 0, 0.5f, keep);
    expect_same("classes not told", kept, keep, 1, (int32_t[]){0});
}

/* IoU exactly at the threshold stays: only above it suppresses. 50 of 100 pixels. */
Test(nms, threshold_itself_does_not_suppress)
{
    struct problem p = {.n = 2, .boxes = {{0, 0, 10, 10}, {0, 0, 10, 5}}, .scores = {1.0f, 0.5f}};
    int32_t keep[2];
    cr_expect_eq(run(&p, 0, 0.5f, keep), 2);
    cr_expect_eq(run(&p, 0, 0.4999f, keep), 1);
}

Test(nms, a_suppressed_box_suppresses_nothing)
{
    /* 1 falls to 0; 2 overlaps only 1 enough to fall */
    struct problem p = {.n = 3,
                        .boxes = {{0, 0, 10, 10}, {4, 0, 14, 10}, {8, 0, 18, 10}},
                        .scores = {0.9f, 0.8f, 0.7f}};
    int32_t keep[3];
    int kept = run(&p, 0, 0.4f, keep);
    expect_same("chain", kept, keep, 2, (int32_t[]){0, 2});
}

Test(nms, stopping_early_keeps_the_first)
{
    static struct problem p;
    static int32_t all[MOST];
    static int32_t some[MOST];
    struct draws d = {.seed = 4};
    draw_problem(&d, MOST, 1, 0, &p);
    void *scratch = aligned_alloc(64, det_suppress_scratch(MOST, MOST) + 64);
    cr_assert_not_null(scratch);
    int n_all = det_suppress(MOST, p.boxes[0], NULL, 0.5f, MOST, all, scratch);
    cr_assert_gt(n_all, 40);
    for (int most = 0; most <= n_all; most += 13) {
        int n_some = det_suppress(MOST, p.boxes[0], NULL, 0.5f, most, some, scratch);
        expect_same("at most", n_some, some, most, all);
    }
    free(scratch);
}

Test(nms, degenerate)
{
    struct problem p = {.n = 0};
    int32_t keep[3];
    cr_expect_eq(run(&p, 0, 0.5f, keep), 0, "no boxes");
    struct problem points = {.n = 3, .boxes = {{5, 5, 5, 5}, {5, 5, 5, 5}, {5, 5, 5, 9}}};
    cr_expect_eq(run(&points, 0, 0.5f, keep), 3, "boxes without area overlap nothing");
}
