#include "detector/evaluation/coco_eval.h"

#include "detector/evaluation/coco_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct id_list {
    int64_t *at; /* owned, ascending, each once */
    size_t n;
};

struct det_coco_eval {
    enum det_iou_type type;
    struct id_list categories, images;
    struct coco_rows truth, detections;
};

/* ---- ids and their ranks ---- */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum det_code id_list_make(const int64_t *ids, size_t n, struct id_list *list,
                                  struct det_error *err)
{
    list->at = malloc((n ? n : 1) * sizeof *ids);
    if (!list->at)
        return det_fail(err, DET_NO_MEMORY, "evaluation: no memory for %zu ids", n);
    if (n)
        memcpy(list->at, ids, n * sizeof *ids);
    qsort(list->at, n, sizeof *ids, compare_ids);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || list->at[i] != list->at[list->n - 1])
            list->at[list->n++] = list->at[i];
    return DET_OK;
}

/* The rank of an id, or -1. */
static int64_t id_rank(const struct id_list *list, int64_t id)
{
    const int64_t *found = bsearch(&id, list->at, list->n, sizeof id, compare_ids);
    return found ? found - list->at : -1;
}

/* ---- making and filling ---- */

/* Room for one more, so that `at` is never NULL. */
static enum det_code rows_reserve_one(struct coco_rows *rows, struct det_error *err)
{
    if (rows->n < rows->room)
        return DET_OK;
    size_t room = rows->room ? 2 * rows->room : 256;
    struct coco_row *grown = realloc(rows->at, room * sizeof *grown);
    if (!grown)
        return det_fail(err, DET_NO_MEMORY, "evaluation: no memory for %zu rows", room);
    rows->at = grown;
    rows->room = room;
    return DET_OK;
}

enum det_code det_coco_eval_create(enum det_iou_type type, const int64_t *category_ids,
                                   size_t n_categories, const int64_t *image_ids, size_t n_images,
                                   struct det_coco_eval **out, struct det_error *err)
{
    struct det_coco_eval *eval = calloc(1, sizeof *eval);
    *out = NULL;
    if (!eval)
        return det_fail(err, DET_NO_MEMORY, "evaluation: no memory");
    eval->type = type;
    enum det_code code = id_list_make(category_ids, n_categories, &eval->categories, err);
    if (!code)
        code = id_list_make(image_ids, n_images, &eval->images, err);
    if (!code)
        code = rows_reserve_one(&eval->truth, err);
    if (!code)
        code = rows_reserve_one(&eval->detections, err);
    if (code)
        det_coco_eval_destroy(eval);
    else
        *out = eval;
    return code;
}

static void rows_clear(struct coco_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        det_rle_release(&rows->at[i].mask);
    rows->n = rows->left_out = 0;
}

void det_coco_eval_destroy(struct det_coco_eval *eval)
{
    if (!eval)
        return;
    rows_clear(&eval->truth);
    rows_clear(&eval->detections);
    free(eval->truth.at);
    free(eval->detections.at);
    free(eval->categories.at);
    free(eval->images.at);
    free(eval);
}

void det_coco_eval_clear_detections(struct det_coco_eval *eval)
{
    rows_clear(&eval->detections);
}

static enum det_code check_row(const struct det_coco_eval *eval, const struct det_coco_row *row,
                               struct det_error *err)
{
    int finite = !isinf(row->area) && isfinite(row->score);
    for (int i = 0; i < 4 && eval->type == DET_IOU_BBOX; i++)
        finite = finite && isfinite(row->box[i]);
    if (!finite)
        return det_fail(err, DET_INVALID,
                        "image %lld, category %lld: box, area or score is not finite",
                        (long long)row->image_id, (long long)row->category_id);
    if (eval->type == DET_IOU_SEGM && (!row->mask || !row->mask->n))
        return det_fail(err, DET_INVALID, "image %lld, category %lld: no mask",
                        (long long)row->image_id, (long long)row->category_id);
    return DET_OK;
}

static enum det_code rows_add(const struct det_coco_eval *eval, struct coco_rows *rows,
                              const struct det_coco_row *row, struct det_error *err)
{
    int64_t category = id_rank(&eval->categories, row->category_id);
    int64_t image = id_rank(&eval->images, row->image_id);
    if (category < 0 || image < 0) {
        rows->left_out++;
        return DET_OK;
    }
    enum det_code code = check_row(eval, row, err);
    if (!code)
        code = rows_reserve_one(rows, err);
    if (code)
        return code;
    struct coco_row *added = &rows->at[rows->n];
    *added = (struct coco_row){
        .cell = (uint64_t)category * eval->images.n + (uint64_t)image,
        .order = rows->n++,
        .area = row->area,
        .score = row->score,
        .crowd = row->crowd,
        .uncounted = row->uncounted,
    };
    if (eval->type == DET_IOU_SEGM) {
        added->mask = *row->mask;
        *row->mask = (struct det_rle){0};
        added->pixels = det_rle_area(&added->mask);
        det_rle_box(&added->mask, added->box);
    } else {
        memcpy(added->box, row->box, sizeof added->box);
    }
    if (isnan(added->area))
        added->area =
            eval->type == DET_IOU_SEGM ? (double)added->pixels : added->box[2] * added->box[3];
    return DET_OK;
}

enum det_code det_coco_eval_add_truth(struct det_coco_eval *eval, const struct det_coco_row *row,
                                      struct det_error *err)
{
    return rows_add(eval, &eval->truth, row, err);
}

enum det_code det_coco_eval_add_detection(struct det_coco_eval *eval,
                                          const struct det_coco_row *row, struct det_error *err)
{
    if (id_rank(&eval->images, row->image_id) < 0)
        return det_fail(err, DET_INVALID, "a detection on image %lld, which is not evaluated",
                        (long long)row->image_id);
    return rows_add(eval, &eval->detections, row, err);
}

double det_coco_eval_count(const struct det_coco_eval *eval, double score, size_t *counts)
{
    const struct coco_rows *rows = &eval->detections;
    double highest = -(double)INFINITY;
    memset(counts, 0, eval->categories.n * sizeof *counts);
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->at[i].score >= score)
            counts[rows->at[i].cell / eval->images.n]++;
        if (rows->at[i].score > highest)
            highest = rows->at[i].score;
    }
    return highest;
}

/* ---- running ---- */

static int compare_truth(const void *a, const void *b)
{
    const struct coco_row *x = a, *y = b;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int compare_detections(const void *a, const void *b)
{
    const struct coco_row *x = a, *y = b;
    if (x->cell == y->cell && x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return compare_truth(a, b);
}

enum det_code det_coco_eval_run(struct det_coco_eval *eval, struct det_pool *pool,
                                struct det_coco_result **out, struct det_error *err)
{
    struct coco_rows *truth = &eval->truth, *detections = &eval->detections;
    qsort(truth->at, truth->n, sizeof *truth->at, compare_truth);
    qsort(detections->at, detections->n, sizeof *detections->at, compare_detections);
    const struct coco_sorted sorted = {
        .type = eval->type,
        .truth = truth,
        .detections = detections,
        .category_ids = eval->categories.at,
        .n_categories = eval->categories.n,
        .n_images = eval->images.n,
    };
    return coco_run(&sorted, pool, out, err);
}
