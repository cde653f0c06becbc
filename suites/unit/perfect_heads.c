/* The answers fed back as predictions: labels become logits, encoded targets become deltas, mask
 * targets become masks. Training must find nothing to correct in them, and inference must return
 * the ground truth. That ties the two ends of every convention together: which index is background,
 * which class's deltas and mask count, how boxes are coded, in which order rows stand. */
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/boxes/anchors.h"
#include "detector/boxes/mask_targets.h"
#include "detector/boxes/proposals.h"
#include "detector/boxes/roi_assign.h"
#include "detector/boxes/rpn_assign.h"
#include "detector/inference/detect.h"
#include "detector/inference/mask_paste.h"
#include "detector/losses/losses.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum {
    H = 96,
    W = 128,
    IMAGES = 3,
    OBJECTS = 5,
    CLASSES = 4, /* with the background */
    LEVELS = 3,
    ANCHORS = 3 * (24 * 32 + 12 * 16 + 6 * 8),
    PROPOSALS = 30, /* most of an image */
    ROIS = IMAGES * 40,
    SIDE = 28,
};

/* Image 1 has no objects. Rows 0 and 1 overlap by more than the NMS threshold but differ in class:
 * both must come back. */
static const float objects[OBJECTS][4] = {
    {8, 8, 40, 40}, {8, 14, 40, 46}, {60, 20, 110, 80}, {20, 30, 36, 90}, {70, 5, 100, 25}};
static const int32_t labels[OBJECTS] = {1, 3, 2, 2, 1};
static const int32_t first[IMAGES + 1] = {0, 3, 3, 5};
static const int64_t ids[IMAGES] = {7, 8, 9};
static const float heights[IMAGES] = {H, H, H}, widths[IMAGES] = {W, W, W};
static const struct det_images images = {IMAGES, ids, heights, widths};
static uint8_t masks[OBJECTS][H * W];
static const struct det_truth truth = {objects[0], labels, masks[0], first, H, W, OBJECTS};

static const struct det_anchor_level levels[LEVELS] = {
    {24, 32, 4, 4, 16.0f}, {12, 16, 8, 8, 32.0f}, {6, 8, 16, 16, 64.0f}};
static float anchors[ANCHORS][4];

static const struct det_rpn_assign rpn_assign = {
    .n_anchors = ANCHORS,
    .matcher = {0.7f, 0.3f, 1},
    .sampler = {2 * ANCHORS, 0.5f, 5, 1, 2}, /* everything is sampled */
    .coder_weights = {1, 1, 1, 1},
};
static const struct det_proposal_filter filter = {
    .n_anchors = ANCHORS,
    .n_levels = LEVELS,
    .level_first = {0, 2304, 2880, 3024},
    .pre_nms = ANCHORS,
    .post_nms = PROPOSALS,
    .nms_iou = 0.7f,
    .min_size = 1e-3f,
    .score_threshold = 0.5f,
    .coder_weights = {1, 1, 1, 1},
    .delta_clip = DET_DELTA_CLIP,
};
static const struct det_roi_assign roi_assign = {
    .matcher = {0.5f, 0.5f, 0},
    .sampler = {40, 1.0f, 5, 3, 4},
    .coder_weights = {10, 10, 5, 5},
    .append_ground_truth = 1,
    .n_levels = 4,
    .finest = 2,
};
static const struct det_detect detect = {
    .n_classes = CLASSES,
    .score_threshold = 0.5f,
    .nms_iou = 0.5f,
    .min_size = 1e-2f,
    .max_per_image = PROPOSALS,
    .coder_weights = {10, 10, 5, 5},
    .delta_clip = DET_DELTA_CLIP,
};

static struct det_device *dev;

static void set_up(void)
{
    const size_t needs[] = {
        det_rpn_assign_scratch(&rpn_assign, OBJECTS), det_rpn_propose_scratch(&filter),
        det_roi_assign_scratch(PROPOSALS, OBJECTS),   det_detect_scratch(&detect, ROIS),
        det_mask_targets_scratch(H, W, SIDE),
    };
    size_t most = 0;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        most = needs[i] > most ? needs[i] : most;
    dev = open_cpu(2, most);
    cr_assert_eq(dev->ops->reserve_scratch(dev, most, det_mask_loss_scratch(ROIS), NULL), DET_OK);
}

