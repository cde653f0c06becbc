#include "detector/boxes/mask_targets.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/roi_row.h"
#include "detector/boxes/scratch.h"
#include "detector/layers/roi_axis.h"

#include <string.h>

struct job {
    const struct det_cpu *cpu;
    const struct det_rois *rois;
    const struct det_truth *truth;
    int size;
    float *targets;
};

struct target_scratch {
    struct det_roi_axis rows, columns;
    float *line; /* [mask_w] */
};

static struct det_roi_align mask_align(int size)
{
    return (struct det_roi_align){.output_size = size, .sampling_ratio = 0, .aligned = 0};
}

static void layout_axis(struct det_roi_axis *axis, int pixels, int size, struct det_arena *scratch)
{
    struct det_roi_align shape = mask_align(size);
    int capacity = det_roi_axis_capacity(&shape, pixels);
    void *block = det_scratch_cut(scratch, det_roi_axis_bytes(&shape, capacity), 1);
    if (block)
        det_roi_axis_place(axis, &shape, capacity, block);
}

static size_t layout(struct target_scratch *s, int h, int w, int size, void *base)
{
    struct det_arena scratch = {.base = base};
    layout_axis(&s->rows, h, size, &scratch);
    layout_axis(&s->columns, w, size, &scratch);
    s->line = det_scratch_cut(&scratch, (size_t)w, sizeof *s->line);
    return scratch.size;
}

/* Mask rows into one line, weighted as output row i wants them. */
static void pool_rows(const struct target_scratch *s, int i, const uint8_t *mask, int mask_w)
{
    const struct det_roi_tap *tap = s->rows.taps + (size_t)i * (size_t)s->rows.capacity;
    int first = s->columns.first;
    int end = s->columns.end;
    memset(s->line + first, 0, (size_t)(end - first) * sizeof *s->line);
    for (int t = 0; t < s->rows.count[i]; t++) {
        const uint8_t *row = mask + (size_t)tap[t].at * (size_t)mask_w;
        float weight = tap[t].weight;
        for (int x = first; x < end; x++)
            s->line[x] += weight * (float)row[x];
    }
}

static void pool_columns(const struct target_scratch *s, float *out)
{
    const struct det_roi_tap *tap = s->columns.taps;
    for (int j = 0; j < s->columns.cells; j++, tap += s->columns.capacity) {
        float sum = 0.0f;
        for (int t = 0; t < s->columns.count[j]; t++)
            sum += tap[t].weight * s->line[tap[t].at];
        out[j] = sum;
    }
}

static void make_target(void *arg, int r, int worker)
{
    const struct job *job = arg;
    const struct det_truth *truth = job->truth;
    const float *box = job->rois->boxes + 4 * (size_t)r;
    size_t plane = (size_t)truth->mask_h * (size_t)truth->mask_w;
    const uint8_t *mask = truth->masks + (size_t)job->rois->matched[r] * plane;
    struct det_roi_align shape = mask_align(job->size);
    size_t size = (size_t)job->size;
    float *target = job->targets + (size_t)r * size * size;
    struct target_scratch s;
    layout(&s, truth->mask_h, truth->mask_w, job->size, det_cpu_scratch(job->cpu, worker));
    det_roi_axis_fill(&s.rows, &shape, 1.0f, truth->mask_h, box[1], box[3]);
    det_roi_axis_fill(&s.columns, &shape, 1.0f, truth->mask_w, box[0], box[2]);
    for (int i = 0; i < job->size; i++, target += size) {
        pool_rows(&s, i, mask, truth->mask_w);
        pool_columns(&s, target);
    }
}

void det_mask_targets(struct det_device *dev, const struct det_rois *rois,
                      const struct det_truth *truth, int size, float *targets)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {cpu, rois, truth, size, targets};
    det_pool_run(cpu->pool, det_live(rois->count, rois->max_rois), make_target, &job);
}

size_t det_mask_targets_scratch(int mask_h, int mask_w, int size)
{
    struct target_scratch s;
    return layout(&s, mask_h, mask_w, size, NULL);
}

void det_mask_select(struct det_device *dev, const struct det_rois *rois, int32_t *index,
                     int32_t *count, struct det_rois *out)
{
    (void)dev;
    int live = det_live(rois->count, rois->max_rois);
    int n = 0;
    for (int r = 0; r < live && n < out->max_rois; r++) {
        if (rois->labels[r] <= 0)
            continue;
        index[n] = r;
        det_roi_copy(rois, r, out, n++);
    }
    *count = n;
    *out->count = n;
}
