/* Integer arithmetic of shapes. Internal to layers/. */
#ifndef DET_LAYERS_INTEGERS_H
#define DET_LAYERS_INTEGERS_H

#include <stddef.h>

/* n / size, rounded up: the number of blocks of `size` that cover n. */
static inline int det_ceil_div(int n, int size)
{
    return (n + size - 1) / size;
}

/* Raise *bytes to what is needed. */
static inline void det_at_least(size_t *bytes, size_t needed)
{
    *bytes = *bytes > needed ? *bytes : needed;
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
