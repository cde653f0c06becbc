/* What must hold for COCO evaluation whatever the scenes are: random images with boxes and the
 * masks of those boxes, evaluated twice in ways that must not, or must, make a difference. */
#include "detector/evaluation/coco_eval.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 12, CATEGORIES = 3, OBJECTS = 5, DETECTIONS = 9, SIDE = 120 };

struct scene_row {
    int image, category; /* ranks */
    int x, y, w, h;
    double score;
};

struct scene {
    struct scene_row truth[IMAGES * OBJECTS], detections[IMAGES * DETECTIONS];
    int n_truth, n_detections;
};

static uint32_t state;

static int draw(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
}

/* Every third image is empty; detections are moved objects or anything at all. */
static void make_scene(uint32_t seed, struct scene *s)
{
    state = seed * 2654435761u + 1;
    s->n_truth = s->n_detections = 0;
    for (int i = 0; i < IMAGES; i++) {
        for (int j = 0; j < OBJECTS && i % 3; j++)
            s->truth[s->n_truth++] = (struct scene_row){.image = i,
                                                        .category = draw(CATEGORIES),
                                                        .x = draw(60),
                                                        .y = draw(60),
                                                        .w = 4 + draw(50),
                                                        .h = 4 + draw(50)};
        for (int j = 0; j < DETECTIONS; j++) {
            struct scene_row row = {.image = i,
                                    .category = draw(CATEGORIES),
                                    .x = draw(60),
                                    .y = draw(60),
                                    .w = 4 + draw(50),
                                    .h = 4 + draw(50)};
            if (i % 3 && j < 6) {
                row = s->truth[s->n_truth - 1 - draw(OBJECTS)];
                row.x += draw(5);
                row.w += draw(5);
            }
            row.score = (1 + draw(20)) / 21.0; /* many ties */
            s->detections[s->n_detections++] = row;
        }
    }
}

/* Ids with gaps, the images' against the order of their ranks where `reversed`. */
static int64_t image_id(int rank, int reversed)
{
    return 1000 + 17 * (reversed ? IMAGES - 1 - rank : rank);
}

static struct det_rle box_mask(const struct scene_row *row)
{
    uint8_t mask[SIDE * SIDE] = {0};
    for (int y = row->y; y < row->y + row->h; y++)
        memset(mask + y * SIDE + row->x, 1, (size_t)row->w);
    struct det_rle rle;
    cr_assert_eq(det_rle_encode(mask, SIDE, SIDE, &rle, NULL), DET_OK);
    return rle;
}

static struct det_coco_eval *open_eval(enum det_iou_type type, int reversed)
{
    int64_t categories[CATEGORIES], images[IMAGES];
    for (int k = 0; k < CATEGORIES; k++)
        categories[k] = 3 + 5 * k;
    for (int i = 0; i < IMAGES; i++)
        images[i] = image_id(i, reversed);
    struct det_coco_eval *eval = NULL;
    cr_assert_eq(det_coco_eval_create(type, categories, CATEGORIES, images, IMAGES, &eval, NULL),
                 DET_OK);
    return eval;
}

static void add(struct det_coco_eval *eval, enum det_iou_type type, const struct scene_row *row,
                int reversed, int detection)
{
    struct det_rle mask = {0};
    struct det_error err = {0};
    struct det_coco_row to = {.image_id = image_id(row->image, reversed),
                              .category_id = 3 + 5 * row->category,
                              .box = {row->x, row->y, row->w, row->h},
                              .area = NAN,
                              .score = row->score,
                              .mask = &mask};
    if (type == DET_IOU_SEGM)
        mask = box_mask(row);
    enum det_code code = detection ? det_coco_eval_add_detection(eval, &to, &err)
                                   : det_coco_eval_add_truth(eval, &to, &err);
    cr_assert_eq(code, DET_OK, "%s", err.message);
    cr_assert_null(mask.counts, "the mask was not moved");
}

