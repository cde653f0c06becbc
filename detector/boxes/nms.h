/* Greedy non-maximum suppression: a box falls to a better one of the same class with IoU above the
 * threshold. Classes are compared, not shifted apart by coordinate offsets, which lose precision.
 */
#ifndef DET_BOXES_NMS_H
#define DET_BOXES_NMS_H

#include <stddef.h>
#include <stdint.h>

/* boxes[n, 4] best first; classes[n] or NULL (all one class). Writes the kept boxes' indices,
 * ascending, to keep and returns their number; stops at max_keep. scratch: det_suppress_scratch. */
int det_suppress(int n, const float *boxes, const int32_t *classes, float iou_threshold,
                 int max_keep, int32_t *keep, void *scratch);
size_t det_suppress_scratch(int n, int max_keep);

/* The same for boxes in any order: by descending score, ties to the lower index. keep[n] holds
 * indices, best first. Scores are finite. scratch: det_nms_scratch. */
int det_nms(int n, const float *boxes, const float *scores, const int32_t *classes,
            float iou_threshold, int32_t *keep, void *scratch);
size_t det_nms_scratch(int n);

#endif
