/* The matcher against a plain statement of its rules, and the cases that have gone wrong elsewhere.
 */
#include "detector/boxes/matcher.h"
#include "detector/bodies/iou.h"
#include "suites/random_boxes.h"

#include <stdlib.h>

static const struct det_matcher rpn = {0.7f, 0.3f, 1};
static const struct det_matcher rpn_strict = {0.7f, 0.3f, 0};
static const struct det_matcher roi = {0.5f, 0.5f, 0};

static void match_matrix(const struct det_matcher *matcher, int rows, int n, const float *iou,
                         int32_t *matches)
{
    void *scratch = malloc(det_match_scratch(rows, n) + 1);
    cr_assert_not_null(scratch);
    det_match(matcher, rows, n, iou, matches, scratch);
    free(scratch);
}

static void match_boxes(const struct det_matcher *matcher, int rows, const float *truth, int n,
                        const float *boxes, int32_t *matches)
{
    void *scratch = malloc(det_match_scratch(rows, n) + 1);
    cr_assert_not_null(scratch);
    det_match_boxes(matcher, rows, truth, n, boxes, matches, scratch);
    free(scratch);
}

static void expect_matches(const char *what, int n, const int32_t *got, const int32_t *want)
{
    for (int i = 0; i < n; i++)
        cr_expect_eq(got[i], want[i], "%s: candidate %d: got %d want %d", what, i, got[i], want[i]);
}

Test(matcher, table)
{
    /* candidates: 0 sure, 1 in the ignore band, 2 background, 3 exactly high, 4 exactly low */
    static const float iou[2][5] = {{0.9f, 0.45f, 0.1f, 0.7f, 0.3f},
                                    {0.2f, 0.1f, 0.2f, 0.0f, 0.0f}};
    int32_t got[5];
    match_matrix(&rpn_strict, 2, 5, iou[0], got);
    expect_matches("strict", 5, got, (int32_t[]){0, -2, -1, 0, -2});
    match_matrix(&roi, 2, 5, iou[0], got);
    expect_matches("one threshold: nothing between", 5, got, (int32_t[]){0, -1, -1, 0, -1});
    /* row 1's best is 0.2, at candidates 0 and 2: both stay, with *their* best row, 0 and 1 */
    match_matrix(&rpn, 2, 5, iou[0], got);
    expect_matches("low quality", 5, got, (int32_t[]){0, -2, 1, 0, -2});
}

Test(matcher, an_object_whose_best_is_a_quarter_keeps_it)
{
    static const float iou[1][3] = {{0.1f, 0.25f, 0.2f}};
    int32_t got[3];
    match_matrix(&rpn, 1, 3, iou[0], got);
    expect_matches("low quality on", 3, got, (int32_t[]){-1, 0, -1});
    match_matrix(&rpn_strict, 1, 3, iou[0], got);
    expect_matches("low quality off", 3, got, (int32_t[]){-1, -1, -1});
}

Test(matcher, a_forced_candidate_goes_to_its_best_row)
{
    /* row 1's best candidate is 0, which overlaps row 0 more: forced by row 1, matched to row 0 */
    static const float iou[2][2] = {{0.5f, 0.6f}, {0.4f, 0.1f}};
    int32_t got[2];
    match_matrix(&rpn, 2, 2, iou[0], got);
    expect_matches("forced", 2, got, (int32_t[]){0, 0});
}

Test(matcher, ties)
{
    /* equal best candidates of a row all stay; equal best rows of a candidate: the lower one */
    static const float iou[2][4] = {{0.4f, 0.2f, 0.4f, 0.8f}, {0.0f, 0.0f, 0.1f, 0.8f}};
    int32_t got[4];
    match_matrix(&rpn, 2, 4, iou[0], got);
    expect_matches("rows tie", 4, got, (int32_t[]){-2, -1, -2, 0});
    static const float one[1][4] = {{0.4f, 0.2f, 0.4f, 0.1f}};
    match_matrix(&rpn, 1, 4, one[0], got);
    expect_matches("candidates tie", 4, got, (int32_t[]){0, -1, 0, -1});
    /* the same with boxes: an object between two anchors, one step to either side */
    static const float anchors[3][4] = {{0, 0, 16, 16}, {8, 0, 24, 16}, {40, 0, 56, 16}};
    static const float object[4] = {4, 0, 20, 16};
    match_boxes(&rpn, 1, object, 3, anchors[0], got);
    expect_matches("boxes tie", 3, got, (int32_t[]){0, 0, -1});
}

