/* rpn_propose: RPN output to proposals (boxes/proposals.h). A thread an anchor makes the keys; a
 * block takes the best of an image's level in order, decodes and suppresses them; then a block an
 * image merges the levels. */
#include "detector/backend/cuda/block_suppress.h"
#include "detector/backend/cuda/block_take.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/probability.h"

#include <math.h>

struct propose_args {
    struct det_proposal_filter filter;
    const float *anchors;
    struct det_images images;
    const float *logits, *deltas;
    struct det_proposals out;
    uint64_t *keys;          /* [images, anchors] */
    int most;                /* survivors of a level: there is room for */
    float *survivor_boxes;   /* [images, levels, most, 4] */
    float *survivor_logits;  /* [images, levels, most] */
    int32_t *survivors;      /* [images, levels] */
    uint64_t *survivor_keys; /* [images, levels * most] */
};

DET_BLOCK_BODY void propose_keys(const struct det_block *b, const struct propose_args *a,
                                 struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        size_t n = (size_t)a->filter.n_anchors;
        size_t i = (size_t)b->index * (size_t)b->threads + (size_t)t;
        if (i >= n * (size_t)a->images.n)
            continue;
        int finite = isfinite(a->logits[i]) != 0;
        a->keys[i] = finite ? det_key_descending(a->logits[i], (uint32_t)(i % n)) : DET_NO_KEY;
        if (!finite)
            det_atomic_add(a->out.n_not_finite, 1);
    }
}

struct propose_shared {
    struct det_take_shared take;
    struct det_suppress_shared suppress;
    float logits[DET_TILE];
};

/* One image's level. */
struct level_of {
    int image, level;
    const float *logits, *deltas; /* of the image */
    size_t at;                    /* its first survivor */
    struct det_kept kept;
};

DET_BLOCK_BODY struct level_of level_of(const struct propose_args *a, int index)
{
    struct level_of of;
    of.image = index / a->filter.n_levels;
    of.level = index % a->filter.n_levels;
    size_t row = (size_t)of.image * (size_t)a->filter.n_anchors;
    of.logits = a->logits + row;
    of.deltas = a->deltas + 4 * row;
    of.at = (size_t)index * (size_t)a->most;
    of.kept.boxes = a->survivor_boxes + 4 * of.at;
    of.kept.classes = NULL;
    of.kept.max = a->most;
    return of;
}

/* Decode the anchor into row i of the tile, alive unless it is filtered. */
DET_BLOCK_BODY void decode_anchor(const struct propose_args *a, const struct level_of *of,
                                  uint32_t anchor, int i, struct propose_shared *s)
{
    const struct det_proposal_filter *filter = &a->filter;
    float *box = s->suppress.boxes[i];
    s->logits[i] = of->logits[anchor];
    s->suppress.classes[i] = 0;
    s->suppress.alive[i] = 0;
    if (!det_box_decode_clipped(a->anchors + 4 * (size_t)anchor, of->deltas + 4 * (size_t)anchor,
                                filter->coder_weights, filter->delta_clip,
                                a->images.heights[of->image], a->images.widths[of->image], box)) {
        det_atomic_add(a->out.n_not_finite, 1);
        return;
    }
    s->suppress.alive[i] = det_box_large_enough(box, filter->min_size) &&
                           det_sigmoid(s->logits[i]) >= filter->score_threshold;
}

/* The k keys taken, tile by tile; returns how many survivors there are with the `kept` before. */
DET_BLOCK_BODY int propose_chunk(const struct det_block *b, const struct propose_args *a,
                                 const struct level_of *of, int k, int kept,
                                 struct propose_shared *s)
{
    for (int first = 0; first < k; first += DET_TILE) {
        int rows = k - first < DET_TILE ? k - first : DET_TILE;
        DET_EACH_THREAD(b, t)
            if (t < rows)
                decode_anchor(a, of, det_key_index(s->take.keys[first + t]), t, s);
        kept = det_block_suppress(b, rows, a->filter.nms_iou, &of->kept, kept, &s->suppress);
        DET_EACH_THREAD(b, t)
            if (t < rows && s->suppress.place[t] >= 0)
                a->survivor_logits[of->at + (size_t)s->suppress.place[t]] = s->logits[t];
    }
    return kept;
}

