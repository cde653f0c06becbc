#include "detector/boxes/roi_assign.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/roi_row.h"
#include "detector/boxes/matcher.h"
#include "detector/boxes/sampler.h"
#include "detector/boxes/scratch.h"

#include <string.h>

struct job {
    const struct det_cpu *cpu;
    const struct det_roi_assign *assign;
    const struct det_proposals *proposals;
    const struct det_images *images;
    const struct det_truth *truth;
    uint32_t step;
    const struct det_rois *out;
};

struct assign_scratch {
    float *boxes;     /* [candidates, 4] */
    int32_t *matches; /* [candidates] */
    int8_t *labels;   /* [candidates] */
    uint64_t *keys;   /* [candidates] */
    void *match;
};

static size_t layout(struct assign_scratch *s, int candidates, int objects, void *base)
{
    struct det_arena scratch = {.base = base};
    size_t n = (size_t)candidates;
    s->boxes = det_scratch_cut(&scratch, n, 4 * sizeof *s->boxes);
    s->matches = det_scratch_cut(&scratch, n, sizeof *s->matches);
    s->labels = det_scratch_cut(&scratch, n, sizeof *s->labels);
    s->keys = det_scratch_cut(&scratch, n, sizeof *s->keys);
    s->match = det_scratch_cut(&scratch, det_match_scratch(objects, candidates), 1);
    return scratch.size;
}

/* Row r of the output from candidate c of the image, whose truth starts at row `first`. */
static void write_roi(const struct job *job, int image, int first, const struct assign_scratch *s,
                      int c, int r)
{
    int matched = s->labels[c] == 1 ? first + s->matches[c] : -1;
    det_roi_row(job->assign, job->truth, job->out, r, image, c, s->boxes + 4 * (size_t)c, matched);
}

/* The image's sampled RoIs to the output from row image * batch on, where the ones of other images
 * cannot be in the way; close_gaps moves them together. The rest of these rows get label -1. */
static void assign_image(void *arg, int image, int worker)
{
    const struct job *job = arg;
    const struct det_roi_assign *assign = job->assign;
    int first = job->truth->first[image];
    int objects = job->truth->first[image + 1] - first;
    const float *truth = objects > 0 ? job->truth->boxes + 4 * (size_t)first : NULL;
    int proposals = det_live(job->proposals->count + image, job->proposals->max_per_image);
    int n = proposals + (assign->append_ground_truth ? objects : 0);
    struct assign_scratch s;
    layout(&s, n, objects, det_cpu_scratch(job->cpu, worker));
    size_t from = (size_t)image * (size_t)job->proposals->max_per_image * 4;
    memcpy(s.boxes, job->proposals->boxes + from, (size_t)proposals * 4 * sizeof *s.boxes);
    if (n > proposals)
        memcpy(s.boxes + 4 * (size_t)proposals, truth, (size_t)objects * 4 * sizeof *s.boxes);
    det_match_boxes(&assign->matcher, objects, truth, n, s.boxes, s.matches, s.match);
    for (int c = 0; c < n; c++)
        s.labels[c] = det_match_label(s.matches[c]);
    det_sample(&assign->sampler, n, s.labels, job->images->ids[image], job->step, s.keys);
    int row = image * assign->sampler.batch_per_image;
    int end = row + assign->sampler.batch_per_image;
    for (int c = 0; c < n; c++)
        if (s.labels[c] >= 0)
            write_roi(job, image, first, &s, c, row++);
    for (; row < end; row++)
        job->out->labels[row] = -1;
}

static void move_roi(const struct det_rois *rois, int from, int to)
{
    det_roi_copy(rois, from, rois, to);
    memmove(rois->targets + 4 * (size_t)to, rois->targets + 4 * (size_t)from, 4 * sizeof(float));
    rois->index[to] = rois->index[from];
}

/* Move the rows with a label >= 0 together; count them and the positives. */
static void close_gaps(const struct det_rois *rois, int rows)
{
    int count = 0;
    int positives = 0;
    for (int row = 0; row < rows; row++) {
        if (rois->labels[row] < 0)
            continue;
        positives += rois->labels[row] > 0;
        move_roi(rois, row, count++);
    }
    *rois->count = count;
    *rois->n_positive = positives;
}

void det_roi_assign(struct det_device *dev, const struct det_roi_assign *assign,
                    const struct det_proposals *proposals, const struct det_images *images,
                    const struct det_truth *truth, const uint32_t *step, struct det_rois *out)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {cpu, assign, proposals, images, truth, *step, out};
    det_pool_run(cpu->pool, images->n, assign_image, &job);
    close_gaps(out, images->n * assign->sampler.batch_per_image);
}

size_t det_roi_assign_scratch(int max_proposals, int max_objects)
{
    struct assign_scratch s;
    return layout(&s, max_proposals + max_objects, max_objects, NULL);
}

void det_roi_collect(struct det_device *dev, const struct det_roi_assign *assign,
                     const struct det_proposals *proposals, const struct det_images *images,
                     struct det_rois *out)
{
    (void)dev;
    int row = 0;
    for (int image = 0; image < images->n; image++) {
        int n = det_live(proposals->count + image, proposals->max_per_image);
        size_t first = (size_t)image * (size_t)proposals->max_per_image;
        for (int i = 0; i < n && row < out->max_rois; i++, row++) {
            const float *box = proposals->boxes + 4 * (first + (size_t)i);
            det_roi_place(assign, out, row, image, box);
        }
    }
    *out->count = row;
}
