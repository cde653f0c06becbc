/* RoIs of a batch: matched, sampled, compact and in order; all of them at inference. */
#include "detector/boxes/roi_assign.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/bodies/roi_level.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_IMAGES = 4, PROPOSALS = 50, OBJECTS = 5, BATCH = 16, ROIS = MOST_IMAGES * PROPOSALS };

static const struct det_roi_assign base = {
    .matcher = {0.5f, 0.5f, 0},
    .sampler = {BATCH, 0.25f, 5, DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE},
    .coder_weights = {10, 10, 5, 5},
    .append_ground_truth = 1,
    .n_levels = 4,
    .finest = 2,
};

struct batch {
    int n;
    int64_t ids[MOST_IMAGES];
    float heights[MOST_IMAGES], widths[MOST_IMAGES];
    float proposals[MOST_IMAGES][PROPOSALS][4];
    int32_t count[MOST_IMAGES];
    float objects[MOST_IMAGES * OBJECTS][4];
    int32_t labels[MOST_IMAGES * OBJECTS];
    int32_t first[MOST_IMAGES + 1];
};

struct result {
    int32_t count, n_positive;
    float boxes[ROIS][4], targets[ROIS][4];
    int32_t image[ROIS], level[ROIS], labels[ROIS], matched[ROIS], index[ROIS];
};

static void make_batch(int n, const int *proposals, const int *objects, struct batch *b)
{
    struct draws d = {.seed = 41};
    b->n = n;
    b->first[0] = 0;
    for (int i = 0; i < n; i++) {
        b->ids[i] = 900 + i;
        b->count[i] = proposals[i];
        b->first[i + 1] = b->first[i] + objects[i];
        draw_boxes(&d, PROPOSALS, 200.0f, 0, b->proposals[i][0]);
        draw_boxes(&d, objects[i], 200.0f, 1, b->objects[b->first[i]]);
        for (int g = b->first[i]; g < b->first[i + 1]; g++)
            b->labels[g] = 1 + g % 3;
        for (int k = 0; k < 20 && objects[i] > 0; k++) { /* proposals near an object */
            const float *object = b->objects[b->first[i] + k % objects[i]];
            for (int c = 0; c < 4; c++)
                b->proposals[i][k * 2][c] = object[c] + draw(&d, -2.0f, 2.0f);
        }
    }
}

static struct result *run(const struct det_roi_assign *assign, const struct batch *b, int threads,
                          int training)
{
    struct result *r = calloc(1, sizeof *r);
    cr_assert_not_null(r);
    struct det_images images = {b->n, b->ids, b->heights, b->widths};
    struct det_proposals proposals = {(float *)(uintptr_t)b->proposals[0][0], NULL,
                                      (int32_t *)(uintptr_t)b->count, NULL, PROPOSALS};
    struct det_truth truth = {.boxes = b->objects[0], .labels = b->labels, .first = b->first};
    struct det_rois out = {.max_rois = training ? b->n * BATCH : b->n * PROPOSALS,
                           .count = &r->count,
                           .boxes = r->boxes[0],
                           .image = r->image,
                           .level = r->level};
    struct det_device *dev = open_cpu(threads, det_roi_assign_scratch(PROPOSALS, OBJECTS));
    if (training) {
        out.labels = r->labels;
        out.matched = r->matched;
        out.targets = r->targets[0];
        out.index = r->index;
        out.n_positive = &r->n_positive;
        det_roi_assign(dev, assign, &proposals, &images, &truth, &(uint32_t){6}, &out);
    } else {
        det_roi_collect(dev, assign, &proposals, &images, &out);
    }
    dev->ops->close(dev);
    return r;
}

static float best_iou(const struct batch *b, int image, const float box[4])
{
    float best = 0.0f;
    for (int g = b->first[image]; g < b->first[image + 1]; g++)
        best = fmaxf(best, det_box_iou(box, b->objects[g]));
    return best;
}

