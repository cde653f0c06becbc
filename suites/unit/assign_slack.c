/* Outcomes of matching and sampling judged by exact IoUs: what the detector does is legal, what is
 * not is by as much as it is off, and what follows from another flip is free. */
#include "harness/decisions/assign_slack.h"

#include "detector/boxes/matcher.h"
#include "detector/boxes/sampler.h"
#include "harness/decisions/exact_iou.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 120, OBJECTS = 5 };

struct scene {
    float boxes[CANDIDATES][4], truth[OBJECTS][4];
    int8_t drawn[CANDIDATES];
    int32_t matched[CANDIDATES];
    double slack[CANDIDATES];
    struct assignment a;
};

/* Candidates around the objects and elsewhere. */
static void make_scene(uint32_t seed, int objects, int low_quality, struct scene *s)
{
    struct draws d = {.seed = seed};
    memset(s, 0, sizeof *s);
    draw_boxes(&d, OBJECTS, 64.0f, 0, s->truth[0]);
    draw_boxes(&d, CANDIDATES, 64.0f, 0, s->boxes[0]);
    for (int c = 0; c < CANDIDATES; c += 2)
        for (int k = 0; k < 4; k++)
            s->boxes[c][k] = s->truth[c % OBJECTS][k] + draw(&d, -2.0f, 2.0f);
    s->a = (struct assignment){
        .matcher = {0.5f, low_quality ? 0.3f : 0.5f, low_quality},
        .sampler = {24, 0.25f, seed, DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE},
        .image_id = 3, .step = 9, .n = CANDIDATES, .boxes = s->boxes[0], .n_truth = objects,
        .truth = s->truth[0], .drawn = s->drawn, .matched = s->matched};
}

/* What the detector makes of it. */
static void assign(struct scene *s)
{
    uint64_t keys[CANDIDATES];
    void *scratch = malloc(det_match_scratch(OBJECTS, CANDIDATES) + 1);
    det_match_boxes(&s->a.matcher, s->a.n_truth, s->a.n_truth ? s->truth[0] : NULL, CANDIDATES,
                    s->boxes[0], s->matched, scratch);
    free(scratch);
    for (int c = 0; c < CANDIDATES; c++)
        s->drawn[c] = s->matched[c] >= 0 ? 1 : s->matched[c] == DET_MATCH_BACKGROUND ? 0 : -1;
    det_sample(&s->a.sampler, CANDIDATES, s->drawn, s->a.image_id, s->a.step, keys);
}

static double worst(struct scene *s)
{
    double most = 0.0;
    cr_assert_eq(assign_slack(&s->a, s->slack, NULL), DET_OK);
    for (int c = 0; c < CANDIDATES; c++)
        most = fmax(most, s->slack[c]);
    return most;
}

static int first_drawn(const struct scene *s, int8_t as)
{
    for (int c = 0; c < CANDIDATES; c++)
        if (s->drawn[c] == as)
            return c;
    cr_assert_fail("none drawn as %d", as);
    return 0;
}

Test(assign_slack, what_the_detector_does_is_legal)
{
    for (uint32_t seed = 0; seed < 40; seed++)
        for (int low_quality = 0; low_quality < 2; low_quality++)
            for (int objects = 0; objects <= OBJECTS; objects += OBJECTS) {
                struct scene s;
                make_scene(seed, objects, low_quality, &s);
                assign(&s);
                double got = worst(&s);
                cr_expect(got <= 3e-7, "seed %u, %d objects, low quality %d: slack %g, want <= 3e-7",
                          seed, objects, low_quality, got);
            }
}

Test(assign_slack, a_flip_is_by_as_much_as_it_is_off)
{
    for (uint32_t seed = 0; seed < 40; seed++) {
        struct scene s;
        make_scene(seed, OBJECTS, 0, &s);
        assign(&s);
        int c = first_drawn(&s, 1);
        double iou = exact_iou(s.truth[s.matched[c]], s.boxes[c]);
        s.drawn[c] = 0;
        worst(&s);
        cr_expect(fabs(s.slack[c] - (iou - 0.5)) < 1e-6, "seed %u: slack %g, want %g", seed,
                  s.slack[c], iou - 0.5);
    }
}

Test(assign_slack, another_match_is_by_the_difference_of_both)
{
    struct scene s;
    make_scene(1, OBJECTS, 0, &s);
    assign(&s);
    int c = first_drawn(&s, 1), other = (s.matched[c] + 1) % OBJECTS;
    double lost = exact_iou(s.truth[s.matched[c]], s.boxes[c]) -
                  exact_iou(s.truth[other], s.boxes[c]);
    s.matched[c] = other;
    worst(&s);
    cr_expect(fabs(s.slack[c] - lost) < 1e-6, "slack %g, want %g", s.slack[c], lost);
    s.matched[c] = -1;
    cr_expect(isinf(worst(&s)), "no match at all: slack is finite");
}

