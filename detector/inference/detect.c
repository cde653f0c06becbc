#include "detector/inference/detect.h"

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
    const struct det_detect *detect;
    const struct det_images *images;
    const struct det_rois *rois;
    const float *cls_logits, *box_deltas;
    const struct det_detections *out;
    atomic_int not_finite; /* a sum of integers: the order of the images does not matter */
};

/* One image's RoIs first .. first + n - 1. Candidate (r, c) has index r * n_classes + c. */
struct range {
    int image, first, n;
    int not_finite;
};

struct detect_scratch {
    float *scores;  /* [RoIs, n_classes] */
    uint64_t *keys; /* [candidates] */
    float *boxes;   /* [candidates, 4] best first, as the next two */
    int32_t *from;  /* [candidates] candidate index */
    int32_t *classes;
    int32_t *keep; /* [detections] */
    void *suppress;
};

static size_t layout(struct detect_scratch *s, const struct det_detect *detect, int n, void *base)
{
    struct det_arena scratch = {.base = base};
    size_t scores = (size_t)n * (size_t)detect->n_classes;
    int candidates = n * (detect->n_classes - 1);
    int most = candidates < detect->max_per_image ? candidates : detect->max_per_image;
    size_t rows = (size_t)candidates;
    s->scores = det_scratch_cut(&scratch, scores, sizeof *s->scores);
    /* one more: the slot that collect_candidates writes ahead of deciding */
    s->keys = det_scratch_cut(&scratch, rows + 1, sizeof *s->keys);
    s->boxes = det_scratch_cut(&scratch, rows, 4 * sizeof *s->boxes);
    s->from = det_scratch_cut(&scratch, rows, sizeof *s->from);
    s->classes = det_scratch_cut(&scratch, rows, sizeof *s->classes);
    s->keep = det_scratch_cut(&scratch, (size_t)most, sizeof *s->keep);
    s->suppress = det_scratch_cut(&scratch, det_suppress_scratch(candidates, most), 1);
    return scratch.size;
}

/* The first live RoI whose image is not below `image`. */
static int lower_bound(const struct det_rois *rois, int image)
{
    int low = 0;
    int high = det_live(rois->count, rois->max_rois);
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (rois->image[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* keys of the candidates above the score threshold, best first; returns how many. */
static int collect_candidates(const struct job *job, struct range *range,
                              const struct detect_scratch *s)
{
    int classes = job->detect->n_classes;
    int n = 0;
    for (int r = 0; r < range->n; r++) {
        float *scores = s->scores + (size_t)r * (size_t)classes;
        det_softmax(classes, job->cls_logits + (size_t)(range->first + r) * (size_t)classes,
                    scores);
        for (int c = 1; c < classes; c++) {
            range->not_finite += !isfinite(scores[c]);
            s->keys[n] = det_key_descending(scores[c], (uint32_t)(r * classes + c));
            n += scores[c] > job->detect->score_threshold; /* never where NaN */
        }
    }
    det_sort_keys(s->keys, n);
    return n;
}

/* Decode the n candidates into s->boxes, from, classes; returns how many are left. */
static int decode_candidates(const struct job *job, struct range *range, int n,
                             const struct detect_scratch *s)
{
    const struct det_detect *detect = job->detect;
    int left = 0;
    for (int i = 0; i < n; i++) {
        int candidate = (int)det_key_index(s->keys[i]);
        size_t roi = (size_t)(range->first + candidate / detect->n_classes);
        int class_of = candidate % detect->n_classes;
        const float *deltas =
            job->box_deltas + 4 * (roi * (size_t)detect->n_classes + (size_t)class_of);
        float *box = s->boxes + 4 * (size_t)left;
        if (!det_box_decode_clipped(job->rois->boxes + 4 * roi, deltas, detect->coder_weights,
                                    detect->delta_clip, job->images->heights[range->image],
                                    job->images->widths[range->image], box)) {
            range->not_finite++;
            continue;
        }
        s->from[left] = candidate;
        s->classes[left] = class_of;
        left += det_box_large_enough(box, detect->min_size);
    }
    return left;
}

static void detect_image(void *arg, int image, int worker)
{
    struct job *job = arg;
    const struct det_detections *out = job->out;
    struct range range = {.image = image, .first = lower_bound(job->rois, image)};
    range.n = lower_bound(job->rois, image + 1) - range.first;
    struct detect_scratch s;
    layout(&s, job->detect, range.n, det_cpu_scratch(job->cpu, worker));
    int n = collect_candidates(job, &range, &s);
    n = decode_candidates(job, &range, n, &s);
    int kept = det_suppress(n, s.boxes, s.classes, job->detect->nms_iou, job->detect->max_per_image,
                            s.keep, s.suppress);
    size_t first = (size_t)image * (size_t)out->max_per_image;
    for (int i = 0; i < kept; i++) {
        size_t from = (size_t)s.keep[i];
        size_t to = first + (size_t)i;
        memcpy(out->boxes + 4 * to, s.boxes + 4 * from, 4 * sizeof *out->boxes);
        out->scores[to] = s.scores[s.from[from]];
        out->labels[to] = s.classes[from];
    }
    out->count[image] = kept;
    atomic_fetch_add(&job->not_finite, range.not_finite);
}

void det_detect(struct det_device *dev, const struct det_detect *detect,
                const struct det_images *images, const struct det_rois *rois,
                const float *cls_logits, const float *box_deltas, struct det_detections *out)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu,
                      .detect = detect,
                      .images = images,
                      .rois = rois,
                      .cls_logits = cls_logits,
                      .box_deltas = box_deltas,
                      .out = out};
    det_pool_run(cpu->pool, images->n, detect_image, &job);
    *out->n_not_finite = atomic_load(&job.not_finite);
}

size_t det_detect_scratch(const struct det_detect *detect, int max_rois)
{
    struct detect_scratch s;
    return layout(&s, detect, max_rois, NULL);
}