static void expect_roi(const char *what, const struct batch *b, const struct result *r, int i)
{
    int image = r->image[i];
    int index = r->index[i];
    int n = b->count[image];
    const float *want =
        index < n ? b->proposals[image][index] : b->objects[b->first[image] + index - n];
    cr_expect_eq(memcmp(r->boxes[i], want, sizeof r->boxes[i]), 0, "%s: row %d is not candidate %d",
                 what, i, index);
    cr_expect_eq(r->level[i], det_roi_level(want, 2, 4), "%s: row %d: level", what, i);
    float best = best_iou(b, image, want);
    if (r->labels[i] == 0) {
        cr_expect_lt(best, 0.5f, "%s: row %d: background at IoU %g", what, i, (double)best);
        cr_expect_eq(r->matched[i], -1, "%s: row %d", what, i);
        for (int c = 0; c < 4; c++)
            cr_expect_eq(r->targets[i][c], 0.0f, "%s: row %d: target", what, i);
        return;
    }
    int row = r->matched[i];
    cr_assert(row >= b->first[image] && row < b->first[image + 1],
              "%s: row %d matched to %d, of another image", what, i, row);
    cr_expect_eq(r->labels[i], b->labels[row], "%s: row %d: label", what, i);
    cr_expect_eq(det_box_iou(want, b->objects[row]), best, "%s: row %d: not the best object", what,
                 i);
    cr_expect_geq(best, 0.5f, "%s: row %d: foreground at %g", what, i, (double)best);
    float back[4];
    det_box_decode(want, r->targets[i], base.coder_weights, 10.0f, back);
    for (int c = 0; c < 4; c++)
        cr_expect(fabsf(back[c] - b->objects[row][c]) <= 1e-3f,
                  "%s: row %d: targets decode to %g, want %g", what, i, (double)back[c],
                  (double)b->objects[row][c]);
}

/* Every row, the order, and the counts. quota[i]: rows wanted of image i. */
static void expect_batch(const char *what, const struct batch *b, const struct result *r,
                         const int *quota)
{
    int rows[MOST_IMAGES] = {0};
    int positives = 0;
    for (int i = 0; i < r->count; i++) {
        expect_roi(what, b, r, i);
        rows[r->image[i]]++;
        positives += r->labels[i] > 0;
        if (i > 0)
            cr_expect(r->image[i] > r->image[i - 1] ||
                          (r->image[i] == r->image[i - 1] && r->index[i] > r->index[i - 1]),
                      "%s: row %d out of order", what, i);
    }
    cr_expect_eq(positives, r->n_positive, "%s: positives", what);
    for (int i = 0; i < b->n; i++)
        cr_expect_eq(rows[i], quota[i], "%s: image %d: %d rows, want %d", what, i, rows[i],
                     quota[i]);
}

Test(roi_assign, rows_are_the_sampled_candidates)
{
    static struct batch b;
    make_batch(4, (int[]){50, 50, 0, 9}, (int[]){5, 0, 2, 1}, &b);
    struct result *r = run(&base, &b, 1, 1);
    /* no proposals: the two objects are the candidates; 9 proposals and an object: positives are
     * capped at 4 of 16, so all rows only if few are positive */
    int last = r->count - 16 - 16 - 2;
    cr_expect_leq(last, 10);
    expect_batch("mixed", &b, r, (int[]){16, 16, 2, last});
    cr_expect_geq(r->n_positive, 4 + 2 + 1);
    free(r);
}

Test(roi_assign, without_appending)
{
    static struct batch b;
    struct det_roi_assign assign = base;
    assign.append_ground_truth = 0;
    make_batch(2, (int[]){0, 50}, (int[]){3, 5}, &b);
    struct result *r = run(&assign, &b, 1, 1);
    expect_batch("not appended", &b, r, (int[]){0, 16});
    for (int i = 0; i < r->count; i++)
        cr_expect_lt(r->index[i], b.count[r->image[i]], "row %d is an object itself", i);
    free(r);
}