static struct det_coco_eval *fill(enum det_iou_type type, const struct scene *s, int reversed)
{
    struct det_coco_eval *eval = open_eval(type, reversed);
    for (int i = 0; i < s->n_truth; i++)
        add(eval, type, &s->truth[i], reversed, 0);
    for (int i = 0; i < s->n_detections; i++)
        add(eval, type, &s->detections[i], reversed, 1);
    return eval;
}

static struct det_coco_result *run(struct det_coco_eval *eval, struct det_pool *pool)
{
    struct det_coco_result *result = NULL;
    struct det_error err = {0};
    cr_assert_eq(det_coco_eval_run(eval, pool, &result, &err), DET_OK, "%s", err.message);
    det_coco_eval_destroy(eval);
    return result;
}

static int same_bits(const struct det_coco_result *a, const struct det_coco_result *b)
{
    size_t n = CATEGORIES * DET_COCO_IOUS * DET_COCO_AREAS * DET_COCO_CAPS;
    return !memcmp(a->stats, b->stats, sizeof a->stats) &&
           !memcmp(a->precision, b->precision, n * DET_COCO_RECALLS * sizeof(double)) &&
           !memcmp(a->recall, b->recall, n * sizeof(double)) &&
           !memcmp(a->category_ap, b->category_ap, CATEGORIES * sizeof(double));
}

static void expect_same(struct det_coco_result *a, struct det_coco_result *b, const char *what,
                        uint32_t seed)
{
    cr_expect(same_bits(a, b), "%s, seed %u: AP %.17g and %.17g", what, seed, a->stats[DET_COCO_AP],
              b->stats[DET_COCO_AP]);
    det_coco_result_destroy(a);
    det_coco_result_destroy(b);
}

Test(coco_properties, ground_truth_as_detections_scores_one)
{
    struct scene s;
    for (int type = DET_IOU_BBOX; type <= DET_IOU_SEGM; type++) {
        make_scene(7, &s);
        memcpy(s.detections, s.truth, sizeof s.truth);
        s.n_detections = s.n_truth;
        for (int i = 0; i < s.n_detections; i++)
            s.detections[i].score = 0.5 + i % 4 / 10.0;
        struct det_coco_result *result = run(fill((enum det_iou_type)type, &s, 0), NULL);
        /* AR1 aside, where an image has several objects of a class. */
        for (int i = 0; i < DET_COCO_STATS; i++)
            if (i != DET_COCO_AR1 && result->stats[i] != -1)
                cr_expect(fabs(result->stats[i] - 1) <= 1e-12, "type %d, stat %d: got %.17g", type,
                          i, result->stats[i]);
        cr_expect(result->stats[DET_COCO_AP] > 0.5, "AP is defined");
        det_coco_result_destroy(result);
    }
}

Test(coco_properties, same_bits_for_any_number_of_threads)
{
    struct scene s;
    struct det_pool *pool = NULL;
    cr_assert_eq(det_pool_create(3, &pool, NULL), DET_OK);
    for (uint32_t seed = 0; seed < 4; seed++) {
        make_scene(seed, &s);
        enum det_iou_type type = seed % 2 ? DET_IOU_SEGM : DET_IOU_BBOX;
        expect_same(run(fill(type, &s, 0), NULL), run(fill(type, &s, 0), pool), "threads", seed);
    }
    det_pool_destroy(pool);
}

/* Distinct scores, so that no tie is broken by the order. */
static void make_distinct(struct scene *s)
{
    for (int i = 0; i < s->n_detections; i++)
        s->detections[i].score = (1 + i * 37 % 109) / 110.0;
}

static void shuffle(struct scene_row *rows, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = draw(i + 1);
        struct scene_row kept = rows[i];
        rows[i] = rows[j];
        rows[j] = kept;
    }
}