static void tear_down(void)
{
    dev->ops->close(dev);
}

TestSuite(perfect_heads, .init = set_up, .fini = tear_down);

/* ---- the RPN ---- */

static struct det_rpn_sampled sample_anchors(void)
{
    static const float ratios[] = {0.5f, 1.0f, 2.0f};
    static int8_t sampled[IMAGES * ANCHORS];
    static float targets[IMAGES * ANCHORS][4];
    static int32_t counts[4 * IMAGES];
    struct det_rpn_sampled out = {sampled, targets[0], counts, counts + IMAGES,
                                  counts + 2 * IMAGES};
    cr_assert_eq(det_anchor_count(LEVELS, levels, 3), ANCHORS);
    det_anchors(LEVELS, levels, 3, ratios, anchors[0]);
    dev->ops->rpn_assign(dev, &rpn_assign, anchors[0], &images, &truth, &(uint32_t){3}, &out);
    return out;
}

static void expect_proposals(const struct det_proposals *p, int image)
{
    int found[OBJECTS] = {0};
    for (int k = 0; k < p->count[image]; k++) {
        const float *box = p->boxes + 4 * (image * p->max_per_image + k);
        int is_object = 0;
        for (int g = first[image]; g < first[image + 1]; g++)
            if (det_box_iou(box, objects[g]) > 0.9999f)
                is_object = found[g] = 1;
        cr_expect(is_object, "image %d, proposal %d: %g %g %g %g is no object", image, k,
                  (double)box[0], (double)box[1], (double)box[2], (double)box[3]);
    }
    for (int g = first[image]; g < first[image + 1]; g++)
        cr_expect(found[g], "image %d: object %d was not proposed", image, g);
}

Test(perfect_heads, anchors_that_know_propose_the_objects)
{
    static float logits[IMAGES * ANCHORS], dlogits[IMAGES * ANCHORS], ddeltas[IMAGES * ANCHORS][4];
    static float boxes[IMAGES * PROPOSALS][4], scores[IMAGES * PROPOSALS];
    int32_t count[IMAGES], not_finite;
    struct det_rpn_sampled sampled = sample_anchors();
    struct det_cls_loss cls = {.pos_weight = 5.0f, .avg_factor = DET_AVG_SAMPLED};
    struct det_box_loss box = {.beta = 1 / 9.0f, .avg_factor = DET_AVG_SAMPLED};
    struct det_proposals proposals = {boxes[0], scores, count, &not_finite, PROPOSALS};
    struct det_cls_stats stats;
    double loss;
    for (int a = 0; a < IMAGES * ANCHORS; a++)
        logits[a] = sampled.labels[a] == 1 ? 20.0f : -20.0f;
    dev->ops->rpn_cls_loss(dev, &cls, IMAGES * ANCHORS, logits, sampled.labels, &loss, dlogits,
                           &stats);
    cr_expect(loss < 1e-7, "loss_rpn_cls %g", loss); /* 5 log(1 + e^-20) = 1e-8 a row */
    cr_expect(stats.positives > 5 && stats.positives_right == stats.positives,
              "%d of %d positives are right", stats.positives_right, stats.positives);
    dev->ops->rpn_box_loss(dev, &box, IMAGES * ANCHORS, sampled.targets, sampled.targets,
                           sampled.labels, &loss, ddeltas[0]);
    cr_expect_eq(loss, 0.0, "loss_rpn_bbox %g", loss);
    dev->ops->rpn_propose(dev, &filter, anchors[0], &images, logits, sampled.targets, &proposals);
    cr_expect_eq(count[1], 0, "%d proposals where there is no object", count[1]);
    for (int i = 0; i < IMAGES; i++)
        expect_proposals(&proposals, i);
}

/* ---- the RoI heads ---- */

