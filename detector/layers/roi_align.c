#include "detector/layers/roi_align.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/fetch.h"
#include "detector/layers/roi_pass.h"
#include "detector/layers/transpose.h"

#include <string.h>

void det_roi_align_scratch(const struct det_roi_align *shape, size_t *per_worker, size_t *shared)
{
    det_roi_pass_scratch(shape, per_worker, shared);
}

/* to = (or +=) weight * from */
static inline void weigh(const float *from, float weight, int add, int n, float *to)
{
    if (add)
        for (int i = 0; i < n; i++)
            to[i] += weight * from[i];
    else
        for (int i = 0; i < n; i++)
            to[i] = weight * from[i];
}

/* to = the taps' weighted sum of vectors `stride` floats apart. */
static inline void weighted_sum(const struct det_roi_axis *axis, int cell, const float *from,
                                size_t stride, int n, float *to)
{
    const struct det_roi_tap *tap = det_roi_axis_taps(axis, cell);
    if (axis->count[cell] == 0)
        memset(to, 0, (size_t)n * sizeof *to);
    for (int t = 0; t < axis->count[cell]; t++)
        weigh(from + (size_t)tap[t].at * stride, tap[t].weight, t > 0, n, to);
}

/* cells [size, size, c] of one RoI from a map [h, w, c]. */
DET_VECTOR_TARGETS static void forward_cells(const struct det_roi_lists *lists, const float *map,
                                             int width, int c)
{
    int size = lists->rows.cells;
    int first = lists->columns.first * c;
    int n = (lists->columns.end - lists->columns.first) * c;
    for (int i = 0; i < size; i++) {
        weighted_sum(&lists->rows, i, map + first, (size_t)(width * c), n, lists->line + first);
        for (int j = 0; j < size; j++)
            weighted_sum(&lists->columns, j, lists->line, (size_t)c, c,
                         lists->cells + (i * size + j) * c);
    }
}

struct forward_job {
    struct det_roi_pass pass;
    const float *const *x;
    float *y;
};

/* The maps of a part of one image, channels last. */
static void turn_maps(void *arg, int item, int worker)
{
    (void)worker;
    const struct forward_job *job = arg;
    const struct det_roi_pass *pass = &job->pass;
    int image = item / pass->parts;
    int part = item % pass->parts;
    for (int l = 0; l < pass->shape.n_levels; l++) {
        struct det_channels_last map = det_roi_part_shape(pass, part, l);
        if (pass->used[l])
            det_to_channels_last(&map, job->x[l] + det_roi_part_offset(pass, part, l, image),
                                 det_roi_part_map(pass, part, l, image));
    }
}

static void forward_roi(void *arg, int item, int worker)
{
    const struct forward_job *job = arg;
    const struct det_roi_pass *pass = &job->pass;
    int cells = pass->shape.output_size * pass->shape.output_size;
    int l = det_roi_level(pass, item);
    struct det_roi_lists lists = det_roi_lists(pass, worker);
    det_roi_lists_fill(&lists, pass, item);
    float *y = job->y + ((size_t)item * (size_t)pass->shape.channels + (size_t)pass->channel) *
                            (size_t)cells;
    for (int part = 0; part < pass->parts; part++) {
        int channels = det_roi_part_channels(pass, part);
        det_fetch(y, channels * cells); /* to be written: comes while the cells are computed */
        forward_cells(&lists, det_roi_part_map(pass, part, l, pass->image[item]), pass->shape.w[l],
                      channels);
        det_transpose(cells, channels, lists.cells, (size_t)channels, y, (size_t)cells);
        y += channels * cells;
    }
}

