#include "detector/boxes/mask_targets.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/roi_axis.h"
#include "detector/boxes/scratch.h"

#include <string.h>

struct job {
    const struct det_cpu *cpu;
    const struct det_rois *rois;
    const struct det_truth *truth;
    int size;
    float *targets;
};

/* Which pixels of an axis each cell reads, and how much: cell c reads pixels first[c] ..
 * first[c] + n[c] - 1 with weights[begin[c]] and on, averaged over its samples. */
struct axis_weights {
    int *first, *n, *begin; /* [cells] */
    float *weights;         /* [pixels + 3 cells] */
};

struct target_scratch {
    struct axis_weights x, y;
    float *rows; /* [mask_h, cells]: the mask's rows, pooled along x */
};

/* Neighbouring cells share at most two pixels, hence pixels + 3 cells weights for any RoI. */
static void layout_axis(struct axis_weights *w, int pixels, int cells, struct det_arena *scratch)
{
    size_t n = (size_t)cells;
    w->first = det_scratch_cut(scratch, n, sizeof *w->first);
    w->n = det_scratch_cut(scratch, n, sizeof *w->n);
    w->begin = det_scratch_cut(scratch, n, sizeof *w->begin);
    w->weights = det_scratch_cut(scratch, (size_t)pixels + 3 * n, sizeof *w->weights);
}

static size_t layout(struct target_scratch *s, int h, int w, int size, void *base)
{
    struct det_arena scratch = {.base = base};
    layout_axis(&s->x, w, size, &scratch);
    layout_axis(&s->y, h, size, &scratch);
    s->rows = det_scratch_cut(&scratch, (size_t)h * (size_t)size, sizeof *s->rows);
    return scratch.size;
}

/* The cell's weights into w->weights from `begin` on; returns the end. */
static int weigh_cell(const struct det_roi_axis *axis, int pixels, int cell, int begin,
                      struct axis_weights *w)
{
    float *weights = w->weights + begin;
    float share = 1.0f / (float)axis->samples;
    int n = 0;
    for (int i = 0; i < axis->samples; i++) {
        struct det_sample_tap tap = det_sample_tap(det_roi_axis_sample(axis, cell, i), pixels);
        if (tap.low_weight == 0.0f && tap.high_weight == 0.0f)
            continue;
        if (n == 0)
            w->first[cell] = tap.low;
        while (w->first[cell] + n <= tap.high)
            weights[n++] = 0.0f;
        weights[tap.low - w->first[cell]] += share * tap.low_weight;
        weights[tap.high - w->first[cell]] += share * tap.high_weight;
    }
    w->begin[cell] = begin;
    w->n[cell] = n;
    return begin + n;
}

static void weigh_axis(float start, float end, int pixels, int cells, struct axis_weights *w)
{
    struct det_roi_axis axis = det_roi_axis(start, end, cells);
    int at = 0;
    for (int c = 0; c < cells; c++) {
        w->first[c] = 0;
        at = weigh_cell(&axis, pixels, c, at, w);
    }
}

/* One mask row pooled along x. */
static void pool_row(const struct axis_weights *x, int cells, const uint8_t *pixels, float *out)
{
    for (int c = 0; c < cells; c++) {
        const uint8_t *from = pixels + x->first[c];
        const float *weights = x->weights + x->begin[c];
        float sum = 0.0f;
        for (int i = 0; i < x->n[c]; i++)
            sum += from[i] ? weights[i] : 0.0f;
        out[c] = sum;
    }
}

/* The RoI's target from the rows that it touches. */
static void pool_mask(const struct target_scratch *s, int size, const uint8_t *mask, int mask_w,
                      float *target)
{
    int pooled = 0; /* rows below this one are done; cells go downwards */
    for (int c = 0; c < size; c++) {
        float *out = target + (size_t)c * (size_t)size;
        int first = s->y.first[c];
        int end = first + s->y.n[c];
        memset(out, 0, (size_t)size * sizeof *out);
        for (pooled = pooled > first ? pooled : first; pooled < end; pooled++)
            pool_row(&s->x, size, mask + (size_t)pooled * (size_t)mask_w,
                     s->rows + (size_t)pooled * (size_t)size);
        for (int y = first; y < end; y++) {
            float weight = s->y.weights[s->y.begin[c] + y - first];
            const float *row = s->rows + (size_t)y * (size_t)size;
            for (int i = 0; i < size; i++)
                out[i] += weight * row[i];
        }
    }
}

static void make_target(void *arg, int r, int worker)
{
    const struct job *job = arg;
    const struct det_truth *truth = job->truth;
    const float *box = job->rois->boxes + 4 * (size_t)r;
    size_t plane = (size_t)truth->mask_h * (size_t)truth->mask_w;
    size_t size = (size_t)job->size;
    struct target_scratch s;
    layout(&s, truth->mask_h, truth->mask_w, job->size, det_cpu_scratch(job->cpu, worker));
    weigh_axis(box[0], box[2], truth->mask_w, job->size, &s.x);
    weigh_axis(box[1], box[3], truth->mask_h, job->size, &s.y);
    pool_mask(&s, job->size, truth->masks + (size_t)job->rois->matched[r] * plane, truth->mask_w,
              job->targets + (size_t)r * size * size);
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
        memcpy(out->boxes + 4 * (size_t)n, rois->boxes + 4 * (size_t)r, 4 * sizeof(float));
        out->image[n] = rois->image[r];
        out->level[n] = rois->level[r];
        out->labels[n] = rois->labels[r];
        out->matched[n] = rois->matched[r];
        n++;
    }
    *count = n;
    *out->count = n;
}