/* RoIs with their targets: each object moved six times by up to 3 pixels, and boxes anywhere. */
struct roi_batch {
    int32_t count, n_positive;
    float boxes[ROIS][4], targets[ROIS][4];
    int32_t image[ROIS], level[ROIS], labels[ROIS], matched[ROIS], index[ROIS];
};

static struct det_rois rois_of(struct roi_batch *b)
{
    return (struct det_rois){ROIS,      &b->count,  b->boxes[0],   b->image, b->level,
                             b->labels, b->matched, b->targets[0], b->index, &b->n_positive};
}

static void make_rois(struct roi_batch *b)
{
    static float boxes[IMAGES][PROPOSALS][4];
    int32_t count[IMAGES] = {0};
    struct draws d = {.seed = 91};
    for (int i = 0; i < IMAGES; i++) {
        for (int g = first[i]; g < first[i + 1]; g++)
            for (int k = 0; k < 6; k++, count[i]++)
                for (int c = 0; c < 4; c++)
                    boxes[i][count[i]][c] = objects[g][c] + draw(&d, -3.0f, 3.0f);
        draw_boxes(&d, 6, H, 0, boxes[i][count[i]]);
        count[i] += 6;
    }
    struct det_proposals proposals = {boxes[0][0], NULL, count, NULL, PROPOSALS};
    struct det_rois out = rois_of(b);
    dev->ops->roi_assign(dev, &roi_assign, &proposals, &images, &truth, &(uint32_t){3}, &out);
    cr_assert(b->n_positive >= 5 * 7 && b->count > b->n_positive, "%d of %d RoIs are positive",
              b->n_positive, b->count);
}

/* One-hot logits and, in the slot of each row's class, its targets; the other slots are wrong. */
static void answer(const struct roi_batch *b, float (*logits)[CLASSES], float (*deltas)[CLASSES][4])
{
    for (int r = 0; r < b->count; r++)
        for (int c = 0; c < CLASSES; c++) {
            logits[r][c] = b->labels[r] == c ? 20.0f : -20.0f;
            for (int k = 0; k < 4; k++)
                deltas[r][c][k] = b->labels[r] == c ? b->targets[r][k] : 2.5f;
        }
}

static void expect_detections(const struct det_detections *found, int image)
{
    int n = first[image + 1] - first[image];
    cr_expect_eq(found->count[image], n, "image %d: %d detections of %d objects", image,
                 found->count[image], n);
    for (int g = first[image]; g < first[image + 1]; g++) {
        int hits = 0;
        for (int k = 0; k < found->count[image]; k++) {
            int row = image * found->max_per_image + k;
            hits += found->labels[row] == labels[g] && found->scores[row] > 0.999f &&
                    det_box_iou(found->boxes + 4 * row, objects[g]) > 0.9999f;
        }
        cr_expect_eq(hits, 1, "image %d, object %d of class %d: %d detections", image, g, labels[g],
                     hits);
    }
}

Test(perfect_heads, rois_that_know_detect_the_objects)
{
    static struct roi_batch b;
    static float logits[ROIS][CLASSES], deltas[ROIS][CLASSES][4];
    static float dlogits[ROIS][CLASSES], ddeltas[ROIS][CLASSES][4];
    static float boxes[IMAGES * PROPOSALS][4], scores[IMAGES * PROPOSALS];
    static int32_t found_labels[IMAGES * PROPOSALS];
    int32_t count[IMAGES], not_finite;
    struct det_cls_loss cls = {.pos_weight = 3.0f, .avg_factor = DET_AVG_WEIGHTS};
    struct det_box_loss box = {.beta = 1 / 9.0f, .avg_factor = DET_AVG_SAMPLED};
    struct det_detections found = {PROPOSALS, boxes[0], scores, found_labels, count, &not_finite};
    struct det_cls_stats stats;
    double loss;
    make_rois(&b);
    answer(&b, logits, deltas);
    dev->ops->roi_cls_loss(dev, &cls, ROIS, CLASSES, &b.count, logits[0], b.labels, &loss,
                           dlogits[0], &stats);
    cr_expect(loss < 1e-12, "loss_cls %g", loss);
    cr_expect(stats.rows_right == b.count, "%d of %d rows are right", stats.rows_right, b.count);
    dev->ops->roi_box_loss(dev, &box, ROIS, CLASSES, &b.count, deltas[0][0], b.targets[0], b.labels,
                           &loss, ddeltas[0][0]);
    cr_expect_eq(loss, 0.0, "loss_bbox %g", loss);
    struct det_rois rois = rois_of(&b);
    dev->ops->detect(dev, &detect, &images, &rois, logits[0], deltas[0][0], &found);
    for (int i = 0; i < IMAGES; i++)
        expect_detections(&found, i);
}

