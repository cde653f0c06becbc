/* Cuts a flat array into blocks for the worker pool: by its length only, so that what a block
 * computes does not depend on the number of threads. Internal to layers/. */
#ifndef DET_LAYERS_BLOCKS_H
#define DET_LAYERS_BLOCKS_H

#include <stddef.h>

#define DET_BLOCK 16384 /* elements: 64 KiB of float, some microseconds of work */

static inline int det_blocks(size_t n)
{
    return (int)((n + DET_BLOCK - 1) / DET_BLOCK);
}

static inline size_t det_block_first(int block)
{
    return (size_t)block * DET_BLOCK;
}

/* One past the block's last element. */
static inline size_t det_block_end(int block, size_t n)
{
    size_t end = ((size_t)block + 1) * DET_BLOCK;
    return end < n ? end : n;
}

/* Number of blocks of `size` that cover n. */
static inline int det_ceil_div(int n, int size)
{
    return (n + size - 1) / size;
}

static inline int det_min_int(int a, int b)
{
    return a < b ? a : b;
}

static inline int det_max_int(int a, int b)
{
    return a > b ? a : b;
}

#endif
