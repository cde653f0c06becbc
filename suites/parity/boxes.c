/* Matching, sampling, proposals, detections, mask targets: the same decisions on both devices.
 * Where exp or log decides (scores, decoded sides), the inputs keep clear of ties, so that a last
 * bit does not. */
#include "suites/parity/parity.h"

#include "detector/bodies/box_coder.h"

enum { IMAGES = 2, OBJECTS = 15, SIDE = 400 };

static float uniform(uint32_t seed, int i, float low, float high)
{
    return low + (high - low) * det_philox_uniform(det_philox((uint32_t)i, seed, 0, 0, 3).word[0]);
}

/* n boxes inside the image, whole corners. */
static struct twin twin_boxes(struct pair p, int n, uint32_t seed, float largest)
{
    float *boxes = malloc((size_t)n * 4 * sizeof *boxes + 1);
    cr_assert_not_null(boxes);
    for (int i = 0; i < n; i++) {
        float *b = boxes + 4 * i;
        float w = uniform(seed, 4 * i, 8, largest), h = uniform(seed, 4 * i + 1, 8, largest);
        b[0] = floorf(uniform(seed, 4 * i + 2, 0, SIDE - w));
        b[1] = floorf(uniform(seed, 4 * i + 3, 0, SIDE - h));
        b[2] = ceilf(b[0] + w);
        b[3] = ceilf(b[1] + h);
    }
    struct twin t = twin_of(p, boxes, (size_t)n * 4 * sizeof *boxes);
    free(boxes);
    return t;
}

static struct twin twin_filled(struct pair p, size_t bytes)
{
    void *bits = malloc(bytes + 1);
    cr_assert_not_null(bits);
    memset(bits, 0xa5, bytes);
    struct twin t = twin_of(p, bits, bytes);
    free(bits);
    return t;
}

#define ON(t, gpu) ((gpu) ? (t).cuda : (t).cpu)

/* The batch: images, and what is in them. */
struct scene {
    struct twin ids, heights, widths, boxes, labels, first, masks, step;
};

static struct scene open_scene(struct pair p)
{
    const int64_t ids[IMAGES] = {12, ((int64_t)1 << 40) + 5};
    const float heights[IMAGES] = {SIDE - 30, SIDE}, widths[IMAGES] = {SIDE, SIDE - 77};
    const int32_t first[IMAGES + 1] = {0, OBJECTS, 2 * OBJECTS};
    int32_t labels[IMAGES * OBJECTS];
    uint32_t step = 17;
    static uint8_t masks[IMAGES * OBJECTS][SIDE * SIDE];
    for (int i = 0; i < IMAGES * OBJECTS; i++) {
        labels[i] = 1 + i % 3;
        for (int k = 0; k < SIDE * SIDE; k++)
            masks[i][k] = (k % SIDE * (k / SIDE) / 64 + i) % 3 == 0;
    }
    return (struct scene){
        twin_of(p, ids, sizeof ids),       twin_of(p, heights, sizeof heights),
        twin_of(p, widths, sizeof widths), twin_boxes(p, IMAGES * OBJECTS, 1, 300),
        twin_of(p, labels, sizeof labels), twin_of(p, first, sizeof first),
        twin_of(p, masks, sizeof masks),   twin_of(p, &step, sizeof step)};
}

static void close_scene(struct pair p, struct scene *s)
{
    struct twin all[] = {s->ids,    s->heights, s->widths, s->boxes,
                         s->labels, s->first,   s->masks,  s->step};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
}

static struct det_images images_on(const struct scene *s, int gpu)
{
    return (struct det_images){IMAGES, ON(s->ids, gpu), ON(s->heights, gpu), ON(s->widths, gpu)};
}

static struct det_truth truth_on(const struct scene *s, int gpu)
{
    return (struct det_truth){.boxes = ON(s->boxes, gpu),
                              .labels = ON(s->labels, gpu),
                              .masks = ON(s->masks, gpu),
                              .first = ON(s->first, gpu),
                              .mask_h = SIDE,
                              .mask_w = SIDE,
                              .max_rows = IMAGES * OBJECTS};
}

