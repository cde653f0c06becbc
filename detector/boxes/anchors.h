/* Anchors of a feature pyramid (Ren et al., "Faster R-CNN", NIPS 2015; torchvision's
 * AnchorGenerator, with its rounding), and how well they cover the objects. */
#ifndef DET_BOXES_ANCHORS_H
#define DET_BOXES_ANCHORS_H

#include <stddef.h>

struct det_anchor_level {
    int h, w;               /* feature cells */
    int stride_h, stride_w; /* pixels a cell: det_anchor_stride */
    float size;             /* side in pixels of the anchor of ratio 1 */
};

/* torchvision's stride: image side / feature side, rounded down. */
int det_anchor_stride(int image_side, int feature_side);

/* cells[n_ratios, 4]: one cell's anchors, centred on 0, area about size^2, height / width = ratio,
 * corners rounded to whole pixels (halves to even). */
void det_cell_anchors(float size, int n_ratios, const float *ratios, float *cells);

/* The number of anchors of all levels. */
size_t det_anchor_count(int n_levels, const struct det_anchor_level *levels, int n_ratios);

/* anchors[det_anchor_count, 4] in (level, row, column, ratio) order. */
void det_anchors(int n_levels, const struct det_anchor_level *levels, int n_ratios,
                 const float *ratios, float *anchors);

/* Anchor coverage: best[n_boxes] = the highest IoU of each box with any anchor. An object far below
 * the matcher's threshold lives off its one forced anchor. */
void det_anchor_coverage(int n_anchors, const float *anchors, int n_boxes, const float *boxes,
                         float *best);

#endif
