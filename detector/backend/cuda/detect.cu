/* detect: box head output to detections (inference/detect.h). A thread a RoI scores its classes and
 * makes the candidates' keys; a block an image takes them best first, until it has enough. */
#include "detector/backend/cuda/block_suppress.h"
#include "detector/backend/cuda/block_take.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/probability.h"

#include <math.h>

struct detect_args {
    struct det_detect detect;
    struct det_images images;
    struct det_rois rois;
    const float *cls_logits, *box_deltas;
    struct det_detections out;
    uint64_t *keys; /* [max_rois, n_classes] of candidate r * n_classes + c */
};

/* The box of a candidate of the image, cut to it; returns 0 where it is not finite. */
DET_BLOCK_BODY int candidate_box(const struct detect_args *a, int image, size_t candidate,
                                 float box[4])
{
    const float *roi = a->rois.boxes + 4 * (candidate / (size_t)a->detect.n_classes);
    return det_box_decode_clipped(roi, a->box_deltas + 4 * candidate, a->detect.coder_weights,
                                  a->detect.delta_clip, a->images.heights[image],
                                  a->images.widths[image], box);
}

/* The key of a candidate; DET_NO_KEY where its score or box rules it out. */
DET_BLOCK_BODY uint64_t candidate_key(const struct detect_args *a, int image, size_t candidate,
                                      float score)
{
    float box[4];
    int finite = isfinite(score) != 0;
    int above = score > a->detect.score_threshold; /* never where NaN */
    int usable = above && candidate_box(a, image, candidate, box);
    int odd = !finite + (above && !usable);
    if (odd)
        det_atomic_add(a->out.n_not_finite, odd);
    return usable && det_box_large_enough(box, a->detect.min_size)
               ? det_key_descending(score, (uint32_t)candidate)
               : DET_NO_KEY;
}

DET_BLOCK_BODY void detect_keys(const struct det_block *b, const struct detect_args *a,
                                struct det_no_shared *s)
{
    (void)s;
    int live = det_live_rows(a->rois.count, a->rois.max_rois);
    int classes = a->detect.n_classes;
    DET_EACH_THREAD(b, t) {
        int r = b->index * b->threads + t;
        if (r >= live || a->rois.image[r] < 0 || a->rois.image[r] >= a->images.n)
            continue;
        size_t first = (size_t)r * (size_t)classes;
        const float *logits = a->cls_logits + first;
        struct det_softmax row = det_softmax_row(logits, classes);
        a->keys[first] = DET_NO_KEY;
        for (int c = 1; c < classes; c++)
            a->keys[first + (size_t)c] = candidate_key(a, a->rois.image[r], first + (size_t)c,
                                                       det_softmax_p(&row, logits[c]));
    }
}

/* The first live RoI whose image is not below `image`. */
DET_BLOCK_BODY int first_roi(const struct detect_args *a, int image)
{
    int low = 0;
    int high = det_live_rows(a->rois.count, a->rois.max_rois);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (a->rois.image[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct detect_shared {
    struct det_take_shared take;
    struct det_suppress_shared suppress;
};

/* The rows of the tile: candidates keys[first..] of those taken. */
DET_BLOCK_BODY void load_tile(const struct det_block *b, const struct detect_args *a, int first,
                              int rows, struct detect_shared *s)
{
    DET_EACH_THREAD(b, t) {
        if (t >= rows)
            continue;
        uint32_t candidate = det_key_index(s->take.keys[first + t]);
        candidate_box(a, b->index, candidate, s->suppress.boxes[t]);
        s->suppress.classes[t] = (int32_t)(candidate % (uint32_t)a->detect.n_classes);
        s->suppress.alive[t] = 1;
    }
}

/* The k keys taken, tile by tile, until there are enough; returns how many are kept. */
DET_BLOCK_BODY int detect_chunk(const struct det_block *b, const struct detect_args *a,
                                const struct det_kept *to, int k, int kept, struct detect_shared *s)
{
    float *scores = a->out.scores + (size_t)b->index * (size_t)a->out.max_per_image;
    for (int first = 0; first < k && kept < to->max; first += DET_TILE) {
        int rows = k - first < DET_TILE ? k - first : DET_TILE;
        load_tile(b, a, first, rows, s);
        kept = det_block_suppress(b, rows, a->detect.nms_iou, to, kept, &s->suppress);
        DET_EACH_THREAD(b, t)
            if (t < rows && s->suppress.place[t] >= 0)
                scores[s->suppress.place[t]] = det_key_score(s->take.keys[first + t]);
    }
    return kept;
}

/* One block an image. */
DET_BLOCK_BODY void detect_image(const struct det_block *b, const struct detect_args *a,
                                 struct detect_shared *s)
{
    int image = b->index;
    size_t to = (size_t)image * (size_t)a->out.max_per_image;
    int first = first_roi(a, image);
    struct det_keys keys = {a->keys + (size_t)first * (size_t)a->detect.n_classes,
                            (first_roi(a, image + 1) - first) * a->detect.n_classes, 0, NULL, 0};
    struct det_kept out = {a->out.boxes + 4 * to, a->out.labels + to, a->detect.max_per_image};
    int left = det_block_available(b, &keys, &s->take.select);
    int kept = 0;
    while (left > 0 && kept < out.max) {
        int k = left < DET_CHUNK ? left : DET_CHUNK;
        det_block_take(b, &keys, k, &s->take);
        kept = detect_chunk(b, a, &out, k, kept, s);
        left -= k;
    }
    DET_EACH_THREAD(b, t)
        if (t == 0)
            a->out.count[image] = kept;
}

DET_KERNEL(detect_keys, struct detect_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(detect_image, struct detect_args, struct detect_shared, DET_WIDE)

void det_cuda_detect(struct det_device *dev, const struct det_detect *detect,
                     const struct det_images *images, const struct det_rois *rois,
                     const float *cls_logits, const float *box_deltas, struct det_detections *out)
{
    struct detect_args a = {*detect, *images, *rois, cls_logits, box_deltas, *out, NULL};
    size_t candidates = (size_t)rois->max_rois * (size_t)detect->n_classes;
    a.keys = (uint64_t *)det_kernel_scratch(dev, "detect", candidates * sizeof *a.keys);
    dev->ops->zero(dev, out->n_not_finite, sizeof *out->n_not_finite);
    DET_RUN(dev, detect_keys, det_blocks_of(rois->max_rois, DET_NARROW), &a);
    DET_RUN(dev, detect_image, images->n, &a);
}