static struct det_device *device(struct pair p, int gpu)
{
    return gpu ? p.cuda : p.cpu;
}

Test(boxes, rpn_assign)
{
    enum { ANCHORS = 40000 };
    struct pair p = open_pair();
    struct scene s = open_scene(p);
    struct det_rpn_assign assign = {
        .n_anchors = ANCHORS,
        .matcher = {0.7f, 0.3f, 1},
        .sampler = {256, 0.5f, 5, DET_PURPOSE_RPN_POSITIVE, DET_PURPOSE_RPN_NEGATIVE},
        .coder_weights = {1, 1, 1, 1},
    };
    struct twin anchors = twin_boxes(p, ANCHORS, 2, 300);
    struct twin labels = twin_filled(p, IMAGES * ANCHORS);
    struct twin targets = twin_filled(p, IMAGES * ANCHORS * 4 * sizeof(float));
    struct twin counts = twin_filled(p, 4 * IMAGES * sizeof(int32_t));
    for (int gpu = 0; gpu < 2; gpu++) {
        struct det_images images = images_on(&s, gpu);
        struct det_truth truth = truth_on(&s, gpu);
        int32_t *n = ON(counts, gpu);
        struct det_rpn_sampled out = {ON(labels, gpu), ON(targets, gpu), n, n + IMAGES,
                                      n + 2 * IMAGES};
        device(p, gpu)->ops->rpn_assign(device(p, gpu), &assign, ON(anchors, gpu), &images, &truth,
                                        ON(s.step, gpu), &out);
    }
    expect_same(p, "rpn_assign", "labels", labels, 1);
    expect_same(p, "rpn_assign", "counts", counts, sizeof(int32_t));
    expect_near_floats(p, "rpn_assign", "targets", targets, 1e-6);
    struct twin all[] = {anchors, labels, targets, counts};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
    close_scene(p, &s);
    close_pair(p);
}

/* RoI rows: one block of memory a field. */
struct rows {
    struct twin count, boxes, image, level, labels, matched, targets, index, positives;
};

static struct rows open_rows(struct pair p, size_t n)
{
    return (struct rows){twin_filled(p, sizeof(int32_t)),
                         twin_filled(p, n * 16),
                         twin_filled(p, n * sizeof(int32_t)),
                         twin_filled(p, n * sizeof(int32_t)),
                         twin_filled(p, n * sizeof(int32_t)),
                         twin_filled(p, n * sizeof(int32_t)),
                         twin_filled(p, n * 16),
                         twin_filled(p, n * sizeof(int32_t)),
                         twin_filled(p, sizeof(int32_t))};
}

static struct det_rois rois_on(const struct rows *r, int max, int gpu)
{
    return (struct det_rois){max,
                             ON(r->count, gpu),
                             ON(r->boxes, gpu),
                             ON(r->image, gpu),
                             ON(r->level, gpu),
                             ON(r->labels, gpu),
                             ON(r->matched, gpu),
                             ON(r->targets, gpu),
                             ON(r->index, gpu),
                             ON(r->positives, gpu)};
}

/* Every row of them is live: the counts are as large as can be. */
static void expect_same_rows(struct pair p, const char *name, const struct rows *r)
{
    expect_same(p, name, "count", r->count, sizeof(int32_t));
    expect_same(p, name, "positives", r->positives, sizeof(int32_t));
    expect_same(p, name, "boxes", r->boxes, sizeof(float));
    expect_same(p, name, "image", r->image, sizeof(int32_t));
    expect_same(p, name, "level", r->level, sizeof(int32_t));
    expect_same(p, name, "labels", r->labels, sizeof(int32_t));
    expect_same(p, name, "matched", r->matched, sizeof(int32_t));
    expect_same(p, name, "index", r->index, sizeof(int32_t));
    expect_near_floats(p, name, "targets", r->targets, 1e-5);
}

static void close_rows(struct pair p, struct rows *r)
{
    struct twin all[] = {r->count,   r->boxes,   r->image, r->level,    r->labels,
                         r->matched, r->targets, r->index, r->positives};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
}

