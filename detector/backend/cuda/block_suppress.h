/* Greedy non-maximum suppression by one block: boxes come best first, a tile at a time. A tile is
 * held against the boxes kept so far, then each box of it against the better ones of the tile,
 * which leaves a matrix of bits for one thread to sweep in order. The same decisions as
 * det_suppress (boxes/nms.h), in memory that grows with the boxes kept and not with their pairs. */
#ifndef DET_BACKEND_CUDA_BLOCK_SUPPRESS_H
#define DET_BACKEND_CUDA_BLOCK_SUPPRESS_H

#include "detector/backend/cuda/kernel.h"
#include "detector/bodies/iou.h"

#include <stddef.h>

#define DET_TILE 128 /* two words of 64 bits */

struct det_suppress_shared {
    float boxes[DET_TILE][4];     /* the tile, written by the caller */
    int32_t classes[DET_TILE];    /* likewise; all the same where there are none */
    int32_t alive[DET_TILE];      /* likewise: 0 where a row is not to be kept */
    int32_t place[DET_TILE];      /* out: the row's place among the kept boxes, -1 where it fell */
    uint32_t fallen[DET_TILE];    /* to a box kept before */
    uint64_t better[DET_TILE][2]; /* bit j of row i: box j, before i, would suppress it */
    int32_t n_kept;
};

/* Boxes kept so far, in device memory. */
struct det_kept {
    float *boxes;     /* [max, 4] */
    int32_t *classes; /* [max]; NULL: all of one class */
    int max;
};

DET_BLOCK_BODY int det_suppresses(const float *better, int32_t better_class, const float *box,
                                  int32_t class_of, float iou_threshold)
{
    return better_class == class_of && det_box_iou(better, box) > iou_threshold;
}

/* fallen[i] of the tile's n rows, each against all kept boxes, by several threads. */
DET_BLOCK_BODY void det_suppress_by_kept(const struct det_block *b, int n, float iou_threshold,
                                         const struct det_kept *kept, int n_kept,
                                         struct det_suppress_shared *s)
{
    DET_EACH_THREAD(b, t)
        if (t < DET_TILE)
            s->fallen[t] = 0;
    DET_EACH_THREAD(b, t) {
        int row = t % DET_TILE;
        if (row >= n || !s->alive[row])
            continue;
        for (int k = t / DET_TILE; k < n_kept; k += b->threads / DET_TILE)
            if (det_suppresses(kept->boxes + 4 * (size_t)k,
                               kept->classes ? kept->classes[k] : s->classes[row], s->boxes[row],
                               s->classes[row], iou_threshold)) {
                det_atomic_or(&s->fallen[row], 1u);
                break;
            }
    }
}

/* better[i]: 64 pairs a thread. */
DET_BLOCK_BODY void det_suppress_pairs(const struct det_block *b, int n, float iou_threshold,
                                       struct det_suppress_shared *s)
{
    DET_EACH_THREAD(b, t)
        for (int i = t; i < 2 * n; i += b->threads) {
            int row = i / 2;
            int first = i % 2 * 64;
            uint64_t bits = 0;
            for (int j = first; j < row && j < first + 64; j++)
                bits |= (uint64_t)det_suppresses(s->boxes[j], s->classes[j], s->boxes[row],
                                                 s->classes[row], iou_threshold)
                        << (j - first);
            s->better[row][i % 2] = bits;
        }
}

/* In order: a row is kept if no kept one suppresses it, until there are kept->max. */
DET_BLOCK_BODY void det_suppress_sweep(const struct det_block *b, int n,
                                       const struct det_kept *kept, int n_kept,
                                       struct det_suppress_shared *s)
{
    DET_EACH_THREAD(b, t) {
        if (t > 0)
            continue;
        uint64_t low = 0; /* rows of the tile kept: 0 to 63 */
        uint64_t high = 0;
        for (int i = 0; i < n; i++) {
            int keep = s->alive[i] && !s->fallen[i] && n_kept < kept->max &&
                       !(s->better[i][0] & low) && !(s->better[i][1] & high);
            s->place[i] = keep ? n_kept : -1;
            n_kept += keep;
            low |= i < 64 ? (uint64_t)keep << i : 0;
            high |= i < 64 ? 0 : (uint64_t)keep << (i - 64);
        }
        s->n_kept = n_kept;
    }
}

/* Suppress within the tile's first n rows and by the n_kept boxes kept before; the new ones are
 * appended to `kept`. Returns how many there are now. b->threads: a multiple of DET_TILE. */
DET_BLOCK_BODY int det_block_suppress(const struct det_block *b, int n, float iou_threshold,
                                      const struct det_kept *kept, int n_kept,
                                      struct det_suppress_shared *s)
{
    det_suppress_by_kept(b, n, iou_threshold, kept, n_kept, s);
    det_suppress_pairs(b, n, iou_threshold, s);
    det_suppress_sweep(b, n, kept, n_kept, s);
    DET_EACH_THREAD(b, t) {
        if (t >= n || s->place[t] < 0)
            continue;
        for (int c = 0; c < 4; c++)
            kept->boxes[4 * (size_t)s->place[t] + (size_t)c] = s->boxes[t][c];
        if (kept->classes)
            kept->classes[s->place[t]] = s->classes[t];
    }
    return det_uniform_int(b, &s->n_kept);
}

#endif
