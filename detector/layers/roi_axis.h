/* RoIAlign is separable: a cell's mean over its grid of bilinear samples is a weighted sum over
 * rows of weighted sums over columns. Each axis becomes a short list of map cells and weights for
 * every output cell: of feature maps here, of ground-truth masks in boxes/mask_targets.c. */
#ifndef DET_LAYERS_ROI_AXIS_H
#define DET_LAYERS_ROI_AXIS_H

#include "detector/backend/backend.h"
#include "detector/bodies/roi_axis.h"

struct det_roi_axis {
    int cells;                /* output_size */
    int capacity;             /* taps reserved for each cell */
    int32_t *count;           /* [cells] taps used */
    struct det_roi_tap *taps; /* [cells, capacity] */
    int first, end; /* map cells that any tap touches: [first, end); empty: first == end */
};

static inline struct det_roi_tap *det_roi_axis_taps(const struct det_roi_axis *axis, int cell)
{
    return axis->taps + (size_t)cell * (size_t)axis->capacity;
}

/* Taps that one output cell can need on an axis of `size` map cells. */
int det_roi_axis_capacity(const struct det_roi_align *shape, int size);

/* Bytes of an axis's lists with this capacity. */
size_t det_roi_axis_bytes(const struct det_roi_align *shape, int capacity);

/* The lists' memory: det_roi_axis_bytes at `block`. */
void det_roi_axis_place(struct det_roi_axis *axis, const struct det_roi_align *shape, int capacity,
                        void *block);

/* Fill the lists for the side [low, high] (pixels) of a RoI. The weights of a cell sum to 1 where
 * all its samples lie on the map. */
void det_roi_axis_fill(struct det_roi_axis *axis, const struct det_roi_align *shape, float scale,
                       int size, float low, float high);

#endif
