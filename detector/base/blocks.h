/* Long vectors cut into blocks of fixed length for the workers: by the vector, never by the number
 * of threads, so that the bits stay the same. */
#ifndef DET_BASE_BLOCKS_H
#define DET_BASE_BLOCKS_H

#include <stddef.h>

#define DET_BLOCK ((size_t)16384)

static inline int det_block_count(size_t n)
{
    return (int)((n + DET_BLOCK - 1) / DET_BLOCK);
}

static inline size_t det_block_begin(int block)
{
    return (size_t)block * DET_BLOCK;
}

static inline size_t det_block_length(size_t n, int block)
{
    size_t left = n - det_block_begin(block);
    return left < DET_BLOCK ? left : DET_BLOCK;
}

#endif