/* One block an image and level. */
DET_BLOCK_BODY void propose_level(const struct det_block *b, const struct propose_args *a,
                                  struct propose_shared *s)
{
    struct level_of of = level_of(a, b->index);
    int first = a->filter.level_first[of.level];
    struct det_keys keys = {a->keys + (of.logits - a->logits) + first,
                            a->filter.level_first[of.level + 1] - first, 0, NULL, 0};
    int finite = det_block_available(b, &keys, &s->take.select);
    int left = finite < a->filter.pre_nms ? finite : a->filter.pre_nms;
    int kept = 0;
    while (left > 0) {
        int k = left < DET_CHUNK ? left : DET_CHUNK;
        det_block_take(b, &keys, k, &s->take);
        kept = propose_chunk(b, a, &of, k, kept, s);
        left -= k;
    }
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->survivors[b->index] = kept;
}

/* One block an image: the best post_nms survivors of all levels to the output. */
DET_BLOCK_BODY void propose_merge(const struct det_block *b, const struct propose_args *a,
                                  struct det_take_shared *s)
{
    int image = b->index;
    int rows = a->filter.n_levels * a->most;
    size_t first = (size_t)image * (size_t)rows;
    size_t to = (size_t)image * (size_t)a->out.max_per_image;
    struct det_keys keys = {a->survivor_keys + first, rows, 0, NULL, 0};
    DET_EACH_THREAD(b, t)
        for (int i = t; i < rows; i += b->threads) {
            int live = i % a->most < a->survivors[image * a->filter.n_levels + i / a->most];
            a->survivor_keys[first + (size_t)i] =
                live ? det_key_descending(a->survivor_logits[first + (size_t)i], (uint32_t)i)
                     : DET_NO_KEY;
        }
    int all = det_block_available(b, &keys, &s->select);
    int count = all < a->filter.post_nms ? all : a->filter.post_nms;
    for (int done = 0; done < count; done += DET_CHUNK) {
        int k = count - done < DET_CHUNK ? count - done : DET_CHUNK;
        det_block_take(b, &keys, k, s);
        DET_EACH_THREAD(b, t)
            for (int i = t; i < k; i += b->threads) {
                size_t from = first + det_key_index(s->keys[i]);
                size_t row = to + (size_t)(done + i);
                for (int c = 0; c < 4; c++)
                    a->out.boxes[4 * row + (size_t)c] = a->survivor_boxes[4 * from + (size_t)c];
                a->out.scores[row] = det_sigmoid(a->survivor_logits[from]);
            }
    }
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->out.count[image] = count;
}

DET_KERNEL(propose_keys, struct propose_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(propose_level, struct propose_args, struct propose_shared, DET_WIDE)
DET_KERNEL(propose_merge, struct propose_args, struct det_take_shared, DET_WIDE)

/* Survivors that a level can have: as many as are wanted, or as it has anchors. */
static int most_survivors(const struct det_proposal_filter *filter)
{
    int most = 0;
    for (int l = 0; l < filter->n_levels; l++) {
        int n = filter->level_first[l + 1] - filter->level_first[l];
        most = n > most ? n : most;
    }
    most = most < filter->pre_nms ? most : filter->pre_nms;
    return most < filter->post_nms ? most : filter->post_nms;
}

static size_t propose_layout(struct propose_args *a, void *base)
{
    struct det_cut cut = {(unsigned char *)base, 0};
    size_t levels = (size_t)a->images.n * (size_t)a->filter.n_levels;
    size_t rows = levels * (size_t)a->most;
    size_t anchors = (size_t)a->images.n * (size_t)a->filter.n_anchors;
    a->keys = (uint64_t *)det_cut_take(&cut, anchors * sizeof *a->keys);
    a->survivor_boxes = (float *)det_cut_take(&cut, rows * 4 * sizeof *a->survivor_boxes);
    a->survivor_logits = (float *)det_cut_take(&cut, rows * sizeof *a->survivor_logits);
    a->survivors = (int32_t *)det_cut_take(&cut, levels * sizeof *a->survivors);
    a->survivor_keys = (uint64_t *)det_cut_take(&cut, rows * sizeof *a->survivor_keys);
    return cut.used;
}

void det_cuda_rpn_propose(struct det_device *dev, const struct det_proposal_filter *filter,
                          const float *anchors, const struct det_images *images,
                          const float *logits, const float *deltas, struct det_proposals *out)
{
    struct propose_args a = {*filter, anchors, *images, logits, deltas, *out,
                             NULL,    0,       NULL,    NULL,   NULL,   NULL};
    a.most = most_survivors(filter);
    propose_layout(&a, det_kernel_scratch(dev, "rpn_propose", propose_layout(&a, NULL)));
    dev->ops->zero(dev, out->n_not_finite, sizeof *out->n_not_finite);
    DET_RUN(dev, propose_keys, det_blocks_of(images->n * filter->n_anchors, DET_NARROW), &a);
    DET_RUN(dev, propose_level, images->n * filter->n_levels, &a);
    DET_RUN(dev, propose_merge, images->n, &a);
}
