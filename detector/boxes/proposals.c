#include "detector/boxes/proposals.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/box_coder.h"
#include "detector/bodies/probability.h"
#include "detector/bodies/sort_key.h"
#include "detector/boxes/nms.h"
#include "detector/boxes/scratch.h"
#include "detector/boxes/select.h"

#include <stdatomic.h>
#include <string.h>

struct job {
    const struct det_cpu *cpu;
    const struct det_proposal_filter *filter;
    const float *anchors;
    const struct det_images *images;
    const float *logits, *deltas;
    const struct det_proposals *out;
    atomic_int not_finite; /* a sum of integers: the order of the images does not matter */
};

/* What one image works in. Of the levels' survivors, row r has anchor index in `anchor[r]`. */
struct propose_scratch {
    uint64_t *keys; /* [anchors of the largest level], later [survivors] */
    float *boxes;   /* [pre_nms, 4] of one level, best first */
    int32_t *from;  /* [pre_nms] their anchors */
    int32_t *keep;  /* [pre_nms] */
    void *suppress;
    int survivors;
    float *survivor_boxes; /* [levels * kept a level, 4] */
    float *survivor_logits;
};

/* The image at hand. */
struct image {
    float height, width;
    const float *logits, *deltas;
    int not_finite;
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int largest_level(const struct det_proposal_filter *filter)
{
    int most = 0;
    for (int l = 0; l < filter->n_levels; l++) {
        int n = filter->level_first[l + 1] - filter->level_first[l];
        most = n > most ? n : most;
    }
    return most;
}

static size_t layout(struct propose_scratch *s, const struct det_proposal_filter *filter,
                     void *base)
{
    struct det_arena scratch = {.base = base};
    int largest = largest_level(filter);
    int chosen = least(filter->pre_nms, largest);
    int kept = least(filter->post_nms, chosen);
    size_t survivors = (size_t)filter->n_levels * (size_t)kept;
    size_t keys = (size_t)largest > survivors ? (size_t)largest : survivors;
    s->keys = det_scratch_cut(&scratch, keys, sizeof *s->keys);
    s->boxes = det_scratch_cut(&scratch, (size_t)chosen, 4 * sizeof *s->boxes);
    s->from = det_scratch_cut(&scratch, (size_t)chosen, sizeof *s->from);
    s->keep = det_scratch_cut(&scratch, (size_t)chosen, sizeof *s->keep);
    s->suppress = det_scratch_cut(&scratch, det_suppress_scratch(chosen, kept), 1);
    s->survivors = 0;
    s->survivor_boxes = det_scratch_cut(&scratch, survivors, 4 * sizeof *s->survivor_boxes);
    s->survivor_logits = det_scratch_cut(&scratch, survivors, sizeof *s->survivor_logits);
    return scratch.size;
}

/* The level's pre_nms best finite logits as sorted keys; returns how many. */
static int choose_anchors(const struct det_proposal_filter *filter, int level, struct image *image,
                          uint64_t *keys)
{
    int first = filter->level_first[level];
    int end = filter->level_first[level + 1];
    int finite = 0;
    for (int a = first; a < end; a++) {
        keys[finite] = det_key_descending(image->logits[a], (uint32_t)a);
        finite += isfinite(image->logits[a]) != 0;
    }
    image->not_finite += end - first - finite;
    int chosen = least(filter->pre_nms, finite);
    det_select_smallest(keys, finite, chosen);
    det_sort_keys(keys, chosen);
    return chosen;
}

/* Decode, clip and filter the chosen anchors into s->boxes, s->from; returns how many are left. */
static int decode_chosen(const struct job *job, struct image *image, int chosen,
                         struct propose_scratch *s)
{
    const struct det_proposal_filter *filter = job->filter;
    int n = 0;
    for (int i = 0; i < chosen; i++) {
        uint32_t a = det_key_index(s->keys[i]);
        float *box = s->boxes + 4 * (size_t)n;
        if (!det_box_decode_clipped(job->anchors + 4 * (size_t)a, image->deltas + 4 * (size_t)a,
                                    filter->coder_weights, filter->delta_clip, image->height,
                                    image->width, box)) {
            image->not_finite++;
            continue;
        }
        s->from[n] = (int32_t)a;
        n += det_box_large_enough(box, filter->min_size) &&
             det_sigmoid(image->logits[a]) >= filter->score_threshold;
    }
    return n;
}

static void propose_level(const struct job *job, struct image *image, int level,
                          struct propose_scratch *s)
{
    const struct det_proposal_filter *filter = job->filter;
    int chosen = choose_anchors(filter, level, image, s->keys);
    int n = decode_chosen(job, image, chosen, s);
    int kept =
        det_suppress(n, s->boxes, NULL, filter->nms_iou, filter->post_nms, s->keep, s->suppress);
    for (int i = 0; i < kept; i++) {
        memcpy(s->survivor_boxes + 4 * (size_t)s->survivors, s->boxes + 4 * (size_t)s->keep[i],
               4 * sizeof *s->boxes);
        s->survivor_logits[s->survivors++] = image->logits[s->from[s->keep[i]]];
    }
}

/* The best post_nms survivors of all levels to the output. */
static void merge_levels(const struct job *job, int image, struct propose_scratch *s)
{
    const struct det_proposals *out = job->out;
    size_t first = (size_t)image * (size_t)out->max_per_image;
    int count = least(job->filter->post_nms, s->survivors);
    for (int i = 0; i < s->survivors; i++)
        s->keys[i] = det_key_descending(s->survivor_logits[i], (uint32_t)i);
    det_select_smallest(s->keys, s->survivors, count);
    det_sort_keys(s->keys, count);
    for (int i = 0; i < count; i++) {
        size_t from = det_key_index(s->keys[i]);
        size_t to = first + (size_t)i;
        memcpy(out->boxes + 4 * to, s->survivor_boxes + 4 * from, 4 * sizeof *out->boxes);
        out->scores[to] = det_sigmoid(s->survivor_logits[from]);
    }
    out->count[image] = count;
}

static void propose_image(void *arg, int index, int worker)
{
    struct job *job = arg;
    size_t row = (size_t)index * (size_t)job->filter->n_anchors;
    struct image image = {.height = job->images->heights[index],
                          .width = job->images->widths[index],
                          .logits = job->logits + row,
                          .deltas = job->deltas + 4 * row};
    struct propose_scratch s;
    layout(&s, job->filter, det_cpu_scratch(job->cpu, worker));
    for (int level = 0; level < job->filter->n_levels; level++)
        propose_level(job, &image, level, &s);
    merge_levels(job, index, &s);
    atomic_fetch_add(&job->not_finite, image.not_finite);
}

void det_rpn_propose(struct det_device *dev, const struct det_proposal_filter *filter,
                     const float *anchors, const struct det_images *images, const float *logits,
                     const float *deltas, struct det_proposals *out)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu,
                      .filter = filter,
                      .anchors = anchors,
                      .images = images,
                      .logits = logits,
                      .deltas = deltas,
                      .out = out};
    det_pool_run(cpu->pool, images->n, propose_image, &job);
    *out->n_not_finite = atomic_load(&job.not_finite);
}

size_t det_rpn_propose_scratch(const struct det_proposal_filter *filter)
{
    struct propose_scratch s;
    return layout(&s, filter, NULL);
}
