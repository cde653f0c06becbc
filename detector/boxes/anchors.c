#include "detector/boxes/anchors.h"

#include "detector/boxes/box_block.h"

#include <math.h>

int det_anchor_stride(int image_side, int feature_side)
{
    return image_side / feature_side;
}

void det_cell_anchors(float size, int n_ratios, const float *ratios, float *cells)
{
    for (int i = 0; i < n_ratios; i++) {
        double root = sqrt((double)ratios[i]);
        float half_w = (float)rint(1.0 / root * (double)size / 2.0);
        float half_h = (float)rint(root * (double)size / 2.0);
        cells[4 * i] = -half_w;
        cells[4 * i + 1] = -half_h;
        cells[4 * i + 2] = half_w;
        cells[4 * i + 3] = half_h;
    }
}

size_t det_anchor_count(int n_levels, const struct det_anchor_level *levels, int n_ratios)
{
    size_t count = 0;
    for (int l = 0; l < n_levels; l++)
        count += (size_t)levels[l].h * (size_t)levels[l].w * (size_t)n_ratios;
    return count;
}

/* The cell anchors, which stand in the level's first n_ratios rows, copied to every cell: last cell
 * first, so that they are overwritten last. */
static void tile_level(const struct det_anchor_level *level, int n_ratios, float *anchors)
{
    size_t row_length = 4 * (size_t)n_ratios;
    for (int cell = level->h * level->w - 1; cell >= 0; cell--) {
        float shift[2] = {(float)(cell % level->w * level->stride_w),
                          (float)(cell / level->w * level->stride_h)};
        float *to = anchors + (size_t)cell * row_length;
        for (size_t i = 0; i < row_length; i++)
            to[i] = anchors[i] + shift[i % 2];
    }
}

void det_anchors(int n_levels, const struct det_anchor_level *levels, int n_ratios,
                 const float *ratios, float *anchors)
{
    for (int l = 0; l < n_levels; l++) {
        if (levels[l].h < 1 || levels[l].w < 1)
            continue;
        det_cell_anchors(levels[l].size, n_ratios, ratios, anchors);
        tile_level(&levels[l], n_ratios, anchors);
        anchors += 4 * det_anchor_count(1, &levels[l], n_ratios);
    }
}

void det_anchor_coverage(int n_anchors, const float *anchors, int n_boxes, const float *boxes,
                         float *best)
{
    struct det_box_block block;
    float iou[DET_BOX_BLOCK];
    for (int b = 0; b < n_boxes; b++)
        best[b] = 0.0f;
    for (int first = 0; first < n_anchors; first += DET_BOX_BLOCK) {
        det_box_block_load(&block, n_anchors - first, anchors + 4 * (size_t)first);
        for (int b = 0; b < n_boxes; b++) {
            if (!det_box_block_iou(&block, boxes + 4 * (size_t)b, iou))
                continue;
            for (int i = 0; i < block.n; i++)
                best[b] = iou[i] > best[b] ? iou[i] : best[b];
        }
    }
}
