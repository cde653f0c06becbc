#include "detector/boxes/select.h"

/* Short runs are sorted by insertion. */
enum { SHORT_RUN = 24 };

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(uint64_t *keys, int n)
{
    for (int i = 1; i < n; i++) {
        uint64_t key = keys[i];
        int at = i;
        for (; at > 0 && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* Put the median of the first, middle and last key to the end. */
static void pivot_to_end(uint64_t *keys, int n)
{
    uint64_t *first = keys;
    uint64_t *middle = keys + n / 2;
    uint64_t *last = keys + n - 1;
    if (*middle < *first)
        swap(middle, first);
    if (*last < *first)
        swap(last, first);
    if (*middle < *last)
        swap(middle, last);
}

/* Partition around a pivot; returns its final place. Branch-free inside: keys come in random order,
 * and a mispredicted branch a key would cost more than the two stores. */
static int partition(uint64_t *keys, int n)
{
    pivot_to_end(keys, n);
    uint64_t pivot = keys[n - 1];
    int less = 0;
    for (int i = 0; i < n - 1; i++) {
        uint64_t key = keys[i];
        keys[i] = keys[less];
        keys[less] = key;
        less += key < pivot;
    }
    swap(&keys[less], &keys[n - 1]);
    return less;
}

void det_select_smallest(uint64_t *keys, int n, int k)
{
    while (k > 0 && k < n) {
        if (n <= SHORT_RUN) {
            insertion_sort(keys, n);
            return;
        }
        int at = partition(keys, n);
        if (k <= at) {
            n = at;
        } else {
            keys += at + 1;
            n -= at + 1;
            k -= at + 1;
        }
    }
}

void det_sort_keys(uint64_t *keys, int n)
{
    while (n > SHORT_RUN) {
        int at = partition(keys, n);
        int rest = n - at - 1;
        if (at < rest) { /* recurse into the smaller part: depth log2 n */
            det_sort_keys(keys, at);
            keys += at + 1;
            n = rest;
        } else {
            det_sort_keys(keys + at + 1, rest);
            n = at;
        }
    }
    insertion_sort(keys, n);
}
