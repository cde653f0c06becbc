/* Where an RPN head's output lies: as a map of channels, and as rows of anchors. */
#ifndef DET_BODIES_RPN_LAYOUT_H
#define DET_BODIES_RPN_LAYOUT_H

#include "detector/bodies/host_device.h"

#include <stddef.h>

/* One pyramid level: head [n, channels, plane], channel = anchor * k + j; rows [n, n_anchors, k],
 * of which the level's begin at row `first`, in (cell, anchor) order. */
struct det_rpn_layout {
    int n, channels, plane; /* channels: a * k */
    int k, n_anchors, first;
};

/* The place in `rows` of element i of `head`. */
DET_BODY size_t det_rpn_row_at(const struct det_rpn_layout *of, size_t i)
{
    size_t plane = (size_t)of->plane;
    size_t channels = (size_t)of->channels;
    size_t cell = i % plane;
    size_t channel = i / plane % channels;
    size_t image = i / plane / channels;
    return (image * (size_t)of->n_anchors + (size_t)of->first) * (size_t)of->k + cell * channels +
           channel;
}

#endif