/* ---- the mask head ---- */

/* An ellipse without its upper left quarter: turned or mirrored, it is another shape. */
static void make_masks(void)
{
    for (int g = 0; g < OBJECTS; g++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                const float *b = objects[g];
                float u = ((float)x + 0.5f - b[0]) / (b[2] - b[0]) * 2.0f - 1.0f;
                float v = ((float)y + 0.5f - b[1]) / (b[3] - b[1]) * 2.0f - 1.0f;
                masks[g][y * W + x] = u * u + v * v < 1.0f && !(u < 0.0f && v < 0.0f);
            }
}

/* A pasted mask and the object's: pixels of both, over pixels of either. */
static double mask_iou(const uint8_t *pasted, int object)
{
    int both = 0, either = 0;
    for (int i = 0; i < H * W; i++) {
        both += pasted[i] && masks[object][i];
        either += pasted[i] || masks[object][i];
    }
    return (double)both / either;
}

/* The predicted masks are the targets in the channel of each row's class, their opposite elsewhere.
 * Only a RoI that is the object's own box shows all of its mask: those are pasted. */
Test(perfect_heads, masks_that_know_paste_the_objects)
{
    static struct roi_batch b, positives;
    static int32_t index[ROIS];
    static float targets[ROIS][SIDE * SIDE];
    static float logits[ROIS][CLASSES][SIDE * SIDE], dlogits[ROIS][CLASSES][SIDE * SIDE];
    static uint8_t pasted[H * W];
    double loss;
    int pasted_objects = 0;
    make_masks();
    make_rois(&b);
    struct det_rois all = rois_of(&b), masked = rois_of(&positives);
    dev->ops->mask_select(dev, &all, index, &positives.count, &masked);
    cr_assert_eq(positives.count, b.n_positive);
    dev->ops->mask_targets(dev, &masked, &truth, SIDE, targets[0]);
    for (int r = 0; r < positives.count; r++)
        for (int c = 0; c < CLASSES; c++)
            for (int i = 0; i < SIDE * SIDE; i++) {
                float t = fminf(fmaxf(targets[r][i], 1e-6f), 1.0f - 1e-6f);
                logits[r][c][i] = (c == positives.labels[r] ? 1.0f : -1.0f) * logf(t / (1.0f - t));
            }
    dev->ops->mask_loss(dev, NULL, ROIS, CLASSES, SIDE, &positives.count, logits[0][0], targets[0],
                        positives.labels, &loss, dlogits[0][0]);
    for (int r = 0; r < positives.count; r++)
        for (int c = 0; c < CLASSES; c++)
            for (int i = 0; i < SIDE * SIDE; i++)
                cr_assert(fabsf(dlogits[r][c][i]) < 1e-9f, "RoI %d, class %d: gradient %g", r, c,
                          (double)dlogits[r][c][i]);
    for (int r = 0; r < positives.count; r++) {
        int object = positives.matched[r];
        if (memcmp(positives.boxes[r], objects[object], sizeof objects[object]) != 0)
            continue;
        float *mask = logits[r][positives.labels[r]];
        det_mask_probabilities(SIDE * SIDE, mask, mask);
        det_mask_paste_binary(mask, SIDE, positives.boxes[r], H, W, 0.5f, pasted);
        cr_expect(mask_iou(pasted, object) > 0.9, "object %d: the pasted mask has IoU %g", object,
                  mask_iou(pasted, object));
        pasted_objects++;
    }
    cr_expect_eq(pasted_objects, OBJECTS);
}
