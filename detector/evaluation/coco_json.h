/* An evaluation from COCO's files, as pycocotools takes them: gt.json with images, categories and
 * annotations, dt.json with the results.
 *
 * Ground truth: `area` may be missing (the mask's, else the box's), as may `iscrowd` (0) and, where
 * there is a segmentation, `bbox`. Results: whether the first has a `bbox` decides, as in loadRes:
 * then all have one, and for masks a missing segmentation is the box; else all have a
 * segmentation, which gives the box. Entries of unknown categories and ground truth on unknown
 * images are left out; results on unknown images are an error.
 *
 * Other than in pycocotools, annotations that share an id are an error, an empty list of results is
 * none, and the area of a result is that of what is evaluated: of the mask for masks, also where
 * the result has a box beside it. (loadRes then takes the box's, which is why evaluations of masks
 * are given results without boxes, as detectron2 does.) */
#ifndef DET_EVALUATION_COCO_JSON_H
#define DET_EVALUATION_COCO_JSON_H

#include "detector/evaluation/coco_eval.h"

struct det_coco_category {
    int64_t id;
    const char *name; /* owned by the set; "" where the file gives none */
};

struct det_coco_image {
    int64_t id;
    int h, w; /* pixels; 0 where the file gives none */
};

/* What the ground-truth file says besides the annotations. */
struct det_coco_set {
    enum det_iou_type type;
    struct det_coco_category *categories; /* [n_categories], by id; owned */
    struct det_coco_image *images;        /* [n_images], by id; owned */
    size_t n_categories, n_images;
    size_t uncounted; /* annotations with id 0, see det_coco_row */
    char *text;       /* owned: the file, which the names point into */
};

/* Read both files: *set (the caller's: det_coco_set_release) and *eval (the caller's), ready to
 * run. With a pool of two threads or more, annotations and results are read side by side. DET_IO or
 * DET_INVALID name file, entry, line and key; then neither is made. */
enum det_code det_coco_read(const char *truth_path, const char *results_path,
                            enum det_iou_type type, struct det_pool *pool, struct det_coco_set *set,
                            struct det_coco_eval **eval, struct det_error *err);

/* Safe on a zeroed set. */
void det_coco_set_release(struct det_coco_set *set);

#endif
