/* Anchors: shapes, rounding, order, and coverage of objects. */
#include "detector/boxes/anchors.h"
#include "detector/bodies/iou.h"
#include "suites/random_boxes.h"

#include <stdlib.h>

static void expect_box(const char *what, const float *got, const float *want)
{
    for (int c = 0; c < 4; c++)
        cr_expect_eq(got[c], want[c], "%s coordinate %d: got %g want %g", what, c, (double)got[c],
                     (double)want[c]);
}

/* size 8: ratio 0.5 is 11.31 x 5.66 wide, halves 5.66 and 2.83, rounded 6 and 3.
 * size 5: halves 2.5, rounded to even: 2; size 7: 3.5 to 4. */
Test(anchors, cells_by_hand)
{
    static const float ratios[] = {0.5f, 1.0f, 2.0f};
    float cells[3][4];
    det_cell_anchors(8.0f, 3, ratios, cells[0]);
    expect_box("wide", cells[0], (float[]){-6, -3, 6, 3});
    expect_box("square", cells[1], (float[]){-4, -4, 4, 4});
    expect_box("tall", cells[2], (float[]){-3, -6, 3, 6});
    det_cell_anchors(5.0f, 1, ratios + 1, cells[0]);
    expect_box("half to even, down", cells[0], (float[]){-2, -2, 2, 2});
    det_cell_anchors(7.0f, 1, ratios + 1, cells[0]);
    expect_box("half to even, up", cells[0], (float[]){-4, -4, 4, 4});
}

/* Rounding moves each half by at most 0.5 px: at size 512 area and ratio stay within 2 %. */
Test(anchors, area_is_constant_and_ratio_is_height_over_width)
{
    static const float ratios[] = {0.25f, 0.5f, 1.0f, 2.0f, 4.0f};
    float cells[5][4];
    det_cell_anchors(512.0f, 5, ratios, cells[0]);
    for (int i = 0; i < 5; i++) {
        float w = cells[i][2] - cells[i][0];
        float h = cells[i][3] - cells[i][1];
        cr_expect_lt(fabsf(w * h / (512.0f * 512.0f) - 1.0f), 0.02f, "ratio %g: area %g",
                     (double)ratios[i], (double)(w * h));
        cr_expect_lt(fabsf(h / w / ratios[i] - 1.0f), 0.02f, "ratio %g: got %g", (double)ratios[i],
                     (double)(h / w));
    }
}

Test(anchors, order_is_level_row_column_ratio)
{
    static const struct det_anchor_level levels[] = {{2, 3, 4, 5, 8.0f}, {1, 1, 8, 15, 16.0f}};
    static const float ratios[] = {1.0f, 2.0f};
    float anchors[14][4];
    cr_assert_eq(det_anchor_count(2, levels, 2), 14);
    det_anchors(2, levels, 2, ratios, anchors[0]);
    for (int row = 0; row < 2; row++)
        for (int column = 0; column < 3; column++) {
            float x = (float)(5 * column);
            float y = (float)(4 * row);
            const float *at = anchors[(row * 3 + column) * 2];
            expect_box("ratio 1", at, (float[]){x - 4, y - 4, x + 4, y + 4});
            expect_box("ratio 2", at + 4, (float[]){x - 3, y - 6, x + 3, y + 6});
        }
    expect_box("level 1", anchors[12], (float[]){-8, -8, 8, 8});
}

/* 96 px: 24, 12, 6, 3 cells, then max-pooled to 2: 96 / 2 = 48, not 64. */
Test(anchors, stride_is_image_over_feature)
{
    cr_expect_eq(det_anchor_stride(96, 24), 4);
    cr_expect_eq(det_anchor_stride(96, 2), 48);
    cr_expect_eq(det_anchor_stride(100, 3), 33);
}

Test(anchors, level_without_cells)
{
    static const struct det_anchor_level levels[] = {{0, 4, 8, 8, 8.0f}, {1, 1, 8, 8, 4.0f}};
    static const float ratio = 1.0f;
    float anchor[4];
    cr_assert_eq(det_anchor_count(2, levels, 1), 1);
    det_anchors(2, levels, 1, &ratio, anchor);
    expect_box("only anchor", anchor, (float[]){-2, -2, 2, 2});
}

Test(anchors, coverage)
{
    enum { ANCHORS = 700, BOXES = 20 };
    struct draws d = {.seed = 3};
    float *anchors = calloc(ANCHORS, 4 * sizeof *anchors);
    float boxes[BOXES][4];
    float best[BOXES];
    cr_assert_not_null(anchors);
    draw_boxes(&d, ANCHORS, 200.0f, 1, anchors);
    draw_boxes(&d, BOXES - 2, 200.0f, 1, boxes[0]);
    for (int c = 0; c < 4; c++) {
        boxes[BOXES - 2][c] = anchors[4 * 699 + c];     /* the last anchor itself */
        boxes[BOXES - 1][c] = 1000.0f + (float)(c / 2); /* far away */
    }
    det_anchor_coverage(ANCHORS, anchors, BOXES, boxes[0], best);
    for (int b = 0; b < BOXES; b++) {
        float want = 0.0f;
        for (int a = 0; a < ANCHORS; a++)
            want = fmaxf(want, det_box_iou(anchors + 4 * a, boxes[b]));
        cr_expect_eq(best[b], want, "box %d: got %g want %g", b, (double)best[b], (double)want);
    }
    cr_expect_eq(best[BOXES - 2], 1.0f);
    cr_expect_eq(best[BOXES - 1], 0.0f);
    det_anchor_coverage(0, anchors, 1, boxes[0], best);
    cr_expect_eq(best[0], 0.0f, "no anchors");
    free(anchors);
}
