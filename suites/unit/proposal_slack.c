/* Lists of proposals judged by logits and boxes: what rpn_propose makes is legal; a list made from
 * other numbers is off by what these moved, where the change began, and nowhere else. */
#include "harness/decisions/proposal_slack.h"

#include "detector/bodies/probability.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { ANCHORS = 60, LEVELS = 2 };

static const double limits[FLIP_KINDS] = {[FLIP_RANK] = 1e-3, [FLIP_NMS] = 1e-3, [FLIP_SIZE] = 1e-3};

static const struct det_proposal_filter filter = {
    .n_anchors = ANCHORS, .n_levels = LEVELS, .level_first = {0, 40, 60}, .pre_nms = 30,
    .post_nms = 12, .nms_iou = 0.5f, .min_size = 2.0f, .coder_weights = {1, 1, 1, 1},
    .delta_clip = 4.0f};

struct scene {
    float anchors[ANCHORS][4], deltas[ANCHORS][4], logits[ANCHORS];
    struct proposal_numbers numbers;
    int n;
    int32_t list[ANCHORS];
    struct slack slack[ANCHORS];
};

static void make_numbers(struct scene *s)
{
    cr_assert_eq(proposal_numbers_make(&filter, s->anchors[0], s->logits, s->deltas[0], 64.0f,
                                       64.0f, &s->numbers, NULL), DET_OK);
}

/* Anchors are the boxes: deltas are 0. */
static struct scene *make_scene(uint32_t seed)
{
    struct draws d = {.seed = seed};
    struct scene *s = calloc(1, sizeof *s);
    cr_assert_not_null(s);
    draw_boxes(&d, ANCHORS, 64.0f, 0, s->anchors[0]);
    for (int a = 0; a < ANCHORS; a++)
        s->logits[a] = draw(&d, -3.0f, 3.0f);
    make_numbers(s);
    return s;
}

/* The numbers of `to` become other ones, its list stays. */
static void take_numbers(struct scene *to, const struct scene *from)
{
    proposal_numbers_release(&to->numbers);
    memcpy(to->anchors, from->anchors, sizeof to->anchors);
    memcpy(to->logits, from->logits, sizeof to->logits);
    make_numbers(to);
}

static void drop(struct scene *s)
{
    proposal_numbers_release(&s->numbers);
    free(s);
}

/* The detector's own, and which anchors they are. */
static void propose(struct scene *s)
{
    float boxes[ANCHORS][4], scores[ANCHORS], height = 64.0f, width = 64.0f;
    int32_t count, not_finite;
    struct det_images images = {.n = 1, .heights = &height, .widths = &width};
    struct det_proposals out = {boxes[0], scores, &count, &not_finite, filter.post_nms};
    struct det_device *dev;
    cr_assert_eq(det_cpu_backend()->open(1, &dev, NULL), DET_OK);
    cr_assert_eq(dev->ops->reserve_scratch(dev, 1 << 16, 0, NULL), DET_OK);
    dev->ops->rpn_propose(dev, &filter, s->anchors[0], &images, s->logits, s->deltas[0], &out);
    dev->ops->close(dev);
    s->n = count;
    cr_assert_eq(proposal_anchors(&s->numbers, count, (const float(*)[4])boxes, scores, s->list),
                 count);
}

static double worst(struct scene *s)
{
    double most = 0.0;
    cr_assert_eq(proposal_slack(&s->numbers, s->n, s->list, limits, s->slack, NULL), DET_OK);
    for (int a = 0; a < ANCHORS; a++)
        most = fmax(most, s->slack[a].share);
    return most;
}

static int with_slack(const struct scene *s)
{
    int n = 0;
    for (int a = 0; a < ANCHORS; a++)
        n += s->slack[a].share > 1e-3;
    return n;
}

Test(proposal_slack, what_the_detector_does_is_legal)
{
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct scene *s = make_scene(seed);
        propose(s);
        double got = worst(s);
        cr_expect(got <= 1e-3, "seed %u: %g of the limit, want <= 1e-3", seed, got);
        drop(s);
    }
}

/* Every logit and every corner moves a little; the list that comes of it is off by no more than that
 * under the first numbers, however many places change. */
