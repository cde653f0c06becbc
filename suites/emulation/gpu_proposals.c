/* The GPU's rpn_propose against the CPU's, bit for bit. */
#include "detector/backend/cuda/rpn_propose.cu"
#include "detector/boxes/proposals.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

#include <stdio.h>

enum { ANCHORS = 5400, IMAGES = 2, MOST = 2300 };

static const struct det_proposal_filter usual = {
    .n_anchors = ANCHORS,
    .n_levels = 4,
    .level_first = {0, 4900, 5300, 5399, ANCHORS},
    .pre_nms = 1000,
    .post_nms = 500,
    .nms_iou = 0.7f,
    .min_size = 1e-3f,
    .coder_weights = {1, 1, 1, 1},
    .delta_clip = DET_DELTA_CLIP,
};

struct batch {
    float anchors[ANCHORS][4];
    float heights[IMAGES], widths[IMAGES];
    float logits[IMAGES * ANCHORS];
    float deltas[IMAGES * ANCHORS][4];
};

struct result {
    int32_t count[IMAGES], not_finite;
    float boxes[IMAGES][MOST][4];
    float scores[IMAGES][MOST];
};

struct input {
    const struct det_proposal_filter *filter;
    const struct batch *batch;
};

/* `values`: how many different logits; few make ties everywhere. */
static struct batch *make_batch(uint32_t seed, int values, float side)
{
    struct draws d = {.seed = seed};
    struct batch *b = malloc(sizeof *b);
    cr_assert_not_null(b);
    draw_boxes(&d, ANCHORS, side, 1, b->anchors[0]);
    for (int i = 0; i < IMAGES; i++) {
        b->heights[i] = side * 0.8f;
        b->widths[i] = side - 7.0f * (float)i;
    }
    for (int i = 0; i < IMAGES * ANCHORS; i++) {
        b->logits[i] = (float)draw_int(&d, values) / 16.0f - (float)values / 32.0f;
        for (int c = 0; c < 4; c++)
            b->deltas[i][c] = draw(&d, -0.4f, 0.4f);
    }
    return b;
}

static void break_some(struct batch *b, int every)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 3e38f, -100.0f};
    for (int i = 0; i < IMAGES * ANCHORS; i += every)
        b->logits[i] = odd[i / every % 6];
    for (int i = 1; i < IMAGES * ANCHORS; i += every)
        b->deltas[i][i % 4] = odd[i / every % 6];
}

static void *run(struct det_device *dev, int gpu, const void *context)
{
    const struct input *in = context;
    const struct batch *b = in->batch;
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r); /* rows beyond the count are left as they are */
    struct det_images images = {.n = IMAGES, .heights = b->heights, .widths = b->widths};
    struct det_proposals out = {r->boxes[0][0], r->scores[0], r->count, &r->not_finite, MOST};
    (gpu ? det_cuda_rpn_propose : det_rpn_propose)(dev, in->filter, b->anchors[0], &images,
                                                   b->logits, b->deltas[0], &out);
    return r;
}

/* Returns the number of proposals of the first image. */
static int compare(const char *what, const struct det_proposal_filter *filter,
                   const struct batch *b)
{
    struct input in = {filter, b};
    struct det_device *cpu = open_cpu(1, det_rpn_propose_scratch(filter));
    struct result *want = run(cpu, 0, &in);
    emulated_compare(what, run, &in, want, sizeof *want);
    int count = want->count[0];
    free(want);
    cpu->ops->close(cpu);
    return count;
}

Test(gpu_proposals, usual)
{
    struct batch *b = make_batch(1, 1 << 20, 800.0f);
    cr_expect_gt(compare("many values", &usual, b), 400);
    free(b);
    b = make_batch(2, 12, 800.0f);
    cr_expect_gt(compare("ties", &usual, b), 400);
    free(b);
    b = make_batch(3, 1, 60.0f);
    cr_expect_gt(compare("one value, small image", &usual, b), 10);
    free(b);
}

Test(gpu_proposals, not_finite)
{
    struct batch *b = make_batch(4, 100, 300.0f);
    break_some(b, 7);
    compare("some", &usual, b);
    break_some(b, 1);
    compare("most", &usual, b);
    for (int i = 0; i < IMAGES * ANCHORS; i++)
        b->logits[i] = NAN;
    cr_expect_eq(compare("all", &usual, b), 0);
    free(b);
}

Test(gpu_proposals, limits)
{
    struct batch *b = make_batch(5, 4000, 2000.0f);
    struct det_proposal_filter filter = usual;
    filter.pre_nms = 2600;
    filter.post_nms = 2300;
    cr_expect_gt(compare("more than a chunk before NMS and after", &filter, b), DET_CHUNK);
    filter.post_nms = 600;
    compare("more than a chunk before NMS", &filter, b);
    filter.pre_nms = filter.post_nms = 1;
    compare("one", &filter, b);
    filter = usual;
    filter.nms_iou = 0.0f;
    compare("whatever touches", &filter, b);
    filter.nms_iou = 1.0f;
    compare("nothing suppressed", &filter, b);
    filter = usual;
    filter.min_size = 200.0f;
    filter.score_threshold = 0.7f;
    compare("filtered", &filter, b);
    filter.min_size = 1e6f;
    cr_expect_eq(compare("all filtered", &filter, b), 0);
    free(b);
}
