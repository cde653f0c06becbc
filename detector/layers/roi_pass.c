#include "detector/layers/roi_pass.h"

#include "detector/layers/integers.h"

static size_t plane_of(const struct det_roi_align *s, int level)
{
    return (size_t)s->h[level] * (size_t)s->w[level];
}

static void capacities(const struct det_roi_align *s, int *rows, int *columns, int *width)
{
    *rows = *columns = *width = 0;
    for (int l = 0; l < s->n_levels; l++) {
        *rows = det_max_int(*rows, det_roi_axis_capacity(s, s->h[l]));
        *columns = det_max_int(*columns, det_roi_axis_capacity(s, s->w[l]));
        *width = det_max_int(*width, s->w[l]);
    }
}

void det_roi_pass_scratch(const struct det_roi_align *shape, size_t *per_worker, size_t *shared)
{
    int rows, columns, width;
    capacities(shape, &rows, &columns, &width);
    size_t cells = (size_t)(shape->output_size * shape->output_size);
    *per_worker = ((size_t)width + cells) * DET_ROI_PART * sizeof(float) +
                  det_roi_axis_bytes(shape, rows) + det_roi_axis_bytes(shape, columns);
    size_t floats = 0;
    for (int l = 0; l < shape->n_levels; l++)
        floats += plane_of(shape, l) * (size_t)shape->n_images * DET_ROI_PARTS * DET_ROI_PART;
    *shared = floats * sizeof(float);
}

struct det_roi_pass det_roi_pass(const struct det_cpu *cpu, const struct det_roi_align *shape,
                                 const float *boxes, const int32_t *image, const int32_t *level)
{
    struct det_roi_pass pass = {
        .cpu = cpu, .shape = *shape, .boxes = boxes, .image = image, .level = level};
    pass.channel = -DET_ROI_PARTS * DET_ROI_PART;
    pass.live = det_live(shape->count, shape->max_rois);
    for (int r = 0; r < pass.live; r++)
        pass.used[det_roi_level(&pass, r)] = 1;
    float *at = (float *)cpu->shared;
    for (int l = 0; l < shape->n_levels; l++) {
        pass.maps[l] = at;
        at += plane_of(shape, l) * (size_t)shape->n_images * DET_ROI_PARTS * DET_ROI_PART;
    }
    return pass;
}

int det_roi_pass_next(struct det_roi_pass *pass)
{
    pass->channel += DET_ROI_PARTS * DET_ROI_PART;
    int left = pass->shape.channels - pass->channel;
    pass->parts = det_min_int(det_ceil_div(left, DET_ROI_PART), DET_ROI_PARTS);
    return left > 0;
}

struct det_roi_lists det_roi_lists(const struct det_roi_pass *pass, int worker)
{
    const struct det_roi_align *s = &pass->shape;
    int rows, columns, width;
    capacities(s, &rows, &columns, &width);
    struct det_roi_lists lists;
    lists.line = det_cpu_scratch(pass->cpu, worker);
    lists.cells = lists.line + width * DET_ROI_PART;
    float *end = lists.cells + s->output_size * s->output_size * DET_ROI_PART;
    det_roi_axis_place(&lists.rows, s, rows, end);
    det_roi_axis_place(&lists.columns, s, columns,
                       (unsigned char *)end + det_roi_axis_bytes(s, rows));
    return lists;
}

void det_roi_lists_fill(struct det_roi_lists *lists, const struct det_roi_pass *pass, int roi)
{
    const struct det_roi_align *s = &pass->shape;
    const float *box = pass->boxes + 4 * (size_t)roi;
    int l = det_roi_level(pass, roi);
    det_roi_axis_fill(&lists->rows, s, s->scale[l], s->h[l], box[1], box[3]);
    det_roi_axis_fill(&lists->columns, s, s->scale[l], s->w[l], box[0], box[2]);
}

int det_roi_part_channels(const struct det_roi_pass *pass, int part)
{
    return det_min_int(DET_ROI_PART, pass->shape.channels - pass->channel - part * DET_ROI_PART);
}

float *det_roi_part_map(const struct det_roi_pass *pass, int part, int level, int image)
{
    size_t plane = plane_of(&pass->shape, level);
    size_t c = (size_t)det_roi_part_channels(pass, part);
    return pass->maps[level] + (size_t)(part * pass->shape.n_images) * plane * DET_ROI_PART +
           (size_t)image * plane * c;
}

struct det_channels_last det_roi_part_shape(const struct det_roi_pass *pass, int part, int level)
{
    const struct det_roi_align *s = &pass->shape;
    return (struct det_channels_last){.n = 1,
                                      .c = det_roi_part_channels(pass, part),
                                      .h = s->h[level],
                                      .w = s->w[level],
                                      .of = s->channels,
                                      .rows = s->h[level],
                                      .columns = s->w[level]};
}

size_t det_roi_part_offset(const struct det_roi_pass *pass, int part, int level, int image)
{
    int channel = image * pass->shape.channels + pass->channel + part * DET_ROI_PART;
    return (size_t)channel * plane_of(&pass->shape, level);
}
