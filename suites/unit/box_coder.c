/* Box coder, clipping, size filter, RoI level. */
#include "detector/bodies/box_coder.h"
#include "detector/bodies/roi_level.h"
#include "suites/random_boxes.h"

static const float unit_weights[4] = {1, 1, 1, 1};
static const float roi_weights[4] = {10, 10, 5, 5};

/* Corners up to 256 px, coded with relative error of some 1e-7 an operation: 1e-3 px is 4e-6 of the
 * largest corner. */
Test(box_coder, decode_undoes_encode)
{
    struct draws d = {.seed = 11};
    for (int i = 0; i < 1000; i++) {
        const float *weights = i % 2 ? unit_weights : roi_weights;
        float pair[2][4];
        float delta[4];
        float got[4];
        draw_boxes(&d, 2, 256.0f, 0, pair[0]);
        det_box_encode(pair[0], pair[1], weights, delta);
        det_box_decode(pair[0], delta, weights, 10.0f, got);
        for (int c = 0; c < 4; c++)
            cr_expect(fabsf(got[c] - pair[1][c]) <= 1e-3f, "pair %d coordinate %d: got %g want %g",
                      i, c, (double)got[c], (double)pair[1][c]);
    }
}

/* box 10 x 20 centred (5, 10), target 20 x 10 centred (15, 10): the centre moves by one width. */
Test(box_coder, by_hand)
{
    static const float box[4] = {0, 0, 10, 20};
    static const float target[4] = {5, 5, 25, 15};
    float delta[4];
    det_box_encode(box, target, roi_weights, delta);
    const float want[4] = {10.0f, 0.0f, 5.0f * logf(2.0f), 5.0f * logf(0.5f)};
    for (int c = 0; c < 4; c++)
        cr_expect(fabsf(delta[c] - want[c]) <= 1e-6f, "delta %d: got %g want %g", c,
                  (double)delta[c], (double)want[c]);
    det_box_encode(box, box, unit_weights, delta);
    for (int c = 0; c < 4; c++)
        cr_expect_eq(delta[c], 0.0f, "a box to itself, delta %d: %g", c, (double)delta[c]);
}

Test(box_coder, deltas_of_100_stay_finite)
{
    static const float box[4] = {100, 100, 116, 116};
    for (int sign = -1; sign <= 1; sign += 2) {
        float s = 100.0f * (float)sign;
        float out[4];
        int ok = det_box_decode_clipped(box, (float[]){s, s, s, s}, unit_weights, DET_DELTA_CLIP,
                                        400.0f, 300.0f, out);
        cr_expect(ok, "sign %d", sign);
        cr_expect(out[0] >= 0.0f && out[2] <= 300.0f && out[1] >= 0.0f && out[3] <= 400.0f,
                  "sign %d: %g %g %g %g", sign, (double)out[0], (double)out[1], (double)out[2],
                  (double)out[3]);
    }
    /* dw = 100 cut to log(1000 / 16): a 16 px box becomes 1000 px wide */
    float wide[4];
    det_box_decode(box, (float[]){0, 0, 100, 0}, unit_weights, DET_DELTA_CLIP, wide);
    cr_expect(fabsf(wide[2] - wide[0] - 1000.0f) <= 1e-2f, "width %g", (double)(wide[2] - wide[0]));
}

Test(box_coder, non_finite_is_reported_never_clipped_away)
{
    static const float box[4] = {10, 10, 20, 20};
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int c = 0; c < 4; c++)
        for (int b = 0; b < 3; b++) {
            float delta[4] = {0, 0, 0, 0};
            float out[4];
            delta[c] = bad[b];
            cr_expect_not(
                det_box_decode_clipped(box, delta, unit_weights, DET_DELTA_CLIP, 64.0f, 64.0f, out),
                "delta %d = %g went through", c, (double)bad[b]);
        }
    float out[4];
    cr_expect_not(det_box_decode_clipped(box, (float[]){3e38f, 0, 0, 0}, unit_weights,
                                         DET_DELTA_CLIP, 64.0f, 64.0f, out),
                  "a finite delta that overflows went through");
}

Test(box_coder, clip_uses_width_for_x_and_height_for_y)
{
    float box[4] = {-5, -7, 500, 600};
    det_box_clip(box, 70.0f, 60.0f);
    cr_expect(box[0] == 0.0f && box[1] == 0.0f && box[2] == 60.0f && box[3] == 70.0f);
    float beyond[4] = {100, 100, 120, 120};
    det_box_clip(beyond, 70.0f, 60.0f);
    cr_expect(beyond[0] == 60.0f && beyond[2] == 60.0f && beyond[1] == 70.0f && beyond[3] == 70.0f);
}

Test(box_coder, size_filter_tests_both_sides)
{
    static const struct {
        float w, h;
        int keep;
    } cases[] = {{2, 2, 1}, {1, 2, 1}, {2, 1, 1}, {0.5f, 2, 0}, {2, 0.5f, 0}, {0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const float box[4] = {3, 4, 3 + cases[i].w, 4 + cases[i].h};
        cr_expect_eq(det_box_large_enough(box, 1.0f), cases[i].keep, "case %zu: %g x %g", i,
                     (double)cases[i].w, (double)cases[i].h);
    }
}

/* 224 px: level 4; half of it: 3; a hair under 112 stays 3 by the 1e-6, well under is 2. */
Test(box_coder, roi_level)
{
    static const struct {
        float w, h;
        int want; /* of levels 2 .. 5 */
    } cases[] = {{224, 224, 2}, {448, 448, 3},   {223, 223, 1},
                 {112, 112, 1}, {111, 111, 0},   {111.99996f, 111.99996f, 1},
                 {448, 112, 2}, {5000, 5000, 3}, {1, 1, 0},
                 {0, 0, 0},     {0, 50, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const float box[4] = {7, 9, 7 + cases[i].w, 9 + cases[i].h};
        cr_expect_eq(det_roi_level(box, 2, 4), cases[i].want, "%g x %g: got %d want %d",
                     (double)cases[i].w, (double)cases[i].h, det_roi_level(box, 2, 4),
                     cases[i].want);
    }
    cr_expect_eq(det_roi_level((float[]){0, 0, 5000, 5000}, 2, 1), 0, "one level only");
}