/* One candidate crosses the threshold by 1e-5: another one is drawn or not because of it, which is
 * no flip of its own. */
Test(assign_slack, what_follows_from_a_flip_is_free)
{
    int displaced = 0;
    for (uint32_t seed = 0; seed < 60; seed++) {
        struct scene s, moved;
        make_scene(seed, OBJECTS, 0, &s);
        int c = 2 * (int)(seed % (CANDIDATES / 2)), t = c % OBJECTS;
        memcpy(s.boxes[c], s.truth[t], sizeof s.boxes[c]);
        float width = s.truth[t][2] - s.truth[t][0];
        s.boxes[c][2] = s.truth[t][0] + width * 0.500005f; /* IoU just above a half */
        moved = s;
        moved.a.boxes = moved.boxes[0];
        moved.boxes[c][2] = s.truth[t][0] + width * 0.499995f;
        assign(&s);
        assign(&moved);
        int changed = 0;
        for (int k = 0; k < CANDIDATES; k++)
            changed += s.drawn[k] != moved.drawn[k];
        displaced += changed > 1;
        memcpy(s.drawn, moved.drawn, sizeof s.drawn);
        memcpy(s.matched, moved.matched, sizeof s.matched);
        s.a.drawn = s.drawn;
        s.a.matched = s.matched;
        s.a.boxes = s.boxes[0];
        s.a.truth = s.truth[0];
        double got = worst(&s);
        cr_expect(got <= 2e-5, "seed %u: %d changed, slack %g, want <= 2e-5", seed, changed, got);
        for (int k = 0; k < CANDIDATES; k++)
            cr_expect(k == c || s.slack[k] <= 3e-7, "seed %u, candidate %d: slack %g, want 0", seed,
                      k, s.slack[k]);
    }
    cr_expect_gt(displaced, 5, "%d cases displaced another candidate", displaced);
}

Test(assign_slack, no_iou_explains_a_wrong_draw)
{
    struct scene s;
    make_scene(2, OBJECTS, 0, &s);
    assign(&s);
    int in = first_drawn(&s, 0), out = -1;
    for (int c = 0; c < CANDIDATES && out < 0; c++)
        if (s.drawn[c] == -1 && s.matched[c] < 0)
            out = c;
    cr_assert_geq(out, 0);
    s.drawn[in] = -1; /* one fewer than the batch: it cannot have been left out */
    worst(&s);
    cr_expect_gt(s.slack[in], 0.01, "left out of a batch with room: slack %g", s.slack[in]);
    s.drawn[out] = 0; /* another in its place, against the random numbers */
    worst(&s);
    cr_expect_gt(s.slack[in], 0.01, "drawn past: slack %g", s.slack[in]);
    assign(&s);
    s.drawn[out] = 0;
    cr_expect(isinf(worst(&s)), "one more than the batch: slack is finite");
}

/* An object whose best candidate is far below the threshold keeps it; another may have it only as
 * near as they are to one another. */
Test(assign_slack, low_quality_matches_are_by_the_rival)
{
    static const float truth[4] = {0, 0, 10, 10};
    static const float boxes[3][4] = {{5, 0, 15, 10}, {5.01f, 0, 15.01f, 10}, {30, 30, 40, 40}};
    int32_t matched[3] = {0, -1, -1};
    int8_t drawn[3] = {1, 0, 0};
    double slack[3];
    struct assignment a = {.matcher = {0.7f, 0.5f, 1},
                           .sampler = {8, 0.5f, 1, DET_PURPOSE_RPN_POSITIVE,
                                       DET_PURPOSE_RPN_NEGATIVE},
                           .n = 3, .boxes = boxes[0], .n_truth = 1, .truth = truth,
                           .drawn = drawn, .matched = matched};
    double gap = exact_iou(truth, boxes[0]) - exact_iou(truth, boxes[1]);
    assign_slack(&a, slack, NULL);
    cr_expect(slack[0] == 0.0 && slack[1] == 0.0 && slack[2] == 0.0, "%g %g %g", slack[0], slack[1],
              slack[2]);
    drawn[0] = 0;
    drawn[1] = 1;
    a.matched = NULL;
    assign_slack(&a, slack, NULL);
    cr_expect(fabs(slack[0] - gap) < 1e-9 && fabs(slack[1] - gap) < 1e-9,
              "the second in place of the first: %g, %g, want %g", slack[0], slack[1], gap);
}
