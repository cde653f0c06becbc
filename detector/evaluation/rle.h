/* Run-length encoded masks, as COCO stores them (Lin et al., "Microsoft COCO", ECCV 2014; the
 * format and every rounding are those of pycocotools' maskApi).
 *
 * A mask of h rows and w columns is read column by column; counts are the lengths of the runs of
 * 0, 1, 0, 1, ... (the first may be 0) and sum to h * w. Every function here that makes a det_rle
 * guarantees that sum, and every function that takes one relies on it. */
#ifndef DET_EVALUATION_RLE_H
#define DET_EVALUATION_RLE_H

#include "detector/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct det_rle {
    int h, w;         /* pixels; h * w fits an int32 */
    size_t n;         /* runs, at least 1 */
    uint32_t *counts; /* [n], owned: det_rle_release */
};

/* Free the counts and zero *rle. Safe on a zeroed one. */
void det_rle_release(struct det_rle *rle);

/* All makers below fill *out, which the caller releases; on failure *out is zeroed. They fail with
 * DET_NO_MEMORY, or with DET_INVALID and what is wrong with the input. Sizes h, w are >= 1. */

/* From mask [h, w], row-major, anything but 0 counts as 1. */
enum det_code det_rle_encode(const uint8_t *mask, int h, int w, struct det_rle *out,
                             struct det_error *err);

/* A copy of counts [n], which must sum to h * w. */
enum det_code det_rle_from_counts(const uint32_t *counts, size_t n, int h, int w,
                                  struct det_rle *out, struct det_error *err);

/* From COCO's compressed string (`length` characters, no terminator needed): each count, from the
 * fourth on as the difference from the count two before it, in groups of 5 bits, lowest first,
 * a sixth bit for "more follows", printed as the character of 48 + group. */
enum det_code det_rle_from_string(const char *string, size_t length, int h, int w,
                                  struct det_rle *out, struct det_error *err);

/* The polygon with vertices xy [points, 2] (x, y in pixels, may lie outside the image), filled.
 * Coordinates must be finite and within +-1e6. */
enum det_code det_rle_from_polygon(const double *xy, size_t points, int h, int w,
                                   struct det_rle *out, struct det_error *err);

/* Union (intersect == 0) or intersection of n >= 1 masks of one size. */
enum det_code det_rle_merge(const struct det_rle *rles, size_t n, int intersect,
                            struct det_rle *out, struct det_error *err);

/* The compressed string, NUL-terminated, owned by the caller (free). */
enum det_code det_rle_to_string(const struct det_rle *rle, char **out, struct det_error *err);

/* Into mask [h, w], row-major, of 0 and 1. */
void det_rle_decode(const struct det_rle *rle, uint8_t *mask);

/* Pixels that are 1. */
int64_t det_rle_area(const struct det_rle *rle);

/* The tightest box as x, y, width, height; all 0 for an empty mask. */
void det_rle_box(const struct det_rle *rle, double box[4]);

/* Pixels that are 1 in both; the two must be of one size. */
int64_t det_rle_intersection(const struct det_rle *a, const struct det_rle *b);

/* Intersection over union; where the ground truth is a crowd, over the detection's area alone.
 * 0 where the intersection is empty, -1 where the sizes differ (pycocotools' answer, too). */
double det_rle_iou(const struct det_rle *detection, const struct det_rle *truth, int crowd);

#endif
