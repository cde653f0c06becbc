/* Rows picked out and put back, and the RPN heads' maps as rows of anchors. None needs scratch.
 * Table entries gather_rows, scatter_rows, rpn_gather, rpn_scatter. */
#ifndef DET_LAYERS_GATHER_H
#define DET_LAYERS_GATHER_H

#include "detector/backend/backend.h"

/* y[r] = x[index[r]] for r in [0, *count): rows of `row` floats. */
void det_gather_rows(struct det_device *dev, size_t row, const int32_t *index, const int32_t *count,
                     const float *x, float *y);

/* The transpose: dx[index[r]] += dy[r]. Indices are ascending and distinct. */
void det_scatter_rows(struct det_device *dev, size_t row, const int32_t *index,
                      const int32_t *count, const float *dy, float *dx);

/* head [n, a * k, h, w] of one pyramid level (channel = anchor * k + j, torchvision's layout) to
 * rows [n, n_anchors, k]: row first + (y * w + x) * a + anchor. */
void det_rpn_gather(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                    int first, const float *head, float *rows);

/* And back; overwrites head. */
void det_rpn_scatter(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                     int first, const float *rows, float *head);

#endif
