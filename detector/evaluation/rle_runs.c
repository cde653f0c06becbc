#include "detector/evaluation/rle_runs.h"

#include <stdlib.h>

void rle_runs_reserve(struct rle_runs *runs, size_t n)
{
    if (runs->failed || n <= runs->room)
        return;
    uint32_t *grown = realloc(runs->counts, n * sizeof *grown);
    runs->failed = !grown;
    if (grown) {
        runs->counts = grown;
        runs->room = n;
    }
}

void rle_runs_push(struct rle_runs *runs, uint32_t count)
{
    if (runs->n == runs->room)
        rle_runs_reserve(runs, runs->room ? 2 * runs->room : 32);
    if (!runs->failed)
        runs->counts[runs->n++] = count;
}

void rle_runs_extend(struct rle_runs *runs, int value, uint32_t length)
{
    if (!length)
        return;
    /* Run i holds value i % 2, so the next one to be pushed holds n % 2. */
    if (runs->n && (runs->n - 1) % 2 == (size_t)value) {
        runs->counts[runs->n - 1] += length;
        return;
    }
    if (runs->n % 2 != (size_t)value)
        rle_runs_push(runs, 0); /* only for a mask that starts with 1 */
    rle_runs_push(runs, length);
}

enum det_code rle_check_size(int h, int w, struct det_error *err)
{
    if (h < 1 || w < 1 || (int64_t)h * w > INT32_MAX)
        return det_fail(err, DET_INVALID,
                        "mask of %d x %d pixels: sides must be 1 or more and "
                        "their product below 2^31",
                        h, w);
    return DET_OK;
}

enum det_code rle_runs_finish(struct rle_runs *runs, int h, int w, struct det_rle *out,
                              struct det_error *err)
{
    *out = (struct det_rle){0};
    uint64_t sum = 0;
    for (size_t i = 0; i < runs->n; i++)
        sum += runs->counts[i];
    enum det_code code = DET_OK;
    if (runs->failed)
        code = det_fail(err, DET_NO_MEMORY, "no memory for the runs of a %d x %d mask", h, w);
    else if (!(code = rle_check_size(h, w, err)) && sum != (uint64_t)h * (uint64_t)w)
        code = det_fail(err, DET_INVALID, "runs cover %llu pixels, the mask has %d x %d = %lld",
                        (unsigned long long)sum, h, w, (long long)h * w);
    if (code) {
        rle_runs_abandon(runs);
        return code;
    }
    *out = (struct det_rle){.h = h, .w = w, .n = runs->n, .counts = runs->counts};
    *runs = (struct rle_runs){0};
    return DET_OK;
}

void rle_runs_abandon(struct rle_runs *runs)
{
    free(runs->counts);
    *runs = (struct rle_runs){0};
}
