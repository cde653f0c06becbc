/* roi_assign and roi_collect: proposals to RoIs (boxes/roi_assign.h). Matching and sampling take a
 * block an image; then each image's block writes its RoIs behind those of the images before. */
#include "detector/backend/cuda/block_sample.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/live.h"
#include "detector/backend/cuda/matching.h"
#include "detector/backend/cuda/ops.h"
#include "detector/backend/cuda/scratch.h"
#include "detector/bodies/roi_row.h"

struct roi_assign_args {
    struct det_roi_assign assign;
    struct det_proposals proposals;
    struct det_images images;
    struct det_truth truth;
    const uint32_t *step;
    struct det_rois out;
    uint32_t *highest; /* [truth rows] the highest IoU's bits */
    int32_t *kept;     /* [images, 2] RoIs and positives sampled */
    int32_t *matches;  /* [candidates of all images], as the next two */
    uint64_t *keys;
    int8_t *labels;
};

/* An image's candidates: its proposals, then its ground truth. */
struct candidates {
    int n, proposals;
    size_t at; /* of the first in arrays of all images' candidates */
    const float *boxes;
    struct det_rows truth;
};

DET_BLOCK_BODY int proposals_of(const struct det_proposals *proposals, int image)
{
    return det_live_rows(proposals->count + image, proposals->max_per_image);
}

DET_BLOCK_BODY struct candidates candidates_of(const struct roi_assign_args *a, int image)
{
    struct candidates of;
    size_t first = (size_t)image * (size_t)a->proposals.max_per_image;
    int row = a->truth.first[image];
    of.truth.n = a->truth.first[image + 1] - row;
    of.truth.boxes = a->truth.boxes + 4 * (size_t)row;
    of.proposals = proposals_of(&a->proposals, image);
    of.n = of.proposals + (a->assign.append_ground_truth ? of.truth.n : 0);
    of.boxes = a->proposals.boxes + 4 * first;
    of.at = first + (size_t)row;
    return of;
}

DET_BLOCK_BODY const float *candidate_box(const struct candidates *of, int c)
{
    return c < of->proposals ? of->boxes + 4 * (size_t)c
                             : of->truth.boxes + 4 * (size_t)(c - of->proposals);
}

DET_BLOCK_BODY void match_candidates(const struct det_block *b, const struct roi_assign_args *a,
                                     const struct candidates *of)
{
    int low_quality = a->assign.matcher.allow_low_quality;
    uint32_t *highest = a->highest + a->truth.first[b->index];
    int32_t *matches = a->matches + of->at;
    DET_EACH_THREAD(b, t)
        for (int row = t; row < of->truth.n; row += b->threads)
            highest[row] = 0;
    DET_EACH_THREAD(b, t)
        for (int c = t; c < of->n; c += b->threads)
            matches[c] = det_match_best(&of->truth, a->assign.matcher.high, a->assign.matcher.low,
                                        candidate_box(of, c), low_quality ? highest : NULL);
    if (!low_quality)
        return;
    DET_EACH_THREAD(b, t)
        for (int c = t; c < of->n; c += b->threads)
            matches[c] =
                det_match_low_quality(&of->truth, candidate_box(of, c), highest, matches[c]);
}

/* One block an image. */
DET_BLOCK_BODY void roi_sample(const struct det_block *b, const struct roi_assign_args *a,
                               struct det_select_shared *s)
{
    struct candidates of = candidates_of(a, b->index);
    int8_t *labels = a->labels + of.at;
    uint64_t *keys = a->keys + of.at;
    match_candidates(b, a, &of);
    DET_EACH_THREAD(b, t)
        for (int c = t; c < of.n; c += b->threads) {
            labels[c] = det_match_label(a->matches[of.at + (size_t)c]);
            keys[c] =
                det_sample_key(&a->assign.sampler, labels[c], c, a->images.ids[b->index], *a->step);
        }
    struct det_sample_counts counts =
        det_block_sample(b, &a->assign.sampler, of.n, labels, keys, s);
    DET_EACH_THREAD(b, t) {
        if (t > 0)
            continue;
        a->kept[2 * b->index] = counts.positives + counts.negatives;
        a->kept[2 * b->index + 1] = counts.positives;
    }
}

struct place_shared {
    int32_t counts[DET_WIDE], spare[DET_WIDE];
};

/* RoIs (which 0) or positives (which 1) of the images before `image`. */
DET_BLOCK_BODY int kept_before(const struct roi_assign_args *a, int image, int which)
{
    int sum = 0;
    for (int i = 0; i < image; i++)
        sum += a->kept[2 * i + which];
    return sum;
}

