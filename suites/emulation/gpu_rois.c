/* The GPU's roi_assign, roi_collect and mask_select against the CPU's, bit for bit. */
#include "detector/backend/cuda/mask_select.cu"
#include "detector/backend/cuda/roi_assign.cu"
#include "detector/boxes/mask_targets.h"
#include "detector/boxes/roi_assign.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

#include <stdio.h>

enum {
    MOST_IMAGES = 3,
    PROPOSALS = 1300, /* more than a block has threads */
    OBJECTS = 20,
    ROIS = MOST_IMAGES * (PROPOSALS + OBJECTS)
};

static const struct det_roi_assign usual = {
    .matcher = {0.5f, 0.5f, 0},
    .sampler = {128, 0.25f, 5, DET_PURPOSE_ROI_POSITIVE, DET_PURPOSE_ROI_NEGATIVE},
    .coder_weights = {10, 10, 5, 5},
    .append_ground_truth = 1,
    .n_levels = 4,
    .finest = 2,
};

struct batch {
    int n;
    int64_t ids[MOST_IMAGES];
    float proposals[MOST_IMAGES][PROPOSALS][4];
    int32_t count[MOST_IMAGES];
    float objects[MOST_IMAGES * OBJECTS][4];
    int32_t labels[MOST_IMAGES * OBJECTS];
    int32_t first[MOST_IMAGES + 1];
};

struct rows {
    int32_t count, n_positive;
    float boxes[ROIS][4], targets[ROIS][4];
    int32_t image[ROIS], level[ROIS], labels[ROIS], matched[ROIS], index[ROIS];
};

/* Half of the proposals lie near an object; every fifth is a twin of another. */
static struct batch *make_batch(struct draws *d, int n, const int *proposals, const int *objects)
{
    struct batch *b = calloc(1, sizeof *b);
    cr_assert_not_null(b);
    b->n = n;
    for (int i = 0; i < n; i++) {
        b->ids[i] = 900 + i;
        b->count[i] = proposals[i];
        b->first[i + 1] = b->first[i] + objects[i];
        draw_boxes(d, PROPOSALS, 600.0f, i % 2, b->proposals[i][0]);
        draw_boxes(d, objects[i], 600.0f, 1, b->objects[b->first[i]]);
        for (int g = b->first[i]; g < b->first[i + 1]; g++)
            b->labels[g] = 1 + g % 3;
        for (int k = 0; k < PROPOSALS; k++) {
            if (k % 2 && objects[i] > 0) {
                const float *object = b->objects[b->first[i] + k / 2 % objects[i]];
                for (int c = 0; c < 4; c++)
                    b->proposals[i][k][c] = object[c] + draw(d, c < 2 ? -9.0f : 0.0f, 1.0f);
            }
            if (k % 5 == 4)
                memcpy(b->proposals[i][k], b->proposals[i][k - 3], sizeof b->proposals[i][k]);
        }
    }
    return b;
}

static struct det_rois rois_of(struct rows *r, int max_rois)
{
    return (struct det_rois){.max_rois = max_rois,
                             .count = &r->count,
                             .boxes = r->boxes[0],
                             .image = r->image,
                             .level = r->level,
                             .labels = r->labels,
                             .matched = r->matched,
                             .targets = r->targets[0],
                             .index = r->index,
                             .n_positive = &r->n_positive};
}

static struct rows *new_rows(void)
{
    struct rows *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    memset(r, 0xa5, sizeof *r);
    return r;
}

enum operation { ASSIGN, COLLECT };

static struct rows *run(struct det_device *dev, int gpu, enum operation operation,
                        const struct det_roi_assign *assign, struct batch *b, int max_rois)
{
    struct rows *r = new_rows();
    uint32_t step = 6;
    struct det_images images = {.n = b->n, .ids = b->ids};
    struct det_proposals proposals = {b->proposals[0][0], NULL, b->count, NULL, PROPOSALS};
    struct det_truth truth = {.boxes = b->objects[0],
                              .labels = b->labels,
                              .first = b->first,
                              .max_rows = MOST_IMAGES * OBJECTS};
    struct det_rois out = rois_of(r, max_rois);
    if (operation == ASSIGN)
        (gpu ? det_cuda_roi_assign : det_roi_assign)(dev, assign, &proposals, &images, &truth,
                                                     &step, &out);
    else
        (gpu ? det_cuda_roi_collect : det_roi_collect)(dev, assign, &proposals, &images, &out);
    return r;
}

