/* A "segmentation" of COCO's JSON to a mask. Private to this room. */
#ifndef DET_EVALUATION_COCO_SEGMENTATION_H
#define DET_EVALUATION_COCO_SEGMENTATION_H

#include "detector/evaluation/json_cursor.h"
#include "detector/evaluation/rle.h"

/* Memory for the points of a polygon, used again from one to the next. */
struct coco_points {
    double *at; /* owned (free) */
    size_t n, room;
};

/* Read the value at the cursor: a list of polygons [x, y, x, y, ...] in pixels, joined, or an RLE
 * {"size": [h, w], "counts": [...] or "compressed"}. h, w: the image's size, which an RLE brings
 * itself. On failure, which is the cursor's, *out is zeroed; else the caller releases it. */
void coco_read_segmentation(struct json_cursor *c, int h, int w, struct coco_points *points,
                            struct det_rle *out);

/* The pixels of a box x, y, width, height. Fails through the cursor, as above. */
void coco_box_mask(struct json_cursor *c, const double box[4], int h, int w, struct det_rle *out);

#endif