Test(coco_properties, order_of_rows_and_images_is_nothing)
{
    struct scene s, shuffled;
    for (uint32_t seed = 0; seed < 10; seed++) {
        make_scene(seed, &s);
        make_distinct(&s);
        shuffled = s;
        shuffle(shuffled.truth, shuffled.n_truth);
        shuffle(shuffled.detections, shuffled.n_detections);
        expect_same(run(fill(DET_IOU_BBOX, &s, 0), NULL),
                    run(fill(DET_IOU_BBOX, &shuffled, 1), NULL), "shuffled", seed);
    }
}

/* Matches of an image do not change when other images' rows come or go: with two halves evaluated
 * apart, the objects found add up. */
Test(coco_properties, images_are_independent)
{
    struct scene s, half;
    for (uint32_t seed = 0; seed < 10; seed++) {
        make_scene(seed, &s);
        struct det_coco_result *whole = run(fill(DET_IOU_BBOX, &s, 0), NULL);
        size_t sum[3] = {0};
        for (int side = 0; side < 2; side++) {
            half.n_truth = half.n_detections = 0;
            for (int i = 0; i < s.n_truth; i++)
                if (s.truth[i].image % 2 == side)
                    half.truth[half.n_truth++] = s.truth[i];
            for (int i = 0; i < s.n_detections; i++)
                if (s.detections[i].image % 2 == side)
                    half.detections[half.n_detections++] = s.detections[i];
            struct det_coco_result *part = run(fill(DET_IOU_BBOX, &half, 0), NULL);
            for (int i = 0; i < 3; i++)
                sum[i] += det_coco_found(part, -1, 0.4 * i);
            det_coco_result_destroy(part);
        }
        for (int i = 0; i < 3; i++)
            cr_expect_eq(det_coco_found(whole, -1, 0.4 * i), sum[i],
                         "seed %u, score %g: %zu found together, %zu apart", seed, 0.4 * i,
                         det_coco_found(whole, -1, 0.4 * i), sum[i]);
        cr_expect_gt(sum[0], 0, "seed %u: nothing was found, nothing was tested", seed);
        det_coco_result_destroy(whole);
    }
}

/* Boxes and the masks of those boxes have the same IoU, hence the same answer. */
Test(coco_properties, masks_of_boxes_score_as_boxes)
{
    struct scene s;
    for (uint32_t seed = 0; seed < 6; seed++) {
        make_scene(seed, &s);
        expect_same(run(fill(DET_IOU_BBOX, &s, 0), NULL), run(fill(DET_IOU_SEGM, &s, 0), NULL),
                    "boxes and masks", seed);
    }
}

/* A mistake below every other score changes nothing; above all of them it never helps. */
Test(coco_properties, mistakes_only_cost)
{
    struct scene s;
    for (uint32_t seed = 0; seed < 10; seed++) {
        make_scene(seed, &s);
        s.n_detections--; /* room for one more */
        struct det_coco_result *before = run(fill(DET_IOU_BBOX, &s, 0), NULL);
        s.detections[s.n_detections++] =
            (struct scene_row){.image = 0, .category = 1, .x = 1, .y = 1, .w = 9, .h = 9};
        for (int above = 0; above < 2; above++) {
            s.detections[s.n_detections - 1].score = above;
            struct det_coco_result *after = run(fill(DET_IOU_BBOX, &s, 0), NULL);
            double was = before->stats[DET_COCO_AP], is = after->stats[DET_COCO_AP];
            cr_expect(above ? is < was : is == was, "seed %u, above %d: AP %.17g, then %.17g", seed,
                      above, was, is);
            det_coco_result_destroy(after);
        }
        det_coco_result_destroy(before);
    }
}

Test(coco_properties, evaluator_runs_again)
{
    struct scene s;
    make_scene(3, &s);
    struct det_coco_eval *eval = fill(DET_IOU_BBOX, &s, 0);
    struct det_coco_result *first = NULL;
    cr_assert_eq(det_coco_eval_run(eval, NULL, &first, NULL), DET_OK);
    det_coco_eval_clear_detections(eval);
    for (int i = 0; i < s.n_detections; i++)
        add(eval, DET_IOU_BBOX, &s.detections[i], 0, 1);
    expect_same(first, run(eval, NULL), "run again", 3);
}
