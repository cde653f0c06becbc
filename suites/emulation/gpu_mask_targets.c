/* The GPU's mask_targets against the CPU's, bit for bit: one sums cell by cell, the other in
 * passes. */
#include "detector/backend/cuda/mask_targets.cu"
#include "detector/boxes/mask_targets.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

enum { ROIS = 40, OBJECTS = 4, H = 90, W = 130, SIZE = 28 };

static uint8_t masks[OBJECTS][H * W];
static float boxes[ROIS][4];
static int32_t matched[ROIS];
static float want[ROIS * SIZE * SIZE], got[ROIS * SIZE * SIZE];

static const float edges[][4] = {
    {0, 0, W, H},         {0, 0, 28, 28},         {-40, -30, 3 * W, 2 * H},
    {10, 10, 10, 10},     {50, 50, 50.3f, 50.2f}, {-90, -90, -50, -20},
    {W - 1, H - 1, W, H}, {0, 0, 2800, 5},        {7.5f, 3.5f, 35.5f, 87.5f},
};

static void make_rois(void)
{
    struct draws d = {.seed = 91};
    for (int o = 0; o < OBJECTS; o++)
        for (int i = 0; i < H * W; i++)
            masks[o][i] = (uint8_t)draw_int(&d, 2);
    draw_boxes(&d, ROIS, 90.0f, 0, boxes[0]);
    draw_boxes(&d, ROIS / 2, 90.0f, 1, boxes[0]);
    memcpy(boxes, edges, sizeof edges);
    for (int r = 0; r < ROIS; r++)
        matched[r] = draw_int(&d, OBJECTS);
}

static void compare(int size, int32_t *count)
{
    struct det_truth truth = {.masks = masks[0], .mask_h = H, .mask_w = W, .max_rows = OBJECTS};
    struct det_rois rois = {
        .max_rois = ROIS, .count = count, .boxes = boxes[0], .matched = matched};
    struct det_device *cpu = open_cpu(1, det_mask_targets_scratch(H, W, size));
    memset(want, 0xa5, sizeof want);
    det_mask_targets(cpu, &rois, &truth, size, want);
    for (int order = 0; order < emulated_orders(); order++) {
        struct emulated_device gpu = emulated_open((enum emulated_order)order);
        memset(got, 0xa5, sizeof got); /* what is not written shows */
        det_cuda_mask_targets(&gpu.device, &rois, &truth, size, got);
        for (int i = 0; i < ROIS * SIZE * SIZE; i++)
            cr_assert_eq(memcmp(&got[i], &want[i], sizeof got[i]), 0,
                         "size %d, RoI %d, cell %d: %a, want %a", size, i / size / size,
                         i % (size * size), (double)got[i], (double)want[i]);
        emulated_close(&gpu);
    }
    cpu->ops->close(cpu);
}

Test(gpu_mask_targets, as_on_the_cpu)
{
    make_rois();
    compare(SIZE, NULL);
    compare(7, NULL);
    compare(1, NULL);
}

Test(gpu_mask_targets, live_rows)
{
    make_rois();
    for (int32_t count = -1; count < ROIS + 10; count += 12)
        compare(SIZE, &count);
}
