/* Selecting and sorting 64-bit keys (bodies/sort_key.h). Keys are distinct, so each result is the
 * only one there is. */
#ifndef DET_BOXES_SELECT_H
#define DET_BOXES_SELECT_H

#include <stdint.h>

/* Move the k smallest of keys[n] to the front, in no particular order; 0 <= k <= n. Expected time
 * n, whatever k is. */
void det_select_smallest(uint64_t *keys, int n, int k);

/* Sort keys[n] ascending. */
void det_sort_keys(uint64_t *keys, int n);

#endif
