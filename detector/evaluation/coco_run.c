/* The evaluation of sorted rows, in three passes that the pool's workers share: match the cells
 * (one image and category each), rank each category's detections, accumulate each category, area
 * range and cap. */
#include "detector/evaluation/coco_rows.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_PER_ITEM 128 /* enough work to be worth handing out */

struct ranked {
    double score;
    size_t detection; /* row */
};

struct run {
    const struct coco_sorted *rows;
    struct det_pool *pool; /* NULL: the caller's thread alone */
    struct det_coco_result *result;

    struct coco_cell *cells; /* [n_cells], those with detections */
    size_t n_cells;
    size_t truth_most;                  /* rows of ground truth in one cell */
    struct coco_match_scratch *scratch; /* [threads, truth_most] */
    struct coco_match *matches;         /* [detections] */
    size_t *detection_start;            /* [K + 1]: category k's part of the detections */
    struct ranked *ranked;              /* [detections], each category's by falling score ... */
    struct coco_match *ranked_matches;  /* ... and their matches in that order */
    double *envelopes;                  /* [threads, detections_most] */
    size_t detections_most;             /* of one category */
    size_t *objects;                    /* [K, A]: ground truth that counts */
};

static int thread_count(const struct run *run)
{
    return run->pool ? det_pool_threads(run->pool) : 1;
}

static void share_out(struct run *run, size_t n, det_pool_work *work)
{
    if (run->pool && n)
        det_pool_run(run->pool, (int)n, work, run);
    else
        for (size_t i = 0; i < n; i++)
            work(run, (int)i, 0);
}

/* ---- memory ---- */

static void *take(size_t n, size_t size, int *failed)
{
    void *memory = calloc(n ? n : 1, size);
    *failed |= !memory;
    return memory;
}

static enum det_code make_result(const struct coco_sorted *rows, struct det_coco_result **out,
                                 struct det_error *err)
{
    size_t k = rows->n_categories, per_class = DET_COCO_IOUS * DET_COCO_AREAS * DET_COCO_CAPS;
    int failed = 0;
    struct det_coco_result *result = take(1, sizeof *result, &failed);
    if (result) {
        result->n_categories = k;
        result->category_ids = take(k, sizeof *result->category_ids, &failed);
        result->category_ap = take(k, sizeof(double), &failed);
        result->category_ap50 = take(k, sizeof(double), &failed);
        result->precision = take(k * DET_COCO_RECALLS * per_class, sizeof(double), &failed);
        result->recall = take(k * per_class, sizeof(double), &failed);
        result->objects = take(k, sizeof *result->objects, &failed);
        result->detections = take(k, sizeof *result->detections, &failed);
        result->found_start = take(k + 1, sizeof *result->found_start, &failed);
        result->found_scores = take(rows->detections->n, sizeof(double), &failed);
        result->truth_left_out = rows->truth->left_out;
        result->detections_left_out = rows->detections->left_out;
    }
    *out = result;
    return failed ? det_fail(err, DET_NO_MEMORY, "evaluation: no memory for %zu categories", k)
                  : DET_OK;
}

void det_coco_result_destroy(struct det_coco_result *result)
{
    if (!result)
        return;
    free(result->category_ids);
    free(result->category_ap);
    free(result->category_ap50);
    free(result->precision);
    free(result->recall);
    free(result->objects);
    free(result->detections);
    free(result->found_start);
    free(result->found_scores);
    free(result);
}

static enum det_code take_lists(struct run *run, struct det_error *err)
{
    size_t k = run->rows->n_categories, n = run->rows->detections->n;
    int failed = 0;
    run->cells = take(n, sizeof *run->cells, &failed);
    run->matches = take(n, sizeof *run->matches, &failed);
    run->ranked = take(n, sizeof *run->ranked, &failed);
    run->ranked_matches = take(n, sizeof *run->ranked_matches, &failed);
    run->detection_start = take(k + 1, sizeof *run->detection_start, &failed);
    run->objects = take(k * DET_COCO_AREAS, sizeof *run->objects, &failed);
    return failed ? det_fail(err, DET_NO_MEMORY, "evaluation: no memory for %zu detections", n)
                  : DET_OK;
}

static enum det_code take_scratch(struct run *run, struct det_error *err)
{
    size_t threads = (size_t)thread_count(run);
    int failed = 0;
    run->scratch = take(threads * run->truth_most, sizeof *run->scratch, &failed);
    run->envelopes = take(threads * run->detections_most, sizeof *run->envelopes, &failed);
    return failed ? det_fail(err, DET_NO_MEMORY, "evaluation: no memory for %zu threads", threads)
                  : DET_OK;
}

static void free_lists(struct run *run)
{
    free(run->cells);
    free(run->matches);
    free(run->ranked);
    free(run->ranked_matches);
    free(run->detection_start);
    free(run->objects);
    free(run->scratch);
    free(run->envelopes);
}

/* ---- what belongs together ---- */

/* End of the run of rows with one cell that starts at `from`. */
static size_t cell_end(const struct coco_rows *rows, size_t from)
{
    size_t i = from;
    while (i < rows->n && rows->at[i].cell == rows->at[from].cell)
        i++;
    return i;
}

