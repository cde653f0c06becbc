/* Reductions over the threads of a block: values[threads], one a thread, written before; on return
 * every thread has the result, and `values` may be used again. The order is that of a fixed binary
 * tree, so that the bits are the same at every run (and differ from those of a sum in ascending
 * order). */
#ifndef DET_BACKEND_CUDA_BLOCK_REDUCE_H
#define DET_BACKEND_CUDA_BLOCK_REDUCE_H

#include "detector/backend/cuda/kernel.h"
#include "detector/bodies/losses.h"

DET_BODY double det_add_double(double a, double b)
{
    return a + b;
}

DET_BODY int32_t det_add_int(int32_t a, int32_t b)
{
    return a + b;
}

#define DET_BLOCK_REDUCE(name, type, kind, combine)                                                \
    DET_BLOCK_BODY type name(const struct det_block *b, type *values)                              \
    {                                                                                              \
        for (int half = b->threads / 2; half > 0; half /= 2)                                       \
            DET_EACH_THREAD(b, t)                                                                  \
                if (t < half)                                                                      \
                    values[t] = combine(values[t], values[t + half]);                              \
        return det_uniform_##kind(b, values);                                                      \
    }

DET_BLOCK_REDUCE(det_block_sum, double, double, det_add_double)
DET_BLOCK_REDUCE(det_block_count, int32_t, int, det_add_int)
DET_BLOCK_REDUCE(det_block_max, float, float, det_max_or_nan) /* NaN if any is */

#endif
