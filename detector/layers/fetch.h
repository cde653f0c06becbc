/* Memory that is used soon, asked for while something else is computed: what lies in short runs far
 * from each other, which the processor does not foresee. Internal to layers/. */
#ifndef DET_LAYERS_FETCH_H
#define DET_LAYERS_FETCH_H

/* n floats from x on. They need not exist: a place that cannot be read is passed over. */
static inline void det_fetch(const float *x, int n)
{
    for (int i = 0; i < n; i += 16) /* a cache line */
        __builtin_prefetch(x + i);
}

#endif