static const struct det_roi_assign roi_assign = {
    .matcher = {0.5f, 0.5f, 0},
    .sampler = {512, 0.25f, 5, DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE},
    .coder_weights = {10, 10, 5, 5},
    .append_ground_truth = 1,
    .n_levels = 4,
    .finest = 2,
};

Test(boxes, rois_and_their_masks)
{
    enum { PROPOSALS = 2000, ROIS = IMAGES * 512, MASKS = 64, SIZE = 28 };
    const int32_t counts[IMAGES] = {PROPOSALS, PROPOSALS - 300};
    struct pair p = open_pair();
    struct scene s = open_scene(p);
    struct twin proposals = twin_boxes(p, IMAGES * PROPOSALS, 3, 300);
    struct twin count = twin_of(p, counts, sizeof counts);
    struct twin index = twin_filled(p, MASKS * sizeof(int32_t));
    struct twin selected = twin_filled(p, sizeof(int32_t));
    struct twin targets = twin_filled(p, MASKS * SIZE * SIZE * sizeof(float));
    struct rows rois = open_rows(p, ROIS), masks = open_rows(p, MASKS);
    struct rows all = open_rows(p, IMAGES * PROPOSALS);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct det_device *dev = device(p, gpu);
        struct det_images images = images_on(&s, gpu);
        struct det_truth truth = truth_on(&s, gpu);
        struct det_proposals from = {ON(proposals, gpu), NULL, ON(count, gpu), NULL, PROPOSALS};
        struct det_rois out = rois_on(&rois, ROIS, gpu);
        struct det_rois mask_out = rois_on(&masks, MASKS, gpu);
        struct det_rois all_out = rois_on(&all, IMAGES * PROPOSALS, gpu);
        dev->ops->roi_assign(dev, &roi_assign, &from, &images, &truth, ON(s.step, gpu), &out);
        dev->ops->mask_select(dev, &out, ON(index, gpu), ON(selected, gpu), &mask_out);
        dev->ops->mask_targets(dev, &mask_out, &truth, SIZE, ON(targets, gpu));
        dev->ops->roi_collect(dev, &roi_assign, &from, &images, &all_out);
    }
    expect_same_rows(p, "roi_assign", &rois);
    expect_same_rows(p, "mask_select", &masks);
    expect_same_rows(p, "roi_collect", &all);
    expect_same(p, "mask_select", "index", index, sizeof(int32_t));
    expect_same(p, "mask_select", "count", selected, sizeof(int32_t));
    expect_same(p, "mask_targets", "targets", targets, sizeof(float));
    cr_expect_eq(*(int32_t *)CPU(rois.count), ROIS, "the rows that are compared are live");
    cr_expect_gt(*(int32_t *)CPU(selected), 10);
    struct twin others[] = {proposals, count, index, selected, targets};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        drop_twin(p, others[i]);
    close_rows(p, &rois);
    close_rows(p, &masks);
    close_rows(p, &all);
    close_scene(p, &s);
    close_pair(p);
}

/* Deltas without sides: exp(0) is 1 on every device, so that the boxes have the same bits. Logits
 * of steps that no sigmoid merges, with ties; some not finite. */
