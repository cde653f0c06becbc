/* IoU of two boxes, and of one with a block. */
#include "detector/bodies/iou.h"
#include "detector/boxes/box_block.h"
#include "suites/random_boxes.h"

#include <string.h>

Test(iou, by_hand)
{
    static const struct {
        float a[4], b[4], want;
    } cases[] = {
        {{0, 0, 10, 10}, {0, 0, 10, 10}, 1.0f},
        {{0, 0, 10, 10}, {5, 0, 15, 10}, 50.0f / 150.0f}, /* with a +1 it would be 66 / 176 */
        {{0, 0, 10, 10}, {2, 2, 4, 4}, 4.0f / 100.0f},
        {{0, 0, 10, 10}, {10, 0, 20, 10}, 0.0f}, /* touching */
        {{0, 0, 10, 10}, {30, 30, 40, 40}, 0.0f},
        {{5, 5, 5, 5}, {5, 5, 5, 5}, 0.0f}, /* 0 / 0 */
        {{5, 5, 5, 5}, {0, 0, 10, 10}, 0.0f},
        {{-5, -5, 5, 5}, {-5, -5, 5, 0}, 0.5f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float got = det_box_iou(cases[i].a, cases[i].b);
        cr_expect(fabsf(got - cases[i].want) <= 1e-7f, "case %zu: got %g want %g", i, (double)got,
                  (double)cases[i].want);
        cr_expect_eq(got, det_box_iou(cases[i].b, cases[i].a), "case %zu: not symmetric", i);
    }
}

/* Boxes with whole corners that tie on paper tie in float: shifts of a box to either side of an
 * object, and the object transposed. */
Test(iou, ties_are_exact)
{
    for (int size = 3; size < 200; size += 7)
        for (int shift = 1; shift < size; shift += 5) {
            float s = (float)size;
            float t = (float)shift;
            const float object[4] = {0, 0, s, s};
            float left = det_box_iou((float[]){-t, 0, s - t, s}, object);
            float right = det_box_iou((float[]){t, 0, s + t, s}, object);
            float below = det_box_iou((float[]){0, t, s, s + t}, object);
            cr_expect(left == right && right == below, "size %d shift %d: %.9g %.9g %.9g", size,
                      shift, (double)left, (double)right, (double)below);
        }
}

/* Pairs of other sizes tie too, where one is a magnification of the other: only a rounded quotient
 * gives both the same bits, a product with a rounded reciprocal does not. */
Test(iou, ties_of_other_sizes_are_exact)
{
    for (int whole = 2; whole < 40; whole++)
        for (int part = 1; part < whole; part++)
            for (int times = 2; times < 12; times++) {
                float p = (float)part, w = (float)whole, k = (float)times;
                float small = det_box_iou((float[]){0, 0, p, 1}, (float[]){0, 0, w, 1});
                float large = det_box_iou((float[]){0, 0, p * k, k}, (float[]){0, 0, w * k, k});
                cr_expect_eq(small, large, "%d of %d, %d times: got %a, want %a", part, whole,
                             times, (double)large, (double)small);
            }
}

Test(iou, block_has_the_bits_of_one_pair)
{
    struct draws d = {.seed = 5};
    float boxes[DET_BOX_BLOCK + 9][4];
    struct det_box_block block;
    for (int n = 1; n <= DET_BOX_BLOCK + 9; n += n < 20 ? 1 : 23) {
        float box[4];
        float iou[DET_BOX_BLOCK];
        draw_boxes(&d, n, 100.0f, 0, boxes[0]);
        draw_boxes(&d, 1, 100.0f, 0, box);
        det_box_block_load(&block, n, boxes[0]);
        cr_assert_eq(block.n, n < DET_BOX_BLOCK ? n : DET_BOX_BLOCK);
        if (!det_box_block_iou(&block, box, iou))
            memset(iou, 0, sizeof iou);
        for (int i = 0; i < block.n; i++) {
            float want = det_box_iou(boxes[i], box);
            cr_expect_eq(iou[i], want, "n %d row %d: got %g want %g", n, i, (double)iou[i],
                         (double)want);
        }
    }
}

Test(iou, block_that_the_box_misses)
{
    static const float boxes[2][4] = {{0, 0, 10, 10}, {20, 20, 30, 30}};
    struct det_box_block block;
    float iou[DET_BOX_BLOCK];
    det_box_block_load(&block, 2, boxes[0]);
    cr_expect_not(det_box_block_iou(&block, (float[]){30, 0, 40, 40}, iou), "beside");
    cr_expect_not(det_box_block_iou(&block, (float[]){0, -9, 40, 0}, iou), "above");
    cr_expect(det_box_block_iou(&block, (float[]){12, 12, 18, 18}, iou), "in the gap");
    cr_expect(iou[0] == 0.0f && iou[1] == 0.0f);
}
