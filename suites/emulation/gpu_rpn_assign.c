/* The GPU's rpn_assign against the CPU's, bit for bit. */
#include "detector/backend/cuda/rpn_assign.cu"
#include "detector/boxes/anchors.h"
#include "detector/boxes/rpn_assign.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

#include <stdio.h>

enum { MOST_IMAGES = 3, MOST_OBJECTS = 40, MOST_ANCHORS = 16 * 16 * 3 + 8 * 8 * 3 };

static float anchors[MOST_ANCHORS][4];

struct batch {
    int n;
    int64_t ids[MOST_IMAGES];
    float boxes[MOST_IMAGES * MOST_OBJECTS][4];
    int32_t first[MOST_IMAGES + 1];
};

struct result {
    int32_t n_positive[MOST_IMAGES], n_negative[MOST_IMAGES], n_candidates[2 * MOST_IMAGES];
    int8_t labels[MOST_IMAGES * MOST_ANCHORS];
    float targets[MOST_IMAGES * MOST_ANCHORS * 4];
};

struct input {
    const struct det_rpn_assign *assign;
    const struct batch *batch;
};

static void make_anchors(void)
{
    static const struct det_anchor_level levels[] = {{16, 16, 8, 8, 16.0f}, {8, 8, 16, 16, 32.0f}};
    static const float ratios[] = {0.5f, 1.0f, 2.0f};
    det_anchors(2, levels, 3, ratios, anchors[0]);
}

/* Objects of all sizes; whole corners tie with anchors and with one another, and some are twins, or
 * have no area, or lie where no anchor is. */
static struct batch make_batch(struct draws *d, int n, const int *objects, int whole)
{
    struct batch b = {.n = n};
    for (int i = 0; i < n; i++) {
        b.ids[i] = ((int64_t)(i + 1) << 33) + 7 * i;
        b.first[i + 1] = b.first[i] + objects[i];
        float(*boxes)[4] = b.boxes + b.first[i];
        draw_boxes(d, objects[i], 128.0f, whole, boxes[0]);
        for (int g = 3; g < objects[i]; g += 4)
            memcpy(boxes[g], boxes[g - 1], sizeof boxes[g]);
        if (objects[i] > 5)
            boxes[5][2] = boxes[5][0];
        if (objects[i] > 6)
            memcpy(boxes[6], (float[]){900, 900, 950, 950}, sizeof boxes[6]);
    }
    return b;
}

static void *run(struct det_device *dev, int gpu, const void *context)
{
    const struct input *in = context;
    const struct batch *b = in->batch;
    uint32_t step = 11;
    struct result *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r); /* what is not written shows */
    struct det_rpn_sampled out = {r->labels, r->targets, r->n_positive, r->n_negative,
                                  r->n_candidates};
    struct det_images images = {.n = b->n, .ids = b->ids};
    struct det_truth truth = {
        .boxes = b->boxes[0], .first = b->first, .max_rows = MOST_IMAGES * MOST_OBJECTS};
    (gpu ? det_cuda_rpn_assign : det_rpn_assign)(dev, in->assign, anchors[0], &images, &truth,
                                                 &step, &out);
    return r;
}

static void compare(const char *what, const struct det_rpn_assign *assign, const struct batch *b)
{
    struct input in = {assign, b};
    struct det_device *cpu = open_cpu(1, det_rpn_assign_scratch(assign, MOST_OBJECTS));
    struct result *want = run(cpu, 0, &in);
    emulated_compare(what, run, &in, want, sizeof *want);
    free(want);
    cpu->ops->close(cpu);
}

static const struct det_rpn_assign usual = {
    .n_anchors = MOST_ANCHORS,
    .matcher = {0.7f, 0.3f, 1},
    .sampler = {256, 0.5f, 5, DET_PURPOSE_RPN_POSITIVE, DET_PURPOSE_RPN_NEGATIVE},
    .coder_weights = {1, 1, 1, 1},
};

Test(gpu_rpn_assign, random_batches)
{
    struct draws d = {.seed = 23};
    make_anchors();
    for (int round = 0; round < 8; round++) {
        struct det_rpn_assign assign = usual;
        assign.sampler.batch_per_image = round % 3 == 0 ? 256 : round % 3 == 1 ? 16 : 4000;
        assign.sampler.positive_fraction = round % 2 ? 0.5f : 0.1f;
        assign.matcher.allow_low_quality = round != 5;
        assign.matcher.high = round == 6 ? 0.35f : 0.7f;
        assign.n_anchors = round == 7 ? 300 : MOST_ANCHORS;
        struct batch b =
            make_batch(&d, 3, (int[]){draw_int(&d, 8), draw_int(&d, MOST_OBJECTS), 3}, round % 2);
        char what[40];
        snprintf(what, sizeof what, "round %d", round);
        compare(what, &assign, &b);
    }
}

Test(gpu_rpn_assign, nothing_and_everything)
{
    struct draws d = {.seed = 29};
    struct det_rpn_assign assign = usual;
    make_anchors();
    struct batch none = make_batch(&d, 2, (int[]){0, 0}, 0);
    compare("no objects", &assign, &none);
    struct batch most = make_batch(&d, 3, (int[]){MOST_OBJECTS, MOST_OBJECTS, MOST_OBJECTS}, 1);
    compare("as many objects as there is room for", &assign, &most);
    assign.sampler.batch_per_image = 0;
    compare("nothing to be sampled", &assign, &most);
    assign = usual;
    assign.n_anchors = 1;
    compare("one anchor", &assign, &most);
    assign = usual;
    assign.matcher.high = assign.matcher.low = 0.0f;
    compare("every anchor matched", &assign, &most);
}