/* One block an image: the sampled candidates in ascending order. */
DET_BLOCK_BODY void roi_write(const struct det_block *b, const struct roi_assign_args *a,
                              struct place_shared *s)
{
    int image = b->index;
    struct candidates of = candidates_of(a, image);
    int row = kept_before(a, image, 0);
    for (int first = 0; first < of.n; first += b->threads) {
        DET_EACH_THREAD(b, t)
            s->counts[t] = first + t < of.n && a->labels[of.at + (size_t)(first + t)] >= 0;
        int more = det_block_scan(b, s->counts, s->spare);
        DET_EACH_THREAD(b, t) {
            int c = first + t;
            if (c >= of.n || a->labels[of.at + (size_t)c] < 0)
                continue;
            int positive = a->labels[of.at + (size_t)c] == 1;
            det_roi_row(&a->assign, &a->truth, &a->out, row + s->counts[t], image, c,
                        candidate_box(&of, c),
                        positive ? a->truth.first[image] + a->matches[of.at + (size_t)c] : -1);
        }
        row += more;
    }
    DET_EACH_THREAD(b, t)
        if (t == 0 && image == a->images.n - 1) {
            *a->out.count = row;
            *a->out.n_positive = kept_before(a, a->images.n, 1);
        }
}

DET_KERNEL(roi_sample, struct roi_assign_args, struct det_select_shared, DET_WIDE)
DET_KERNEL(roi_write, struct roi_assign_args, struct place_shared, DET_WIDE)

static size_t roi_assign_layout(struct roi_assign_args *a, void *base)
{
    struct det_cut cut = {(unsigned char *)base, 0};
    size_t rows = (size_t)a->truth.max_rows;
    size_t n = (size_t)a->images.n * (size_t)a->proposals.max_per_image + rows;
    a->highest = (uint32_t *)det_cut_take(&cut, rows * sizeof *a->highest);
    a->kept = (int32_t *)det_cut_take(&cut, 2 * (size_t)a->images.n * sizeof *a->kept);
    a->matches = (int32_t *)det_cut_take(&cut, n * sizeof *a->matches);
    a->keys = (uint64_t *)det_cut_take(&cut, n * sizeof *a->keys);
    a->labels = (int8_t *)det_cut_take(&cut, n);
    return cut.used;
}

void det_cuda_roi_assign(struct det_device *dev, const struct det_roi_assign *assign,
                         const struct det_proposals *proposals, const struct det_images *images,
                         const struct det_truth *truth, const uint32_t *step, struct det_rois *out)
{
    struct roi_assign_args a = {*assign, *proposals, *images, *truth, step, *out,
                                NULL,    NULL,       NULL,    NULL,   NULL};
    roi_assign_layout(&a, det_kernel_scratch(dev, "roi_assign", roi_assign_layout(&a, NULL)));
    DET_RUN(dev, roi_sample, images->n, &a);
    DET_RUN(dev, roi_write, images->n, &a);
}

struct roi_collect_args {
    struct det_roi_assign assign;
    struct det_proposals proposals;
    struct det_images images;
    struct det_rois out;
    int tiles; /* blocks an image */
};

/* Proposals of the images before `image`. */
DET_BLOCK_BODY int proposals_before(const struct roi_collect_args *a, int image)
{
    int sum = 0;
    for (int i = 0; i < image; i++)
        sum += proposals_of(&a->proposals, i);
    return sum;
}

DET_BLOCK_BODY void roi_gather(const struct det_block *b, const struct roi_collect_args *a,
                               struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        int image = b->index / a->tiles;
        int i = b->index % a->tiles * b->threads + t;
        size_t from = (size_t)image * (size_t)a->proposals.max_per_image + (size_t)i;
        int row = proposals_before(a, image) + i;
        if (i < proposals_of(&a->proposals, image) && row < a->out.max_rois)
            det_roi_place(&a->assign, &a->out, row, image, a->proposals.boxes + 4 * from);
        if (b->index > 0 || t > 0)
            continue;
        int all = proposals_before(a, a->images.n);
        *a->out.count = all < a->out.max_rois ? all : a->out.max_rois;
    }
}

DET_KERNEL(roi_gather, struct roi_collect_args, struct det_no_shared, DET_NARROW)

void det_cuda_roi_collect(struct det_device *dev, const struct det_roi_assign *assign,
                          const struct det_proposals *proposals, const struct det_images *images,
                          struct det_rois *out)
{
    struct roi_collect_args a = {*assign, *proposals, *images, *out, 0};
    a.tiles = det_blocks_of(proposals->max_per_image, DET_NARROW);
    DET_RUN(dev, roi_gather, images->n * a.tiles, &a);
}