static void find_cells(struct run *run)
{
    const struct coco_rows *truth = run->rows->truth, *detections = run->rows->detections;
    for (size_t d = 0, g = 0; d < detections->n;) {
        uint64_t here = detections->at[d].cell;
        while (g < truth->n && truth->at[g].cell < here)
            g++;
        size_t truth_end = g < truth->n && truth->at[g].cell == here ? cell_end(truth, g) : g;
        size_t end = cell_end(detections, d);
        run->cells[run->n_cells++] = (struct coco_cell){
            .detection = d, .n_detections = end - d, .truth = g, .n_truth = truth_end - g};
        if (truth_end - g > run->truth_most)
            run->truth_most = truth_end - g;
        d = end;
        g = truth_end;
    }
}

static void count_rows(struct run *run)
{
    const struct coco_sorted *rows = run->rows;
    struct det_coco_result *result = run->result;
    for (size_t i = 0; i < rows->truth->n; i++) {
        const struct coco_row *row = &rows->truth->at[i];
        size_t k = row->cell / rows->n_images;
        result->objects[k] += !row->crowd;
        for (int a = 0; a < DET_COCO_AREAS; a++)
            run->objects[k * DET_COCO_AREAS + (size_t)a] +=
                !row->crowd && !coco_area_outside(row->area, a);
    }
    for (size_t i = 0; i < rows->detections->n; i++)
        result->detections[rows->detections->at[i].cell / rows->n_images]++;
    for (size_t k = 0; k < rows->n_categories; k++) {
        size_t n = result->detections[k];
        run->detection_start[k + 1] = run->detection_start[k] + n;
        run->detections_most = n > run->detections_most ? n : run->detections_most;
        result->category_ids[k] = rows->category_ids[k];
    }
}

/* ---- the three passes ---- */

static void match_cells(void *arg, int item, int worker)
{
    struct run *run = arg;
    const struct coco_sorted *rows = run->rows;
    size_t first = (size_t)item * CELLS_PER_ITEM;
    for (size_t i = first; i < first + CELLS_PER_ITEM && i < run->n_cells; i++) {
        const struct coco_cell *cell = &run->cells[i];
        coco_match_cell(
            rows->type, rows->detections->at + cell->detection, rows->truth->at + cell->truth, cell,
            run->scratch + (size_t)worker * run->truth_most, run->matches + cell->detection);
    }
}

/* Ties keep the order of the rows: by image, then by rank within it. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->detection > y->detection) - (x->detection < y->detection);
}

static void rank_category(void *arg, int k, int worker)
{
    struct run *run = arg;
    (void)worker;
    size_t start = run->detection_start[k], end = run->detection_start[k + 1];
    for (size_t i = start; i < end; i++)
        run->ranked[i] = (struct ranked){run->rows->detections->at[i].score, i};
    if (start < end)
        qsort(run->ranked + start, end - start, sizeof *run->ranked, compare_ranked);
    for (size_t i = start; i < end; i++)
        run->ranked_matches[i] = run->matches[run->ranked[i].detection];
}

static void accumulate_part(void *arg, int item, int worker)
{
    struct run *run = arg;
    int m = item % DET_COCO_CAPS, a = item / DET_COCO_CAPS % DET_COCO_AREAS;
    size_t k = (size_t)(item / (DET_COCO_CAPS * DET_COCO_AREAS));
    size_t start = run->detection_start[k];
    coco_accumulate(run->ranked_matches + start, run->detection_start[k + 1] - start,
                    run->objects[k * DET_COCO_AREAS + (size_t)a], k, a, m,
                    run->envelopes + (size_t)worker * run->detections_most, run->result);
}

/* The scores behind det_coco_found: matched at the lowest IoU threshold to what is no crowd. */
static void collect_found(struct run *run)
{
    struct det_coco_result *result = run->result;
    size_t n = 0;
    for (size_t k = 0; k < result->n_categories; k++) {
        result->found_start[k] = n;
        for (size_t i = run->detection_start[k]; i < run->detection_start[k + 1]; i++) {
            const struct coco_match *match = &run->ranked_matches[i];
            if (match->matched[0] & ~match->ignored[0] & 1)
                result->found_scores[n++] = run->ranked[i].score;
        }
    }
    result->found_start[result->n_categories] = n;
}

static enum det_code run_passes(struct run *run, struct det_error *err)
{
    enum det_code code = take_lists(run, err);
    if (code)
        return code;
    find_cells(run);
    count_rows(run);
    code = take_scratch(run, err);
    if (code)
        return code;
    size_t k = run->rows->n_categories;
    share_out(run, (run->n_cells + CELLS_PER_ITEM - 1) / CELLS_PER_ITEM, match_cells);
    share_out(run, k, rank_category);
    share_out(run, k * DET_COCO_AREAS * DET_COCO_CAPS, accumulate_part);
    collect_found(run);
    coco_summarize(run->result);
    return DET_OK;
}

enum det_code coco_run(const struct coco_sorted *rows, struct det_pool *pool,
                       struct det_coco_result **out, struct det_error *err)
{
    struct run run = {.rows = rows, .pool = pool};
    enum det_code code = make_result(rows, &run.result, err);
    if (!code)
        code = run_passes(&run, err);
    free_lists(&run);
    if (code) {
        det_coco_result_destroy(run.result);
        run.result = NULL;
    }
    *out = run.result;
    return code;
}

size_t det_coco_found(const struct det_coco_result *result, int k, double score)
{
    size_t from = k < 0 ? 0 : result->found_start[k];
    size_t to = result->found_start[k < 0 ? result->n_categories : (size_t)k + 1];
    size_t found = 0;
    for (size_t i = from; i < to; i++)
        found += result->found_scores[i] >= score;
    return found;
}
