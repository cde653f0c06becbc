#include "detector/layers/roi_align.h"

#include "detector/backend/cpu.h"
#include "detector/layers/integers.h"
#include "detector/layers/roi_axis.h"

#include <string.h>

#define CHANNELS 16 /* that one item of backward owns */

struct job {
    const struct det_cpu *cpu;
    struct det_roi_align shape;
    int live;
    const float *boxes;
    const int32_t *image, *level;
    const float *const *x;
    float *y;
    const float *dy;
    float *const *dx;
};

/* A worker's scratch: the two axes, and one line of an image's rows. */
struct lists {
    struct det_roi_axis rows, columns;
    float *line;
};

static void capacities(const struct det_roi_align *s, int *rows, int *columns, int *width)
{
    *rows = *columns = *width = 0;
    for (int l = 0; l < s->n_levels; l++) {
        *rows = det_max_int(*rows, det_roi_axis_capacity(s, s->h[l]));
        *columns = det_max_int(*columns, det_roi_axis_capacity(s, s->w[l]));
        *width = det_max_int(*width, s->w[l]);
    }
}

void det_roi_align_scratch(const struct det_roi_align *shape, size_t *per_worker, size_t *shared)
{
    int rows, columns, width;
    capacities(shape, &rows, &columns, &width);
    *per_worker = det_roi_axis_bytes(shape, rows) + det_roi_axis_bytes(shape, columns) +
                  (size_t)width * sizeof(float);
    *shared = 0;
}

static struct lists place_lists(const struct job *job, int worker)
{
    int rows, columns, width;
    capacities(&job->shape, &rows, &columns, &width);
    struct lists lists;
    unsigned char *block = det_cpu_scratch(job->cpu, worker);
    det_roi_axis_place(&lists.rows, &job->shape, rows, block);
    block += det_roi_axis_bytes(&job->shape, rows);
    det_roi_axis_place(&lists.columns, &job->shape, columns, block);
    block += det_roi_axis_bytes(&job->shape, columns);
    lists.line = (float *)block;
    return lists;
}

static int level_of(const struct job *job, int roi)
{
    return job->level ? job->level[roi] : 0;
}

/* Both axes of a RoI. */
static void fill_lists(const struct job *job, int roi, struct lists *lists)
{
    const struct det_roi_align *s = &job->shape;
    const float *box = job->boxes + 4 * roi;
    int l = level_of(job, roi);
    det_roi_axis_fill(&lists->rows, s, s->scale[l], s->h[l], box[1], box[3]);
    det_roi_axis_fill(&lists->columns, s, s->scale[l], s->w[l], box[0], box[2]);
}

/* One channel of one RoI: rows into a line, the line into cells. */
static void forward_channel(const struct lists *lists, const float *x, int width, float *y)
{
    const struct det_roi_axis *rows = &lists->rows;
    const struct det_roi_axis *columns = &lists->columns;
    for (int i = 0; i < rows->cells; i++) {
        const struct det_roi_tap *tap = rows->taps + (size_t)i * (size_t)rows->capacity;
        for (int j = columns->first; j < columns->end; j++)
            lists->line[j] = 0.0f;
        for (int t = 0; t < rows->count[i]; t++) {
            const float *row = x + tap[t].at * width;
            for (int j = columns->first; j < columns->end; j++)
                lists->line[j] += tap[t].weight * row[j];
        }
        for (int j = 0; j < columns->cells; j++) {
            const struct det_roi_tap *across =
                columns->taps + (size_t)j * (size_t)columns->capacity;
            float sum = 0.0f;
            for (int t = 0; t < columns->count[j]; t++)
                sum += across[t].weight * lists->line[across[t].at];
            *y++ = sum;
        }
    }
}

static void forward_roi(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_roi_align *s = &job->shape;
    struct lists lists = place_lists(job, worker);
    fill_lists(job, item, &lists);
    int l = level_of(job, item);
    size_t plane = (size_t)(s->h[l] * s->w[l]);
    size_t cells = (size_t)(s->output_size * s->output_size);
    const float *x = job->x[l] + (size_t)job->image[item] * (size_t)s->channels * plane;
    float *y = job->y + (size_t)item * (size_t)s->channels * cells;
    for (int c = 0; c < s->channels; c++, x += plane, y += cells)
        forward_channel(&lists, x, s->w[l], y);
}

void det_roi_align_forward(struct det_device *dev, const struct det_roi_align *shape,
                           const float *const x[], const float *boxes, const int32_t *image,
                           const int32_t *level, float *y)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu, .shape = *shape, .boxes = boxes, .image = image, .level = level,
                      .x = x, .y = y};
    det_pool_run(cpu->pool, det_live(shape->count, shape->max_rois), forward_roi, &job);
}

/* The transpose of forward_channel: dx += . */
static void backward_channel(const struct lists *lists, const float *dy, int width, float *dx)
{
    const struct det_roi_axis *rows = &lists->rows;
    const struct det_roi_axis *columns = &lists->columns;
    for (int i = 0; i < rows->cells; i++) {
        for (int j = columns->first; j < columns->end; j++)
            lists->line[j] = 0.0f;
        for (int j = 0; j < columns->cells; j++, dy++) {
            const struct det_roi_tap *across =
                columns->taps + (size_t)j * (size_t)columns->capacity;
            for (int t = 0; t < columns->count[j]; t++)
                lists->line[across[t].at] += across[t].weight * *dy;
        }
        const struct det_roi_tap *tap = rows->taps + (size_t)i * (size_t)rows->capacity;
        for (int t = 0; t < rows->count[i]; t++) {
            float *row = dx + tap[t].at * width;
            for (int j = columns->first; j < columns->end; j++)
                row[j] += tap[t].weight * lists->line[j];
        }
    }
}

/* A slice of one image's channels: no two items write the same place, and each adds the RoIs of
 * its image in order. */
static void backward_slice(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_roi_align *s = &job->shape;
    int slices = det_ceil_div(s->channels, CHANNELS);
    int image = item / slices;
    int first = item % slices * CHANNELS;
    int end = det_min_int(first + CHANNELS, s->channels);
    size_t cells = (size_t)(s->output_size * s->output_size);
    struct lists lists = place_lists(job, worker);
    for (int r = 0; r < job->live; r++) {
        int l = level_of(job, r);
        if (job->image[r] != image || !job->dx[l])
            continue;
        fill_lists(job, r, &lists);
        size_t plane = (size_t)(s->h[l] * s->w[l]);
        for (int c = first; c < end; c++)
            backward_channel(&lists, job->dy + ((size_t)r * (size_t)s->channels + (size_t)c) * cells,
                             s->w[l],
                             job->dx[l] + ((size_t)image * (size_t)s->channels + (size_t)c) * plane);
    }
}

void det_roi_align_backward(struct det_device *dev, const struct det_roi_align *shape,
                            const float *dy, const float *boxes, const int32_t *image,
                            const int32_t *level, float *const dx[])
{
    struct det_cpu *cpu = det_cpu_of(dev);
    struct job job = {.cpu = cpu, .shape = *shape, .boxes = boxes, .image = image, .level = level,
                      .dy = dy, .dx = dx};
    job.live = det_live(shape->count, shape->max_rois);
    det_pool_run(cpu->pool, shape->n_images * det_ceil_div(shape->channels, CHANNELS),
                 backward_slice, &job);
}
