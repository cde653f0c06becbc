/* What the parts of an evaluation share: rows, matches and thresholds. Private to this room. */
#ifndef DET_EVALUATION_COCO_ROWS_H
#define DET_EVALUATION_COCO_ROWS_H

#include "detector/evaluation/coco_eval.h"

#define COCO_CAP_LARGEST 100

/* A row of the evaluation, by the ranks of its ids. */
struct coco_row {
    uint64_t cell;  /* category rank * images + image rank */
    uint64_t order; /* of adding */
    double box[4];  /* DET_IOU_SEGM: the mask's */
    double area, score;
    int64_t pixels; /* DET_IOU_SEGM: the mask's */
    struct det_rle mask;
    int crowd, uncounted;
};

struct coco_rows {
    struct coco_row *at; /* owned, with their masks */
    size_t n, room;
    size_t left_out;
};

/* What became of a detection: bit t of each is for IoU threshold t, index a for the area range. */
struct coco_match {
    uint16_t matched[DET_COCO_AREAS];
    uint16_t ignored[DET_COCO_AREAS];
    uint32_t rank; /* among the detections of its cell, best first; those from the cap on have no
                      matches */
};

/* The detections of one cell with the ground truth of that cell, as ranges of the sorted rows. */
struct coco_cell {
    size_t detection, n_detections;
    size_t truth, n_truth;
};

/* What matching a cell needs of memory for each row of its ground truth. */
struct coco_match_scratch {
    double iou;     /* of a candidate for the detection at hand ... */
    uint32_t truth; /* ... and which one it is */
    uint16_t taken[DET_COCO_AREAS];
    uint8_t ignored; /* bit a */
};

double coco_iou_threshold(int t);
double coco_recall_threshold(int r);
int coco_area_outside(double area, int a);

/* Match the cell's detections (sorted, best first) to its ground truth, filling matches, which has
 * an entry for each detection of the cell. scratch has cell->n_truth entries. */
void coco_match_cell(enum det_iou_type type, const struct coco_row *detections,
                     const struct coco_row *truth, const struct coco_cell *cell,
                     struct coco_match_scratch *scratch, struct coco_match *matches);

/* Precision and recall of one category, area range and cap over all IoU thresholds, into the
 * places of `result` that belong to them. matches: of the category's n detections, best score
 * first. objects: the category's ground truth that is neither a crowd nor outside the area range.
 * envelope is scratch of n entries. */
void coco_accumulate(const struct coco_match *matches, size_t n, size_t objects, size_t k, int a,
                     int m, double *envelope, struct det_coco_result *result);

/* Everything that was added, truth sorted by (cell, order), detections by (cell, falling score,
 * order). */
struct coco_sorted {
    enum det_iou_type type;
    const struct coco_rows *truth, *detections;
    const int64_t *category_ids; /* [n_categories], ascending */
    size_t n_categories, n_images;
};

/* det_coco_eval_run on sorted rows. */
enum det_code coco_run(const struct coco_sorted *rows, struct det_pool *pool,
                       struct det_coco_result **out, struct det_error *err);

/* The means: stats, category_ap and category_ap50 of the arrays. */
void coco_summarize(struct det_coco_result *result);

#endif
