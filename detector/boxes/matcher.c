#include "detector/boxes/matcher.h"

#include "detector/boxes/box_block.h"

#include <string.h>

/* Where IoUs come from: a matrix, or boxes. Candidates come in blocks of DET_BOX_BLOCK. */
struct iou_source {
    int n_rows, n;
    const float *matrix; /* [n_rows, n], or NULL: computed from */
    const float *truth;  /* [n_rows, 4] and */
    const float *boxes;  /* [n, 4] */
    struct det_box_block block;
};

/* The best row of each candidate of a block so far. */
struct best_rows {
    float iou[DET_BOX_BLOCK];
    int32_t row[DET_BOX_BLOCK];
};

static int block_count(int n)
{
    return (n + DET_BOX_BLOCK - 1) / DET_BOX_BLOCK;
}

static int block_size(const struct iou_source *from, int block)
{
    int left = from->n - block * DET_BOX_BLOCK;
    return left < DET_BOX_BLOCK ? left : DET_BOX_BLOCK;
}

static void enter_block(struct iou_source *from, int block)
{
    int first = block * DET_BOX_BLOCK;
    if (!from->matrix)
        det_box_block_load(&from->block, from->n - first, from->boxes + 4 * (size_t)first);
}

/* The IoUs of one row with the entered block, 0 in the padding; returns 0 where all are 0. */
static int row_ious(const struct iou_source *from, int block, int row, float iou[DET_BOX_BLOCK])
{
    if (!from->matrix)
        return det_box_block_iou(&from->block, from->truth + 4 * (size_t)row, iou);
    size_t first = (size_t)row * (size_t)from->n + (size_t)block * DET_BOX_BLOCK;
    memset(iou, 0, DET_BOX_BLOCK * sizeof *iou);
    memcpy(iou, from->matrix + first, (size_t)block_size(from, block) * sizeof *iou);
    return 1;
}

/* Take a row's IoUs into the candidates' best; returns the row's highest in this block. */
static float fold_row(struct best_rows *best, int n, int row, const float iou[DET_BOX_BLOCK])
{
    float peaks[DET_BOX_LANES] = {0};
    for (int first = 0; first < n; first += DET_BOX_LANES) {
        float *best_iou = best->iou + first;
        int32_t *best_row = best->row + first;
        for (int i = 0; i < DET_BOX_LANES; i++) {
            float v = iou[first + i];
            best_row[i] = v > best_iou[i] ? row : best_row[i];
            best_iou[i] = v > best_iou[i] ? v : best_iou[i];
            peaks[i] = v > peaks[i] ? v : peaks[i];
        }
    }
    float peak = 0.0f;
    for (int i = 0; i < DET_BOX_LANES; i++)
        peak = peaks[i] > peak ? peaks[i] : peak;
    return peak;
}

/* The entered block's best rows, and each row's highest IoU in it: peaks[n_rows]. */
static void best_of_block(const struct iou_source *from, int block, struct best_rows *best,
                          float *peaks)
{
    float iou[DET_BOX_BLOCK];
    memset(best, 0, sizeof *best);
    for (int row = 0; row < from->n_rows; row++) {
        int met = row_ious(from, block, row, iou);
        peaks[row] = met ? fold_row(best, block_size(from, block), row, iou) : 0.0f;
    }
}

static void apply_thresholds(const struct det_matcher *matcher, int n, const struct best_rows *best,
                             int32_t *matches)
{
    for (int i = 0; i < n; i++)
        matches[i] = det_match_decide(matcher->high, matcher->low, best->iou[i], best->row[i]);
}

static int holds_highest(int n_rows, const float *peaks, const float *highest, float above)
{
    for (int row = 0; row < n_rows; row++)
        if (peaks[row] == highest[row] && highest[row] > above)
            return 1;
    return 0;
}

/* Candidates of the entered block whose IoU equals a row's highest of all go to their best row. */
static void keep_low_quality(const struct iou_source *from, int block, const float *highest,
                             float above, float *peaks, int32_t *matches)
{
    struct best_rows best;
    float iou[DET_BOX_BLOCK];
    best_of_block(from, block, &best, peaks);
    for (int row = 0; row < from->n_rows; row++) {
        if (peaks[row] != highest[row] || !(highest[row] > above))
            continue;
        if (!row_ious(from, block, row, iou))
            continue;
        for (int i = 0; i < block_size(from, block); i++)
            if (iou[i] == highest[row])
                matches[i] = best.row[i];
    }
}

/* highest[row] over all blocks of peaks[blocks, n_rows]. */
static void highest_of_rows(int n_rows, int blocks, const float *peaks, float *highest)
{
    memset(highest, 0, (size_t)n_rows * sizeof *highest);
    for (int b = 0; b < blocks; b++, peaks += n_rows)
        for (int row = 0; row < n_rows; row++)
            highest[row] = peaks[row] > highest[row] ? peaks[row] : highest[row];
}

/* Two passes over the blocks: best rows and thresholds; then, knowing each row's highest IoU, the
 * low-quality matches, only where a block holds one. `above`: rows that peak there keep none. */
static void match(const struct det_matcher *matcher, struct iou_source *from, float above,
                  int32_t *matches, float *scratch)
{
    int blocks = block_count(from->n);
    size_t rows = (size_t)from->n_rows;
    float *highest = scratch;
    float *peaks = scratch + rows;
    struct best_rows best;
    for (int b = 0; b < blocks; b++) {
        enter_block(from, b);
        best_of_block(from, b, &best, peaks + (size_t)b * rows);
        apply_thresholds(matcher, block_size(from, b), &best, matches + b * DET_BOX_BLOCK);
    }
    if (!matcher->allow_low_quality)
        return;
    highest_of_rows(from->n_rows, blocks, peaks, highest);
    for (int b = 0; b < blocks; b++) {
        float *of_block = peaks + (size_t)b * rows;
        if (!holds_highest(from->n_rows, of_block, highest, above))
            continue;
        enter_block(from, b);
        keep_low_quality(from, b, highest, above, of_block, matches + b * DET_BOX_BLOCK);
    }
}

static void all_background(int n, int32_t *matches)
{
    for (int i = 0; i < n; i++)
        matches[i] = DET_MATCH_BACKGROUND;
}

void det_match(const struct det_matcher *matcher, int n_rows, int n, const float *iou,
               int32_t *matches, void *scratch)
{
    struct iou_source from = {.n_rows = n_rows, .n = n, .matrix = iou};
    if (n_rows == 0)
        all_background(n, matches);
    else
        match(matcher, &from, -1.0f, matches, scratch);
}

void det_match_boxes(const struct det_matcher *matcher, int n_rows, const float *truth, int n,
                     const float *boxes, int32_t *matches, void *scratch)
{
    struct iou_source from = {.n_rows = n_rows, .n = n, .truth = truth, .boxes = boxes};
    if (n_rows == 0)
        all_background(n, matches);
    else
        match(matcher, &from, 0.0f, matches, scratch);
}

size_t det_match_scratch(int n_rows, int n)
{
    return ((size_t)block_count(n) + 1) * (size_t)n_rows * sizeof(float);
}
