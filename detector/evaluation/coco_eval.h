/* COCO's evaluation of boxes and masks (Lin et al., "Microsoft COCO", ECCV 2014), with the answers
 * of pycocotools' COCOeval at its default parameters, quirks included: 10 IoU thresholds 0.50 to
 * 0.95, 101 recall thresholds, the area ranges all, small (up to 32^2), medium (up to 96^2), large,
 * and the best 1, 10 and 100 detections of each image and category. -1 means undefined: no ground
 * truth. A detector without detections scores 0 wherever there is ground truth.
 *
 * Usage: create with the categories and images to be evaluated, add ground truth and detections in
 * any order, run. Ties in score are broken by the rank of the image id, then by the order of
 * adding. The answer has the same bits for any number of threads. */
#ifndef DET_EVALUATION_COCO_EVAL_H
#define DET_EVALUATION_COCO_EVAL_H

#include "detector/base/pool.h"
#include "detector/evaluation/rle.h"

#include <stddef.h>
#include <stdint.h>

enum det_iou_type { DET_IOU_BBOX, DET_IOU_SEGM };

enum {
    DET_COCO_IOUS = 10,     /* T: 0.50, 0.55, ... 0.95 */
    DET_COCO_RECALLS = 101, /* R: 0.00, 0.01, ... 1.00 */
    DET_COCO_AREAS = 4,     /* A: all, small, medium, large */
    DET_COCO_CAPS = 3,      /* M: at most 1, 10, 100 detections of an image and category */
};

/* The 12 numbers, in the order in which COCO lists them. */
enum det_coco_stat {
    DET_COCO_AP,   /* mean over IoU 0.50:0.95, recall and category */
    DET_COCO_AP50, /* at IoU 0.50 */
    DET_COCO_AP75,
    DET_COCO_AP_SMALL,
    DET_COCO_AP_MEDIUM,
    DET_COCO_AP_LARGE,
    DET_COCO_AR1, /* mean recall with at most 1 detection of an image and category */
    DET_COCO_AR10,
    DET_COCO_AR100,
    DET_COCO_AR_SMALL,
    DET_COCO_AR_MEDIUM,
    DET_COCO_AR_LARGE,
    DET_COCO_STATS
};

/* A ground-truth object or a detection. */
struct det_coco_row {
    int64_t image_id, category_id;
    double box[4]; /* x, y, width, height in pixels; read with DET_IOU_BBOX */
    double area;   /* what the area ranges go by; NAN: the mask's pixels (DET_IOU_SEGM) or the
                      box's width * height */
    double score;  /* detections only */
    int crowd;     /* ground truth only: many objects in one; ignored, and matched many times */
    int uncounted; /* ground truth only: a detection matched to it counts as false. pycocotools
                      treats an annotation of id 0 so, taking 0 for "not matched" */
    struct det_rle *mask; /* DET_IOU_SEGM: moved into the evaluation, *mask is zeroed */
};

struct det_coco_eval; /* opaque */

/* Ids need not be in order or without gaps; repeated ones count once. *out is the caller's. */
enum det_code det_coco_eval_create(enum det_iou_type type, const int64_t *category_ids,
                                   size_t n_categories, const int64_t *image_ids, size_t n_images,
                                   struct det_coco_eval **out, struct det_error *err);
void det_coco_eval_destroy(struct det_coco_eval *eval); /* NULL is allowed */

/* DET_INVALID for a row that is not finite or, with DET_IOU_SEGM, without a mask. Rows of other
 * categories, and ground truth of other images, are left out, as pycocotools does, and counted. */
enum det_code det_coco_eval_add_truth(struct det_coco_eval *eval, const struct det_coco_row *row,
                                      struct det_error *err);
/* Also DET_INVALID for a detection on an image that is not evaluated. */
enum det_code det_coco_eval_add_detection(struct det_coco_eval *eval,
                                          const struct det_coco_row *row, struct det_error *err);
/* How many of the detections added so far have a score of at least `score`, by the rank of their
 * category: counts[n_categories]. Returns the highest score of all, -INFINITY without any. */
double det_coco_eval_count(const struct det_coco_eval *eval, double score, size_t *counts);
/* Drop all detections, keep the ground truth: for the next state of the same detector. */
void det_coco_eval_clear_detections(struct det_coco_eval *eval);

struct det_coco_result {
    size_t n_categories;   /* K */
    int64_t *category_ids; /* [K], ascending */
    double stats[DET_COCO_STATS];
    double *category_ap;   /* [K]: DET_COCO_AP of each category alone */
    double *category_ap50; /* [K] */
    double *precision;     /* [T, R, K, A, M] */
    double *recall;        /* [T, K, A, M] */
    size_t *objects;       /* [K]: ground-truth objects that are no crowds */
    size_t *detections;    /* [K] */
    size_t *found_start;   /* [K + 1]: category k's part of found_scores */
    double *found_scores;  /* of the detections matched to an object at IoU 0.50 */
    size_t truth_left_out, detections_left_out;
};

/* Evaluate what has been added. pool may be NULL. *out is owned by the caller. */
enum det_code det_coco_eval_run(struct det_coco_eval *eval, struct det_pool *pool,
                                struct det_coco_result **out, struct det_error *err);
void det_coco_result_destroy(struct det_coco_result *result); /* NULL is allowed */

/* Objects found at IoU 0.50 by detections with score >= `score`: of category rank k, or of all
 * where k < 0. Divided by the objects this is the recall at that score. */
size_t det_coco_found(const struct det_coco_result *result, int k, double score);

/* One number of the two arrays. */
static inline double det_coco_precision(const struct det_coco_result *result, size_t t, size_t r,
                                        size_t k, size_t a, size_t m)
{
    size_t row = (t * DET_COCO_RECALLS + r) * result->n_categories + k;
    return result->precision[(row * DET_COCO_AREAS + a) * DET_COCO_CAPS + m];
}

static inline double det_coco_recall(const struct det_coco_result *result, size_t t, size_t k,
                                     size_t a, size_t m)
{
    size_t row = t * result->n_categories + k;
    return result->recall[(row * DET_COCO_AREAS + a) * DET_COCO_CAPS + m];
}

#endif
