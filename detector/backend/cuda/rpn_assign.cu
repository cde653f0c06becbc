/* rpn_assign: anchors matched to ground truth and sampled (boxes/rpn_assign.h). A thread an anchor,
 * but for the draw, which is a block's an image. */
#include "detector/backend/cuda/block_sample.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/matching.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/box_coder.h"

struct rpn_assign_args {
    struct det_rpn_assign assign;
    const float *anchors;
    struct det_images images;
    struct det_truth truth;
    const uint32_t *step;
    struct det_rpn_sampled out;
    uint32_t *highest; /* [truth rows] the highest IoU's bits */
    int32_t *matches;  /* [images, anchors] */
    uint64_t *keys;    /* [images, anchors] */
    int tiles;         /* blocks an image */
};

/* The anchor of a block's thread; row: its place in arrays of [images, anchors]. */
struct anchor_of {
    int image, anchor;
    size_t row;
};

/* Returns 0 behind the last anchor. */
DET_BLOCK_BODY int anchor_at(const struct det_block *b, const struct rpn_assign_args *a, int t,
                             struct anchor_of *at)
{
    at->image = b->index / a->tiles;
    at->anchor = b->index % a->tiles * b->threads + t;
    at->row = (size_t)at->image * (size_t)a->assign.n_anchors + (size_t)at->anchor;
    return at->anchor < a->assign.n_anchors;
}

DET_BLOCK_BODY struct det_rows truth_rows(const struct det_truth *truth, int image)
{
    int first = truth->first[image];
    struct det_rows rows = {truth->first[image + 1] - first, truth->boxes + 4 * (size_t)first};
    return rows;
}

DET_BLOCK_BODY void rpn_match(const struct det_block *b, const struct rpn_assign_args *a,
                              struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        struct anchor_of at;
        if (!anchor_at(b, a, t, &at))
            continue;
        struct det_rows truth = truth_rows(&a->truth, at.image);
        uint32_t *highest = a->highest + a->truth.first[at.image];
        a->matches[at.row] = det_match_best(&truth, a->assign.matcher.high, a->assign.matcher.low,
                                            a->anchors + 4 * (size_t)at.anchor,
                                            a->assign.matcher.allow_low_quality ? highest : NULL);
    }
}

/* Low-quality matches, labels before sampling, and the keys that decide the draw. */
DET_BLOCK_BODY void rpn_label(const struct det_block *b, const struct rpn_assign_args *a,
                              struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        struct anchor_of at;
        if (!anchor_at(b, a, t, &at))
            continue;
        struct det_rows truth = truth_rows(&a->truth, at.image);
        int32_t match = a->matches[at.row];
        if (a->assign.matcher.allow_low_quality)
            match = det_match_low_quality(&truth, a->anchors + 4 * (size_t)at.anchor,
                                          a->highest + a->truth.first[at.image], match);
        int8_t label = det_match_label(match);
        a->matches[at.row] = match;
        a->out.labels[at.row] = label;
        a->keys[at.row] =
            det_sample_key(&a->assign.sampler, label, at.anchor, a->images.ids[at.image], *a->step);
    }
}

/* One block an image. */
DET_BLOCK_BODY void rpn_sample(const struct det_block *b, const struct rpn_assign_args *a,
                               struct det_select_shared *s)
{
    int image = b->index;
    size_t first = (size_t)image * (size_t)a->assign.n_anchors;
    struct det_sample_counts counts = det_block_sample(b, &a->assign.sampler, a->assign.n_anchors,
                                                       a->out.labels + first, a->keys + first, s);
    DET_EACH_THREAD(b, t) {
        if (t > 0)
            continue;
        a->out.n_positive[image] = counts.positives;
        a->out.n_negative[image] = counts.negatives;
        a->out.n_candidates[2 * image] = counts.positive_candidates;
        a->out.n_candidates[2 * image + 1] = counts.negative_candidates;
    }
}

/* Encoded deltas of the sampled positives, zero elsewhere. */
DET_BLOCK_BODY void rpn_encode(const struct det_block *b, const struct rpn_assign_args *a,
                               struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        struct anchor_of at;
        if (!anchor_at(b, a, t, &at))
            continue;
        float delta[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        struct det_rows truth = truth_rows(&a->truth, at.image);
        if (a->out.labels[at.row] == 1)
            det_box_encode(a->anchors + 4 * (size_t)at.anchor,
                           truth.boxes + 4 * (size_t)a->matches[at.row], a->assign.coder_weights,
                           delta);
        for (int c = 0; c < 4; c++)
            a->out.targets[4 * at.row + (size_t)c] = delta[c];
    }
}

DET_KERNEL(rpn_match, struct rpn_assign_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(rpn_label, struct rpn_assign_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(rpn_sample, struct rpn_assign_args, struct det_select_shared, DET_WIDE)
DET_KERNEL(rpn_encode, struct rpn_assign_args, struct det_no_shared, DET_NARROW)

static size_t rpn_assign_layout(struct rpn_assign_args *a, void *base)
{
    struct det_cut cut = {(unsigned char *)base, 0};
    size_t rows = (size_t)a->images.n * (size_t)a->assign.n_anchors;
    a->highest = (uint32_t *)det_cut_take(&cut, (size_t)a->truth.max_rows * sizeof *a->highest);
    a->matches = (int32_t *)det_cut_take(&cut, rows * sizeof *a->matches);
    a->keys = (uint64_t *)det_cut_take(&cut, rows * sizeof *a->keys);
    return cut.used;
}

void det_cuda_rpn_assign(struct det_device *dev, const struct det_rpn_assign *assign,
                         const float *anchors, const struct det_images *images,
                         const struct det_truth *truth, const uint32_t *step,
                         struct det_rpn_sampled *out)
{
    struct rpn_assign_args a = {*assign, anchors, *images, *truth, step, *out, NULL, NULL, NULL, 0};
    a.tiles = det_blocks_of(assign->n_anchors, DET_NARROW);
    rpn_assign_layout(&a, det_kernel_scratch(dev, "rpn_assign", rpn_assign_layout(&a, NULL)));
    int blocks = images->n * a.tiles;
    dev->ops->zero(dev, a.highest, (size_t)truth->max_rows * sizeof *a.highest);
    DET_RUN(dev, rpn_match, blocks, &a);
    DET_RUN(dev, rpn_label, blocks, &a);
    DET_RUN(dev, rpn_sample, images->n, &a);
    DET_RUN(dev, rpn_encode, blocks, &a);
}