Test(proposal_slack, another_list_is_off_by_what_moved)
{
    int changed = 0, beyond_origin = 0;
    for (uint32_t seed = 0; seed < 300; seed++) {
        struct scene *s = make_scene(seed), *moved = make_scene(seed);
        struct draws d = {.seed = seed + 7000};
        for (int a = 0; a < ANCHORS; a++) {
            moved->logits[a] += draw(&d, -0.01f, 0.01f);
            for (int k = 0; k < 4; k++)
                moved->anchors[a][k] += draw(&d, -0.01f, 0.01f);
        }
        take_numbers(moved, moved);
        propose(s);
        propose(moved);
        int differ = s->n != moved->n || memcmp(s->list, moved->list, (size_t)s->n * 4) != 0;
        take_numbers(moved, s);
        worst(moved);
        for (int a = 0; a < ANCHORS; a++) {
            const struct slack *k = &moved->slack[a];
            double most = k->kind == FLIP_RANK ? 0.02 : k->kind == FLIP_NMS ? 0.03 : 0.02;
            cr_expect(k->margin <= most, "seed %u, anchor %d, %d: margin %g, want <= %g", seed, a,
                      (int)k->kind, k->margin, most);
        }
        cr_expect(!differ || with_slack(moved) > 0, "seed %u: another list without a flip", seed);
        changed += differ;
        beyond_origin += differ && with_slack(moved) == 1;
        drop(s);
        drop(moved);
    }
    cr_expect_gt(changed, 30, "%d lists changed", changed);
    cr_expect_gt(beyond_origin, 10, "%d changed by one flip", beyond_origin);
}

/* Two places exchanged: the margin is the difference of their logits, told once. */
Test(proposal_slack, an_exchange_is_by_the_logits)
{
    struct scene *s = make_scene(5);
    propose(s);
    int32_t a = s->list[2], b = s->list[3];
    double gap = (double)s->logits[a] - (double)s->logits[b];
    s->list[2] = b;
    s->list[3] = a;
    worst(s);
    cr_expect(s->slack[a].kind == FLIP_RANK && fabs(s->slack[a].margin - gap) < 1e-9,
              "margin %g, want %g", s->slack[a].margin, gap);
    cr_expect_eq(with_slack(s), 1, "%d, want the one that fell behind", with_slack(s));
    drop(s);
}

/* A proposal replaced by one that it suppresses, or that is far below. */
Test(proposal_slack, what_no_tie_explains_is_far_beyond)
{
    struct scene *s = make_scene(6);
    propose(s);
    int32_t lowest = s->numbers.order[s->numbers.n_usable - 1];
    s->list[0] = lowest;
    cr_expect_gt(worst(s), 100.0, "the lowest first: %g of the limit", worst(s));
    propose(s);
    s->n--;
    cr_expect_gt(worst(s), 10.0, "one fewer: %g of the limit", worst(s));
    s->logits[s->list[1]] = NAN;
    take_numbers(s, s);
    cr_expect(isinf(worst(s)), "a NaN among them: slack is finite");
    drop(s);
}

/* The suppressed one of a pair comes back where their overlap is at the threshold. */
Test(proposal_slack, suppression_is_by_the_overlap)
{
    struct scene *s = make_scene(8);
    for (int a = 0; a < ANCHORS; a++) {
        s->logits[a] = -5.0f - (float)a;
        s->anchors[a][2] = s->anchors[a][0] + 1.0f; /* too small */
    }
    static const float pair[2][4] = {{10, 10, 30, 30}, {10, 10, 30, 20.002f}};
    memcpy(s->anchors, pair, sizeof pair);
    take_numbers(s, s);
    propose(s);
    cr_assert(s->n == 1 && s->list[0] == 0, "%d proposals", s->n);
    s->n = 2;
    s->list[1] = 1;
    worst(s);
    cr_expect(s->slack[1].kind == FLIP_NMS && fabs(s->slack[1].margin - 1e-4) < 1e-6,
              "kept: kind %d, margin %g, want 1e-4", (int)s->slack[1].kind, s->slack[1].margin);
    s->list[0] = 1;
    s->n = 1;
    worst(s);
    cr_expect(s->slack[0].kind == FLIP_NMS || s->slack[0].kind == FLIP_RANK);
    cr_expect_gt(s->slack[0].share, 0.05, "the lower one alone: %g", s->slack[0].share);
    drop(s);
}

Test(proposal_slack, a_box_that_is_no_anchors_is_told)
{
    struct scene *s = make_scene(9);
    int32_t anchors[2];
    float boxes[2][4], scores[2];
    for (int i = 0; i < 2; i++) {
        int32_t a = s->numbers.order[i];
        memcpy(boxes[i], s->anchors[a], sizeof boxes[i]);
        scores[i] = det_sigmoid(s->logits[a]);
    }
    cr_expect_eq(proposal_anchors(&s->numbers, 2, (const float(*)[4])boxes, scores, anchors), 2);
    boxes[1][2] += 0.01f;
    cr_expect_eq(proposal_anchors(&s->numbers, 2, (const float(*)[4])boxes, scores, anchors), 1);
    boxes[1][2] -= 0.01f;
    scores[1] += 1e-3f;
    cr_expect_eq(proposal_anchors(&s->numbers, 2, (const float(*)[4])boxes, scores, anchors), 1);
    memcpy(boxes[1], boxes[0], sizeof boxes[1]);
    scores[1] = scores[0];
    cr_expect_eq(proposal_anchors(&s->numbers, 2, (const float(*)[4])boxes, scores, anchors), 1,
                 "one anchor twice");
    drop(s);
}