/* torchvision's Matcher, as its documentation states it. */
static void plain_match(const struct det_matcher *m, int rows, int n, const float *iou,
                        int32_t *matches)
{
    for (int i = 0; i < n; i++) {
        int best = 0;
        for (int r = 1; r < rows; r++)
            if (iou[r * n + i] > iou[best * n + i])
                best = r;
        int forced = 0;
        for (int r = 0; r < rows && m->allow_low_quality; r++) {
            float highest = 0.0f;
            for (int j = 0; j < n; j++)
                highest = fmaxf(highest, iou[r * n + j]);
            forced |= iou[r * n + i] == highest;
        }
        float v = iou[best * n + i];
        matches[i] = forced || v >= m->high ? best : v < m->low ? -1 : -2;
    }
}

Test(matcher, agrees_with_the_plain_statement)
{
    enum { MOST = 700, ROWS = 9 };
    static float boxes[MOST][4];
    static float iou[ROWS * MOST];
    static int32_t got[MOST];
    static int32_t want[MOST];
    struct draws d = {.seed = 8};
    for (int round = 0; round < 60; round++) {
        int n = 1 + draw_int(&d, MOST);
        int rows = 1 + draw_int(&d, ROWS);
        const struct det_matcher *m = round % 3 == 0 ? &rpn : round % 3 == 1 ? &rpn_strict : &roi;
        float truth[ROWS][4];
        draw_boxes(&d, n, 60.0f, round % 2, boxes[0]);
        draw_boxes(&d, rows, 60.0f, 1, truth[0]);
        int all_met = 1;
        for (int r = 0; r < rows; r++) {
            int met = 0;
            for (int i = 0; i < n; i++) {
                iou[r * n + i] = det_box_iou(truth[r], boxes[i]);
                met |= iou[r * n + i] > 0.0f;
            }
            all_met &= met;
        }
        plain_match(m, rows, n, iou, want);
        match_matrix(m, rows, n, iou, got);
        expect_matches("matrix", n, got, want);
        if (!all_met)
            continue; /* where boxes and matrix differ on purpose */
        match_boxes(m, rows, truth[0], n, boxes[0], got);
        expect_matches("boxes", n, got, want);
    }
}

Test(matcher, a_row_that_meets_nothing)
{
    static const float boxes[2][4] = {{0, 0, 8, 8}, {8, 0, 16, 8}};
    static const float truth[2][4] = {{100, 100, 110, 110}, {4, 4, 4, 4}};
    int32_t got[2];
    match_boxes(&rpn, 2, truth[0], 2, boxes[0], got);
    expect_matches("boxes: off the anchors, or without area", 2, got, (int32_t[]){-1, -1});
    static const float zeros[2] = {0};
    match_matrix(&rpn, 1, 2, zeros, got);
    expect_matches("matrix: as torchvision", 2, got, (int32_t[]){0, 0});
}

Test(matcher, nothing_to_match)
{
    static const float boxes[2][4] = {{0, 0, 8, 8}, {8, 0, 16, 8}};
    int32_t got[2] = {5, 5};
    match_boxes(&rpn, 0, NULL, 2, boxes[0], got);
    expect_matches("no objects", 2, got, (int32_t[]){-1, -1});
    match_matrix(&rpn, 0, 2, NULL, got);
    expect_matches("no rows", 2, got, (int32_t[]){-1, -1});
    match_boxes(&rpn, 1, boxes[0], 0, NULL, got);
    match_matrix(&rpn, 1, 0, boxes[0], got);
}