#define EXPECT_SAME(field, what)                                                                   \
    cr_expect_eq(memcmp(got->field, want->field, (size_t)want->count * sizeof *want->field), 0,    \
                 "%s: %s", what, #field)

/* The live rows; the others are undefined. */
static void compare_rows(const char *what, enum operation operation, const struct rows *got,
                         const struct rows *want)
{
    cr_assert_eq(got->count, want->count, "%s: %d RoIs, want %d", what, got->count, want->count);
    EXPECT_SAME(boxes, what);
    EXPECT_SAME(image, what);
    EXPECT_SAME(level, what);
    if (operation == COLLECT)
        return;
    cr_expect_eq(got->n_positive, want->n_positive, "%s: %d positives, want %d", what,
                 got->n_positive, want->n_positive);
    EXPECT_SAME(targets, what);
    EXPECT_SAME(labels, what);
    EXPECT_SAME(matched, what);
    EXPECT_SAME(index, what);
}

static void compare(const char *name, enum operation operation, const struct det_roi_assign *assign,
                    struct batch *b, int max_rois)
{
    struct det_device *cpu = open_cpu(1, det_roi_assign_scratch(PROPOSALS, OBJECTS));
    struct rows *want = run(cpu, 0, operation, assign, b, max_rois);
    for (int order = 0; order < emulated_orders(); order++) {
        char what[80];
        snprintf(what, sizeof what, "%s, %s", name, emulated_order_names[order]);
        struct emulated_device gpu = emulated_open((enum emulated_order)order);
        struct rows *got = run(&gpu.device, 1, operation, assign, b, max_rois);
        compare_rows(what, operation, got, want);
        free(got);
        emulated_close(&gpu);
    }
    free(want);
    cpu->ops->close(cpu);
}

Test(gpu_rois, assigned_as_on_the_cpu)
{
    struct draws d = {.seed = 43};
    for (int round = 0; round < 8; round++) {
        struct det_roi_assign assign = usual;
        assign.append_ground_truth = round % 2;
        assign.matcher.allow_low_quality = round / 2 % 2;
        assign.matcher.high = round == 3 ? 0.8f : round == 6 ? 0.99f : 0.5f;
        assign.sampler.batch_per_image = round == 4 ? 1000 : round == 5 ? 3 : 128;
        struct batch *b = make_batch(&d, 3, (int[]){PROPOSALS, draw_int(&d, PROPOSALS), 40},
                                     (int[]){draw_int(&d, OBJECTS), 3, draw_int(&d, 2)});
        char name[40];
        snprintf(name, sizeof name, "round %d", round);
        compare(name, ASSIGN, &assign, b, 3 * assign.sampler.batch_per_image);
        free(b);
    }
}

Test(gpu_rois, nothing_to_assign)
{
    struct draws d = {.seed = 44};
    struct batch *b = make_batch(&d, 3, (int[]){0, PROPOSALS, 0}, (int[]){0, 0, 2});
    struct det_roi_assign assign = usual;
    compare("few", ASSIGN, &assign, b, 3 * 128);
    assign.append_ground_truth = 0;
    compare("fewer", ASSIGN, &assign, b, 3 * 128);
    b->count[1] = 0;
    compare("none", ASSIGN, &assign, b, 3 * 128);
    free(b);
}

Test(gpu_rois, collected_as_on_the_cpu)
{
    struct draws d = {.seed = 45};
    struct batch *b = make_batch(&d, 3, (int[]){PROPOSALS, 0, 77}, (int[]){2, 0, 1});
    compare("all", COLLECT, &usual, b, 3 * PROPOSALS);
    compare("too little room", COLLECT, &usual, b, PROPOSALS + 5);
    compare("room for one image's part", COLLECT, &usual, b, 100);
    b->count[0] = b->count[2] = 0;
    compare("none", COLLECT, &usual, b, 100);
    free(b);
}

static void select_masks(const char *name, struct rows *from, int max_rois, int max_masks)
{
    static int32_t want_index[ROIS], got_index[ROIS];
    int32_t want_count = -1;
    struct det_rois rois = rois_of(from, max_rois);
    struct rows *want = new_rows();
    struct det_rois want_out = rois_of(want, max_masks);
    det_mask_select(NULL, &rois, want_index, &want_count, &want_out);
    for (int order = 0; order < emulated_orders(); order++) {
        int32_t got_count = -1;
        struct emulated_device gpu = emulated_open((enum emulated_order)order);
        struct rows *got = new_rows();
        struct det_rois got_out = rois_of(got, max_masks);
        det_cuda_mask_select(&gpu.device, &rois, got_index, &got_count, &got_out);
        cr_expect_eq(memcmp(got, want, sizeof *got), 0, "%s: rows", name);
        cr_expect_eq(got_count, want_count, "%s: %d, want %d", name, got_count, want_count);
        cr_expect_eq(memcmp(got_index, want_index, (size_t)want_count * sizeof *got_index), 0,
                     "%s: index", name);
        free(got);
        emulated_close(&gpu);
    }
    free(want);
}

Test(gpu_rois, masks_selected_as_on_the_cpu)
{
    struct draws d = {.seed = 46};
    struct rows *from = new_rows();
    for (int r = 0; r < ROIS; r++) {
        from->labels[r] = draw_int(&d, 6) - 3;
        from->image[r] = r % 3;
        from->boxes[r][0] = (float)r;
    }
    from->count = ROIS - 100;
    select_masks("many", from, ROIS, ROIS);
    select_masks("room for 300", from, ROIS, 300);
    select_masks("room for as many as a block has threads", from, ROIS, DET_WIDE);
    from->count = ROIS + 100;
    select_masks("a count beyond the rows", from, ROIS, ROIS);
    from->count = 0;
    select_masks("none", from, ROIS, ROIS);
    free(from);
}
