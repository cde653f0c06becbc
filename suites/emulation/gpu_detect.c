/* The GPU's detect against the CPU's, bit for bit. */
#include "detector/backend/cuda/detect.cu"
#include "detector/inference/detect.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

#include <stdio.h>

enum { CLASSES = 12, IMAGES = 3, ROIS = 900, MOST = 300 };

static const struct det_detect usual = {
    .n_classes = CLASSES,
    .score_threshold = 0.05f,
    .nms_iou = 0.5f,
    .min_size = 1e-2f,
    .max_per_image = 100,
    .coder_weights = {10, 10, 5, 5},
    .delta_clip = DET_DELTA_CLIP,
};

struct batch {
    float heights[IMAGES], widths[IMAGES];
    int32_t count;
    float rois[ROIS][4];
    int32_t image[ROIS];
    float logits[ROIS * CLASSES];
    float deltas[ROIS * CLASSES][4];
};

struct result {
    int32_t count[IMAGES], not_finite;
    float boxes[IMAGES][MOST][4];
    float scores[IMAGES][MOST];
    int32_t labels[IMAGES][MOST];
};

struct input {
    const struct det_detect *detect;
    struct batch *batch;
};

/* rois[i] RoIs of image i. `values`: how many different logits a class; few make ties. */
static struct batch *make_batch(uint32_t seed, const int *rois, int values, float side)
{
    struct draws d = {.seed = seed};
    struct batch *b = calloc(1, sizeof *b);
    cr_assert_not_null(b);
    for (int i = 0; i < IMAGES; i++) {
        b->heights[i] = side * 0.9f;
        b->widths[i] = side - 3.0f * (float)i;
        draw_boxes(&d, rois[i], side, 1, b->rois[b->count]);
        for (int k = 0; k < rois[i]; k++)
            b->image[b->count++] = i;
    }
    for (int i = 0; i < ROIS * CLASSES; i++) {
        b->logits[i] = 3.0f * (float)draw_int(&d, values) / (float)values;
        for (int k = 0; k < 4; k++)
            b->deltas[i][k] = draw(&d, -1.0f, 1.0f);
    }
    return b;
}

static void *run(struct det_device *dev, int gpu, const void *context)
{
    const struct input *in = context;
    struct batch *b = in->batch;
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r);
    struct det_images images = {.n = IMAGES, .heights = b->heights, .widths = b->widths};
    struct det_rois rois = {
        .max_rois = ROIS, .count = &b->count, .boxes = b->rois[0], .image = b->image};
    struct det_detections out = {MOST,         r->boxes[0][0], r->scores[0],
                                 r->labels[0], r->count,       &r->not_finite};
    (gpu ? det_cuda_detect : det_detect)(dev, in->detect, &images, &rois, b->logits, b->deltas[0],
                                         &out);
    return r;
}

/* Returns the number of detections of the first image. */
static int compare(const char *what, const struct det_detect *detect, struct batch *b)
{
    struct input in = {detect, b};
    struct det_device *cpu = open_cpu(1, det_detect_scratch(detect, ROIS));
    struct result *want = run(cpu, 0, &in);
    emulated_compare(what, run, &in, want, sizeof *want);
    int count = want->count[0];
    free(want);
    cpu->ops->close(cpu);
    return count;
}

Test(gpu_detect, usual)
{
    struct batch *b = make_batch(61, (int[]){500, 0, 300}, 1 << 20, 400.0f);
    cr_expect_eq(compare("many values", &usual, b), 100);
    free(b);
    b = make_batch(62, (int[]){300, 300, 300}, 3, 400.0f);
    cr_expect_eq(compare("ties", &usual, b), 100);
    free(b);
    b = make_batch(63, (int[]){30, 1, 2}, 1, 100.0f);
    cr_expect_gt(compare("one value", &usual, b), 10);
    free(b);
    b = make_batch(64, (int[]){0, 0, 0}, 9, 100.0f);
    cr_expect_eq(compare("no RoIs", &usual, b), 0);
    free(b);
}

Test(gpu_detect, not_finite)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f};
    struct batch *b = make_batch(65, (int[]){400, 100, 400}, 100, 300.0f);
    for (int i = 3; i < ROIS * CLASSES; i += 97)
        b->logits[i] = odd[i % 5];
    for (int i = 0; i < ROIS * CLASSES; i += 13)
        b->deltas[i][i % 4] = odd[i % 5];
    compare("some", &usual, b);
    for (int i = 0; i < ROIS * CLASSES; i += CLASSES)
        b->logits[i] = NAN;
    cr_expect_eq(compare("all", &usual, b), 0);
    free(b);
}

Test(gpu_detect, limits)
{
    struct batch *b = make_batch(66, (int[]){880, 10, 10}, 5, 3000.0f);
    struct det_detect detect = usual;
    detect.score_threshold = 0.0f;
    detect.max_per_image = MOST;
    cr_expect_eq(compare("many candidates", &detect, b), MOST);
    detect.nms_iou = 0.0f;
    compare("whatever touches: all chunks", &detect, b);
    detect.nms_iou = 1.0f;
    compare("nothing suppressed", &detect, b);
    detect.max_per_image = 1;
    compare("one", &detect, b);
    detect = usual;
    detect.min_size = 900.0f;
    compare("large only", &detect, b);
    detect.score_threshold = 1.0f;
    cr_expect_eq(compare("none", &detect, b), 0);
    free(b);
}
