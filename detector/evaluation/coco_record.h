/* One annotation or result of COCO's JSON to a row of an evaluation. Private to this room. */
#ifndef DET_EVALUATION_COCO_RECORD_H
#define DET_EVALUATION_COCO_RECORD_H

#include "detector/evaluation/coco_json.h"
#include "detector/evaluation/coco_segmentation.h"

/* Which keys a record has; null and, for bbox, [] count as absent. */
enum {
    RECORD_ID = 1,
    RECORD_IMAGE = 2,
    RECORD_CATEGORY = 4,
    RECORD_BOX = 8,
    RECORD_AREA = 16,
    RECORD_SCORE = 32,
    RECORD_SEGMENTATION = 64,
};

struct coco_record {
    unsigned has;
    int64_t id;
    struct det_coco_row row; /* without its mask */
    char *segmentation;      /* where its value starts: it is read when the image is known */
};

/* Read the record at the cursor. */
void coco_read_record(struct json_cursor *c, struct coco_record *record);

/* Fail unless the record has all of `keys`. */
void coco_require(struct json_cursor *c, const struct coco_record *record, unsigned keys);

/* Complete an annotation's row; image NULL (unknown) leaves it as it is. The caller releases *mask,
 * which is zeroed where none was needed. */
void coco_complete_truth(struct json_cursor *c, struct coco_record *record,
                         const struct det_coco_image *image, enum det_iou_type type,
                         struct coco_points *points, struct det_rle *mask);

/* The same for a result; by_box: the file's results are boxes first. */
void coco_complete_detection(struct json_cursor *c, struct coco_record *record,
                             const struct det_coco_image *image, enum det_iou_type type, int by_box,
                             struct coco_points *points, struct det_rle *mask);

#endif
