/* Mask pasting: against padding and resizing written out, and what goes wrong at edges. */
#include "detector/inference/mask_paste.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE = 28, H = 50, W = 70 };

static float mask[SIZE][SIZE];
static float pasted[H][W];
static uint8_t binary[H][W];

static void fill(float value)
{
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++)
            mask[y][x] = value;
}

static double padded(int y, int x) /* the mask with its ring of zeros; past the ring: the edge */
{
    y = y > SIZE + 1 ? SIZE + 1 : y;
    x = x > SIZE + 1 ? SIZE + 1 : x;
    return y < 1 || y > SIZE || x < 1 || x > SIZE ? 0.0 : (double)mask[y - 1][x - 1];
}

/* torchvision's expand_boxes, cut to whole numbers, then a bilinear resize without aligned corners.
 */
static double plain_pixel(const float box[4], int y, int x)
{
    double scale = (SIZE + 2.0) / SIZE;
    int at[2];
    double low_weight[2];
    for (int axis = 0; axis < 2; axis++) { /* 0: x, 1: y */
        double half = ((double)box[2 + axis] - (double)box[axis]) * 0.5 * scale;
        double centre = ((double)box[2 + axis] + (double)box[axis]) * 0.5;
        int start = (int)(centre - half);
        int end = (int)(centre + half) + 1;
        int pixel = axis ? y : x;
        int length = end - start > 1 ? end - start : 1;
        if (pixel < start || pixel >= start + length)
            return 0.0;
        double from = fmax((SIZE + 2.0) / length * (pixel - start + 0.5) - 0.5, 0.0);
        at[axis] = (int)from;
        low_weight[axis] = 1.0 - (from - at[axis]);
    }
    double top =
        low_weight[0] * padded(at[1], at[0]) + (1.0 - low_weight[0]) * padded(at[1], at[0] + 1);
    double bottom = low_weight[0] * padded(at[1] + 1, at[0]) +
                    (1.0 - low_weight[0]) * padded(at[1] + 1, at[0] + 1);
    return low_weight[1] * top + (1.0 - low_weight[1]) * bottom;
}

Test(mask_paste, agrees_with_padding_and_resizing_written_out)
{
    static const float boxes[][4] = {
        {10, 10, 40, 40},    {0, 0, W, H},         {3.4f, 7.9f, 9.1f, 30.2f}, {5, 5, 5.2f, 5.3f},
        {-9, -9, 8, 8},      {60, 40, 90, 80},     {69.5f, 49.5f, 70, 50},    {20, 20, 20, 45},
        {-50, -40, 150, 90}, {0.0f, 0.0f, 14, 14}, {200, 200, 230, 230},
    };
    struct draws d = {.seed = 71};
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++)
            mask[y][x] = draw(&d, 0.0f, 1.0f);
    for (size_t b = 0; b < sizeof boxes / sizeof boxes[0]; b++) {
        memset(pasted, 0x7f, sizeof pasted);
        memset(binary, 0x7f, sizeof binary);
        det_mask_paste(mask[0], SIZE, boxes[b], H, W, pasted[0]);
        det_mask_paste_binary(mask[0], SIZE, boxes[b], H, W, 0.5f, binary[0]);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                double want = plain_pixel(boxes[b], y, x);
                cr_expect(fabs((double)pasted[y][x] - want) <= 2e-5,
                          "box %zu pixel %d,%d: got %g want %g", b, y, x, (double)pasted[y][x],
                          want);
                cr_expect_eq(binary[y][x], pasted[y][x] > 0.5f, "box %zu pixel %d,%d: binary", b, y,
                             x);
            }
    }
}

static int count_pixels(void)
{
    int pixels = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            pixels += binary[y][x];
    return pixels;
}

/* Class masks of a young head peak just above one half: they must not vanish. */
Test(mask_paste, a_mask_just_above_one_half_is_seen)
{
    static const float box[4] = {10, 10, 40, 30};
    fill(0.52f);
    det_mask_paste_binary(mask[0], SIZE, box, H, W, 0.5f, binary[0]);
    int pixels = count_pixels();
    /* 30 x 20 pixels, less a border where the ring of zeros is felt */
    cr_expect(pixels >= 28 * 18 && pixels <= 31 * 21, "%d pixels", pixels);
    fill(0.5f);
    det_mask_paste_binary(mask[0], SIZE, box, H, W, 0.5f, binary[0]);
    cr_expect_eq(count_pixels(), 0, "exactly one half is not above");
}

/* A 14 px box, whole corners: the ring widens it by half a pixel a side, 6.5 .. 21.5, cut to
 * 6 .. 21. */
Test(mask_paste, region_by_hand)
{
    struct det_mask_region r = det_mask_region((float[]){7, 7, 21, 21}, SIZE, H, W);
    cr_expect(r.x == 6 && r.y == 6 && r.w == 16 && r.h == 16, "%d %d %d %d", r.x, r.y, r.w, r.h);
    r = det_mask_region((float[]){60, 45, 88, 73}, SIZE, H, W);
    cr_expect(r.x0 == 59 && r.x1 == W && r.y0 == 44 && r.y1 == H, "cut at the far edges");
    r = det_mask_region((float[]){5, 5, 5, 5}, SIZE, H, W);
    cr_expect(r.w == 1 && r.h == 1, "a point is one pixel");
}

Test(mask_paste, probabilities)
{
    float logits[5] = {0.0f, 100.0f, -100.0f, 2.0f, -2.0f};
    det_mask_probabilities(5, logits, logits);
    static const float want[5] = {0.5f, 1.0f, 0.0f, 0.88079708f, 0.11920292f};
    for (int i = 0; i < 5; i++)
        cr_expect(fabsf(logits[i] - want[i]) <= 1e-6f, "%d: %g", i, (double)logits[i]);
}
