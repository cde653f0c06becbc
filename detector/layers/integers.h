/* Integer arithmetic of shapes. Internal to layers/. */
#ifndef DET_LAYERS_INTEGERS_H
#define DET_LAYERS_INTEGERS_H

/* n / size, rounded up: the number of blocks of `size` that cover n. */
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