Test(boxes, rpn_propose)
{
    enum { ANCHORS = 20000, MOST = 1000 };
    struct pair p = open_pair();
    struct scene s = open_scene(p);
    struct det_proposal_filter filter = {
        .n_anchors = ANCHORS,
        .n_levels = 3,
        .level_first = {0, 15000, 19900, ANCHORS},
        .pre_nms = 2000,
        .post_nms = MOST,
        .nms_iou = 0.7f,
        .min_size = 1e-3f,
        .coder_weights = {1, 1, 1, 1},
        .delta_clip = DET_DELTA_CLIP,
    };
    static float logits[IMAGES * ANCHORS], deltas[IMAGES * ANCHORS][4];
    for (int i = 0; i < IMAGES * ANCHORS; i++) {
        logits[i] = i % 503 == 0 ? NAN : floorf(uniform(9, i, -3000, 3000)) / 1000.0f;
        deltas[i][0] = i % 701 == 0 ? INFINITY : uniform(10, 2 * i, -0.3f, 0.3f);
        deltas[i][1] = uniform(10, 2 * i + 1, -0.3f, 0.3f);
    }
    struct twin anchors = twin_boxes(p, ANCHORS, 4, 200);
    struct twin logit = twin_of(p, logits, sizeof logits),
                delta = twin_of(p, deltas, sizeof deltas);
    struct twin boxes = twin_filled(p, IMAGES * MOST * 16),
                scores = twin_filled(p, IMAGES * MOST * 4);
    struct twin count = twin_filled(p, IMAGES * 4), not_finite = twin_filled(p, 4);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct det_images images = images_on(&s, gpu);
        struct det_proposals out = {ON(boxes, gpu), ON(scores, gpu), ON(count, gpu),
                                    ON(not_finite, gpu), MOST};
        device(p, gpu)->ops->rpn_propose(device(p, gpu), &filter, ON(anchors, gpu), &images,
                                         ON(logit, gpu), ON(delta, gpu), &out);
    }
    expect_same(p, "rpn_propose", "count", count, sizeof(int32_t));
    expect_same(p, "rpn_propose", "not_finite", not_finite, sizeof(int32_t));
    expect_same(p, "rpn_propose", "boxes", boxes, sizeof(float));
    expect_near_floats(p, "rpn_propose", "scores", scores, 1e-6);
    struct twin all[] = {anchors, logit, delta, boxes, scores, count, not_finite};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
    close_scene(p, &s);
    close_pair(p);
}

/* A few hundred candidates, whose scores lie far apart next to a float's last bits. */
Test(boxes, detect)
{
    enum { ROIS = 160, CLASSES = 4, MOST = 100 };
    struct pair p = open_pair();
    struct scene s = open_scene(p);
    struct det_detect detect = {CLASSES, 0.05f, 0.5f, 1e-2f, MOST, {10, 10, 5, 5}, DET_DELTA_CLIP};
    static float logits[ROIS * CLASSES], deltas[ROIS * CLASSES][4];
    int32_t image[ROIS], live = ROIS;
    for (int i = 0; i < ROIS * CLASSES; i++) {
        logits[i] = i % 211 == 0 ? NAN : uniform(12, i, -2, 2);
        deltas[i][0] = uniform(13, i, -1, 1);
        image[i / CLASSES] = i / CLASSES >= ROIS / 3;
    }
    struct rows rois = open_rows(p, ROIS);
    drop_twin(p, rois.boxes);
    drop_twin(p, rois.image);
    drop_twin(p, rois.count);
    rois.boxes = twin_boxes(p, ROIS, 5, 200);
    rois.image = twin_of(p, image, sizeof image);
    rois.count = twin_of(p, &live, sizeof live);
    struct twin logit = twin_of(p, logits, sizeof logits),
                delta = twin_of(p, deltas, sizeof deltas);
    struct twin boxes = twin_filled(p, IMAGES * MOST * 16),
                scores = twin_filled(p, IMAGES * MOST * 4);
    struct twin labels = twin_filled(p, IMAGES * MOST * 4);
    struct twin count = twin_filled(p, IMAGES * 4), not_finite = twin_filled(p, 4);
    for (int gpu = 0; gpu < 2; gpu++) {
        struct det_images images = images_on(&s, gpu);
        struct det_rois from = rois_on(&rois, ROIS, gpu);
        struct det_detections out = {
            MOST,           ON(boxes, gpu),     ON(scores, gpu), ON(labels, gpu),
            ON(count, gpu), ON(not_finite, gpu)};
        device(p, gpu)->ops->detect(device(p, gpu), &detect, &images, &from, ON(logit, gpu),
                                    ON(delta, gpu), &out);
    }
    expect_same(p, "detect", "count", count, sizeof(int32_t));
    expect_same(p, "detect", "not_finite", not_finite, sizeof(int32_t));
    expect_same(p, "detect", "labels", labels, sizeof(int32_t));
    expect_same(p, "detect", "boxes", boxes, sizeof(float));
    expect_near_floats(p, "detect", "scores", scores, 1e-6);
    struct twin all[] = {logit, delta, boxes, scores, labels, count, not_finite};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop_twin(p, all[i]);
    close_rows(p, &rois);
    close_scene(p, &s);
    close_pair(p);
}