void det_roi_align_forward(struct det_device *dev, const struct det_roi_align *shape,
                           const float *const x[], const float *boxes, const int32_t *image,
                           const int32_t *level, float *y)
{
    const struct det_cpu *cpu = det_cpu_of(dev);
    struct forward_job job = {det_roi_pass(cpu, shape, boxes, image, level), x, y};
    while (job.pass.live > 0 && det_roi_pass_next(&job.pass)) {
        det_pool_run(cpu->pool, shape->n_images * job.pass.parts, turn_maps, &job);
        det_pool_run(cpu->pool, job.pass.live, forward_roi, &job);
    }
}

/* The transpose of weighted_sum: adds `from` times its weight onto each of the taps' vectors. */
static inline void spread(const struct det_roi_axis *axis, int cell, const float *from,
                          size_t stride, int n, float *to)
{
    const struct det_roi_tap *tap = det_roi_axis_taps(axis, cell);
    for (int t = 0; t < axis->count[cell]; t++)
        weigh(from, tap[t].weight, 1, n, to + (size_t)tap[t].at * stride);
}

/* The transpose of forward_cells: map += . */
DET_VECTOR_TARGETS static void backward_cells(const struct det_roi_lists *lists, int width, int c,
                                              float *map)
{
    int size = lists->rows.cells;
    int first = lists->columns.first * c;
    int n = (lists->columns.end - lists->columns.first) * c;
    for (int i = 0; i < size; i++) {
        memset(lists->line + first, 0, (size_t)n * sizeof(float));
        for (int j = 0; j < size; j++)
            spread(&lists->columns, j, lists->cells + (i * size + j) * c, (size_t)c, c,
                   lists->line);
        spread(&lists->rows, i, lists->line + first, (size_t)(width * c), n, map + first);
    }
}

struct backward_job {
    struct det_roi_pass pass;
    const float *dy;
    float *const *dx;
};

/* A part of one image: no two items write the same place, and each adds the RoIs of its image in
 * order. */
static void backward_part(void *arg, int item, int worker)
{
    const struct backward_job *job = arg;
    const struct det_roi_pass *pass = &job->pass;
    int image = item / pass->parts;
    int part = item % pass->parts;
    int channels = det_roi_part_channels(pass, part);
    int cells = pass->shape.output_size * pass->shape.output_size;
    struct det_roi_lists lists = det_roi_lists(pass, worker);
    for (int l = 0; l < pass->shape.n_levels; l++)
        if (pass->used[l])
            memset(det_roi_part_map(pass, part, l, image), 0,
                   (size_t)(pass->shape.h[l] * pass->shape.w[l] * channels) * sizeof(float));
    for (int r = 0; r < pass->live; r++) {
        int l = det_roi_level(pass, r);
        if (pass->image[r] != image || !job->dx[l])
            continue;
        det_roi_lists_fill(&lists, pass, r);
        const float *dy = job->dy + ((size_t)r * (size_t)pass->shape.channels +
                                     (size_t)(pass->channel + part * DET_ROI_PART)) *
                                        (size_t)cells;
        det_transpose(channels, cells, dy, (size_t)cells, lists.cells, (size_t)channels);
        backward_cells(&lists, pass->shape.w[l], channels, det_roi_part_map(pass, part, l, image));
    }
    for (int l = 0; l < pass->shape.n_levels; l++) {
        struct det_channels_last map = det_roi_part_shape(pass, part, l);
        if (pass->used[l] && job->dx[l])
            det_from_channels_last(&map, det_roi_part_map(pass, part, l, image), NULL, 0, 1,
                                   job->dx[l] + det_roi_part_offset(pass, part, l, image));
    }
}

void det_roi_align_backward(struct det_device *dev, const struct det_roi_align *shape,
                            const float *dy, const float *boxes, const int32_t *image,
                            const int32_t *level, float *const dx[])
{
    const struct det_cpu *cpu = det_cpu_of(dev);
    struct backward_job job = {det_roi_pass(cpu, shape, boxes, image, level), dy, dx};
    while (job.pass.live > 0 && det_roi_pass_next(&job.pass))
        det_pool_run(cpu->pool, shape->n_images * job.pass.parts, backward_part, &job);
}
