/* Mask head RoIs and targets: against four-point RoIAlign written out. */
#include "detector/boxes/mask_targets.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { H = 40, W = 56, MASKS = 3, SIZE = 14, MOST = 12 };

static uint8_t masks[MASKS][H][W];

static void make_masks(void)
{
    struct draws d = {.seed = 61};
    for (int m = 0; m < MASKS; m++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                masks[m][y][x] = draw(&d, 0.0f, 1.0f) < 0.4f;
}

static void run(int threads, int n, int size, float (*boxes)[4], int32_t *matched, float *targets)
{
    int32_t count = n;
    struct det_rois rois = {
        .max_rois = MOST, .count = &count, .boxes = boxes[0], .matched = matched};
    struct det_truth truth = {.masks = masks[0][0], .mask_h = H, .mask_w = W};
    struct det_device *dev = open_cpu(threads, det_mask_targets_scratch(H, W, size));
    det_mask_targets(dev, &rois, &truth, size, targets);
    dev->ops->close(dev);
}

/* Bilinear value of a mask, in double, as torchvision's bilinear_interpolate. */
static double value_at(int mask, double y, double x)
{
    if (y < -1.0 || y > H || x < -1.0 || x > W)
        return 0.0;
    y = fmin(fmax(y, 0.0), H - 1);
    x = fmin(fmax(x, 0.0), W - 1);
    int y0 = (int)y;
    int x0 = (int)x;
    int y1 = y0 < H - 1 ? y0 + 1 : y0;
    int x1 = x0 < W - 1 ? x0 + 1 : x0;
    double top = masks[mask][y0][x0] * (1.0 - (x - x0)) + masks[mask][y0][x1] * (x - x0);
    double bottom = masks[mask][y1][x0] * (1.0 - (x - x0)) + masks[mask][y1][x1] * (x - x0);
    return top * (1.0 - (y - y0)) + bottom * (y - y0);
}

static double plain_cell(int mask, const float box[4], int size, int row, int column)
{
    double w = fmax((double)box[2] - (double)box[0], 1.0) / size;
    double h = fmax((double)box[3] - (double)box[1], 1.0) / size;
    int nx = (int)ceil(w);
    int ny = (int)ceil(h);
    double sum = 0.0;
    for (int i = 0; i < ny; i++)
        for (int j = 0; j < nx; j++)
            sum += value_at(mask, (double)box[1] + row * h + (i + 0.5) * h / ny,
                            (double)box[0] + column * w + (j + 0.5) * w / nx);
    return sum / (nx * ny);
}

/* Tolerance: coordinates up to 56 carry 4e-6 of rounding, and a weight moves by as much. */
Test(mask_targets, agree_with_roi_align_written_out)
{
    static float boxes[MOST][4] = {
        {0, 0, W, H},    {3.3f, 2.1f, 30.7f, 33.3f}, {10, 10, 24, 24}, {10, 10, 10, 10},
        {5, 5, 5.5f, 9}, {50, 30, 70, 60},           {-9, -9, 4, 4},   {W, H, W, H},
        {1, 1, 2, 39},   {-30, -30, 90, 90},         {20, 0, 50, 3},   {0.5f, 0.5f, 14.5f, 14.5f}};
    static float got[MOST][SIZE][SIZE];
    int32_t matched[MOST];
    make_masks();
    for (int r = 0; r < MOST; r++)
        matched[r] = r % MASKS;
    run(1, MOST, SIZE, boxes, matched, got[0][0]);
    for (int r = 0; r < MOST; r++)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++) {
                double want = plain_cell(matched[r], boxes[r], SIZE, y, x);
                cr_expect(fabs((double)got[r][y][x] - want) <= 2e-5,
                          "RoI %d cell %d,%d: got %g want %g", r, y, x, (double)got[r][y][x], want);
            }
    static float again[MOST][SIZE][SIZE];
    run(2, MOST, SIZE, boxes, matched, again[0][0]);
    cr_expect_eq(memcmp(got, again, sizeof got), 0, "two threads");
}

/* A box inside a mask of ones has targets of 1, whatever its size. */
Test(mask_targets, full_mask_gives_ones)
{
    static float boxes[3][4] = {{2, 2, 50, 38}, {7.7f, 3.1f, 9.2f, 30}, {0, 0, W, H}};
    static float got[3][28][28];
    int32_t matched[3] = {1, 1, 1};
    memset(masks[1], 1, sizeof masks[1]);
    run(1, 3, 28, boxes, matched, got[0][0]);
    for (int r = 0; r < 3; r++)
        for (int y = 0; y < 28; y++)
            for (int x = 0; x < 28; x++)
                cr_expect(fabsf(got[r][y][x] - 1.0f) <= 1e-5f, "RoI %d cell %d,%d: %g", r, y, x,
                          (double)got[r][y][x]);
}

Test(mask_targets, no_rois)
{
    float boxes[1][4] = {{0, 0, 1, 1}};
    int32_t matched = 0;
    float target = 5.0f;
    run(1, 0, SIZE, boxes, &matched, &target);
    cr_expect_eq(target, 5.0f);
}

Test(mask_select, positives_in_order)
{
    int32_t count = 6;
    float boxes[8][4];
    int32_t image[8] = {0, 0, 0, 1, 1, 1, 1, 1};
    int32_t level[8] = {0, 1, 2, 3, 0, 1, 2, 3};
    int32_t labels[8] = {0, 2, 0, 1, 0, 3, 1, 1}; /* the last two are not live */
    int32_t matched[8] = {-1, 4, -1, 5, -1, 6, 7, 7};
    for (int i = 0; i < 8; i++)
        for (int c = 0; c < 4; c++)
            boxes[i][c] = (float)(4 * i + c);
    struct det_rois rois = {.max_rois = 8,
                            .count = &count,
                            .boxes = boxes[0],
                            .image = image,
                            .level = level,
                            .labels = labels,
                            .matched = matched};
    int32_t index[8];
    int32_t n = -1;
    int32_t n_out = -1;
    float out_boxes[8][4];
    int32_t out_image[8];
    int32_t out_level[8];
    int32_t out_labels[8];
    int32_t out_matched[8];
    struct det_rois out = {.max_rois = 8,
                           .count = &n_out,
                           .boxes = out_boxes[0],
                           .image = out_image,
                           .level = out_level,
                           .labels = out_labels,
                           .matched = out_matched};
    struct det_device *dev = open_cpu(1, 0);
    det_mask_select(dev, &rois, index, &n, &out);
    static const int want[3] = {1, 3, 5};
    cr_assert(n == 3 && n_out == 3, "%d and %d rows", n, n_out);
    for (int i = 0; i < 3; i++) {
        int r = want[i];
        cr_expect_eq(index[i], r, "row %d: index %d", i, index[i]);
        cr_expect(out_image[i] == image[r] && out_level[i] == level[r] &&
                      out_labels[i] == labels[r] && out_matched[i] == matched[r],
                  "row %d", i);
        cr_expect_eq(memcmp(out_boxes[i], boxes[r], sizeof boxes[r]), 0, "row %d: box", i);
    }
    memset(labels, 0, sizeof labels);
    det_mask_select(dev, &rois, index, &n, &out);
    cr_expect(n == 0 && n_out == 0, "no positives");
    labels[1] = labels[2] = 1;
    out.max_rois = 1;
    det_mask_select(dev, &rois, index, &n, &out);
    cr_expect_eq(n, 1, "room for one");
    dev->ops->close(dev);
}