Test(roi_assign, appended_objects_are_perfect_positives)
{
    static struct batch b;
    make_batch(1, (int[]){0}, (int[]){3}, &b);
    struct result *r = run(&base, &b, 1, 1);
    cr_assert_eq(r->count, 3);
    cr_expect_eq(r->n_positive, 3);
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 4; c++)
            cr_expect_eq(r->targets[i][c], 0.0f, "object %d target %d", i, c);
    free(r);
}

/* IoU 0.45 lies between 0.3 and 0.6: neither sampled as foreground nor as background. */
Test(roi_assign, between_the_thresholds_is_never_sampled)
{
    static struct batch b;
    struct det_roi_assign assign = base;
    assign.matcher = (struct det_matcher){0.6f, 0.3f, 0};
    assign.append_ground_truth = 0;
    make_batch(1, (int[]){3}, (int[]){1}, &b);
    memcpy(b.objects[0], (float[]){0, 0, 100, 100}, sizeof b.objects[0]);
    memcpy(b.proposals[0][0], (float[]){0, 0, 100, 45}, sizeof b.objects[0]);
    memcpy(b.proposals[0][1], (float[]){0, 0, 100, 90}, sizeof b.objects[0]);
    memcpy(b.proposals[0][2], (float[]){0, 0, 100, 20}, sizeof b.objects[0]);
    struct result *r = run(&assign, &b, 1, 1);
    cr_assert_eq(r->count, 2);
    cr_expect(r->index[0] == 1 && r->labels[0] == b.labels[0]);
    cr_expect(r->index[1] == 2 && r->labels[1] == 0);
    free(r);
}

Test(roi_assign, nothing_at_all)
{
    static struct batch b;
    make_batch(2, (int[]){0, 0}, (int[]){0, 0}, &b);
    struct result *r = run(&base, &b, 1, 1);
    cr_expect(r->count == 0 && r->n_positive == 0);
    free(r);
    r = run(&base, &b, 1, 0);
    cr_expect_eq(r->count, 0);
    free(r);
}

Test(roi_assign, an_image_does_not_depend_on_its_batch_mates_or_threads)
{
    static struct batch b;
    make_batch(4, (int[]){50, 3, 50, 20}, (int[]){5, 1, 0, 4}, &b);
    struct result *one = run(&base, &b, 1, 1);
    struct result *two = run(&base, &b, 2, 1);
    cr_expect_eq(memcmp(one, two, sizeof *one), 0, "two threads");
    free(two);
    int row = 0;
    for (int i = 0; i < b.n; i++) {
        static struct batch alone;
        alone = b;
        alone.n = 1;
        alone.ids[0] = b.ids[i];
        alone.count[0] = b.count[i];
        alone.first[1] = b.first[i + 1] - b.first[i];
        memcpy(alone.proposals[0], b.proposals[i], sizeof b.proposals[i]);
        memcpy(alone.objects, b.objects[b.first[i]], (size_t)alone.first[1] * sizeof b.objects[0]);
        struct result *r = run(&base, &alone, 1, 1);
        for (int k = 0; k < r->count; k++, row++)
            cr_expect(one->image[row] == i && one->index[row] == r->index[k],
                      "image %d row %d: candidate %d, want %d", i, k, one->index[row], r->index[k]);
        free(r);
    }
    cr_expect_eq(row, one->count);
    free(one);
}

Test(roi_assign, collect_takes_every_proposal_and_no_truth)
{
    static struct batch b;
    make_batch(3, (int[]){4, 0, 50}, (int[]){5, 5, 5}, &b);
    struct result *r = run(&base, &b, 1, 0);
    cr_assert_eq(r->count, 54);
    for (int i = 0; i < r->count; i++) {
        int image = i < 4 ? 0 : 2;
        const float *want = b.proposals[image][i < 4 ? i : i - 4];
        cr_expect_eq(r->image[i], image, "row %d", i);
        cr_expect_eq(memcmp(r->boxes[i], want, sizeof r->boxes[i]), 0, "row %d: box", i);
        cr_expect_eq(r->level[i], det_roi_level(want, 2, 4), "row %d: level", i);
    }
    free(r);
}
