#include "detector/boxes/rpn_assign.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/box_coder.h"
#include "detector/boxes/matcher.h"
#include "detector/boxes/sampler.h"
#include "detector/boxes/scratch.h"

#include <string.h>

struct job {
    const struct det_cpu *cpu;
    const struct det_rpn_assign *assign;
    const float *anchors;
    const struct det_images *images;
    const struct det_truth *truth;
    uint32_t step;
    const struct det_rpn_sampled *out;
};

struct assign_scratch {
    int32_t *matches; /* [anchors] */
    uint64_t *keys;   /* [anchors] */
    void *match;
};

static size_t layout(struct assign_scratch *s, int n_anchors, int max_objects, void *base)
{
    struct det_arena scratch = {.base = base};
    s->matches = det_scratch_cut(&scratch, (size_t)n_anchors, sizeof *s->matches);
    s->keys = det_scratch_cut(&scratch, (size_t)n_anchors, sizeof *s->keys);
    s->match = det_scratch_cut(&scratch, det_match_scratch(max_objects, n_anchors), 1);
    return scratch.size;
}

static void label_matches(int n, const int32_t *matches, int8_t *labels)
{
    for (int i = 0; i < n; i++)
        labels[i] = det_match_label(matches[i]);
}

/* targets of the sampled positives, zero elsewhere. */
static void encode_targets(const struct det_rpn_assign *assign, const float *anchors,
                           const float *truth, const int32_t *matches, const int8_t *labels,
                           float *targets)
{
    memset(targets, 0, (size_t)assign->n_anchors * 4 * sizeof *targets);
    for (int i = 0; i < assign->n_anchors; i++)
        if (labels[i] == 1)
            det_box_encode(anchors + 4 * (size_t)i, truth + 4 * (size_t)matches[i],
                           assign->coder_weights, targets + 4 * (size_t)i);
}

static void assign_image(void *arg, int image, int worker)
{
    const struct job *job = arg;
    const struct det_rpn_sampled *out = job->out;
    int n = job->assign->n_anchors;
    int first = job->truth->first[image];
    int objects = job->truth->first[image + 1] - first;
    const float *truth = objects > 0 ? job->truth->boxes + 4 * (size_t)first : NULL;
    int8_t *labels = out->labels + (size_t)image * (size_t)n;
    struct assign_scratch s;
    layout(&s, n, objects, det_cpu_scratch(job->cpu, worker));
    det_match_boxes(&job->assign->matcher, objects, truth, n, job->anchors, s.matches, s.match);
    label_matches(n, s.matches, labels);
    struct det_sample_counts counts =
        det_sample(&job->assign->sampler, n, labels, job->images->ids[image], job->step, s.keys);
    out->n_positive[image] = counts.positives;
    out->n_negative[image] = counts.negatives;
    out->n_candidates[2 * image] = counts.positive_candidates;
    out->n_candidates[2 * image + 1] = counts.negative_candidates;
    encode_targets(job->assign, job->anchors, truth, s.matches, labels,
                   out->targets + (size_t)image * (size_t)n * 4);
}

void det_rpn_assign(struct det_device *dev, const struct det_rpn_assign *assign,
                    const float *anchors, const struct det_images *images,
                    const struct det_truth *truth, const uint32_t *step, struct det_rpn_sampled *out)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {cpu, assign, anchors, images, truth, *step, out};
    det_pool_run(cpu->pool, images->n, assign_image, &job);
}

size_t det_rpn_assign_scratch(const struct det_rpn_assign *assign, int max_objects)
{
    struct assign_scratch s;
    return layout(&s, assign->n_anchors, max_objects, NULL);
}
