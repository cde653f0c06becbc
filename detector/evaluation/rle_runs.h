/* A growing list of runs: how the makers of rle.h build their counts. Private to this room. */
#ifndef DET_EVALUATION_RLE_RUNS_H
#define DET_EVALUATION_RLE_RUNS_H

#include "detector/evaluation/rle.h"

struct rle_runs {
    uint32_t *counts; /* owned until rle_runs_finish or rle_runs_abandon */
    size_t n, room;
    int failed; /* out of memory; sticky, so that only the end need check */
};

/* Make room for n runs in all, where that is known beforehand. */
void rle_runs_reserve(struct rle_runs *runs, size_t n);

/* Append one run. */
void rle_runs_push(struct rle_runs *runs, uint32_t count);

/* Append `length` pixels of `value`, joined to the last run where that has the same value. */
void rle_runs_extend(struct rle_runs *runs, int value, uint32_t length);

/* Hand the runs over to *out, checking that they sum to h * w (DET_INVALID). Frees them on
 * failure. */
enum det_code rle_runs_finish(struct rle_runs *runs, int h, int w, struct det_rle *out,
                              struct det_error *err);

void rle_runs_abandon(struct rle_runs *runs);

/* DET_INVALID unless h, w >= 1 and h * w fits an int32. */
enum det_code rle_check_size(int h, int w, struct det_error *err);

#endif
