/* The k smallest of many keys, by one block: where a total order of (value, index) decides what is
 * kept (anchors before NMS, the sampler's draws, hard negatives). */
#ifndef DET_BACKEND_CUDA_BLOCK_SELECT_H
#define DET_BACKEND_CUDA_BLOCK_SELECT_H

#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/block_scan.h"
#include "detector/backend/cuda/kernel.h"
#include "detector/bodies/sort_key.h"

/* Greater than every key: what is not a candidate, and what fills up a sort. */
#define DET_NO_KEY UINT64_MAX

/* The keys to choose from: keys[n] in device memory, distinct but for DET_NO_KEY. Of them those
 * with from <= key < DET_NO_KEY; where `labels` is given, only at labels[i] == label. */
struct det_keys {
    const uint64_t *keys;
    int n;
    uint64_t from;
    const int8_t *labels;
    int8_t label;
};

/* The i-th key, DET_NO_KEY where it does not take part. */
DET_BLOCK_BODY uint64_t det_keys_at(const struct det_keys *of, int i)
{
    if (of->labels && of->labels[i] != of->label)
        return DET_NO_KEY;
    return of->keys[i] >= of->from ? of->keys[i] : DET_NO_KEY;
}

struct det_select_shared {
    int32_t histogram[DET_NARROW]; /* of one byte of the keys */
    int32_t counts[DET_WIDE], spare[DET_WIDE];
    int32_t bin, before, held;
};

/* How many keys take part. */
DET_BLOCK_BODY int det_block_available(const struct det_block *b, const struct det_keys *of,
                                       struct det_select_shared *s)
{
    DET_EACH_THREAD(b, t) {
        int count = 0;
        for (int i = t; i < of->n; i += b->threads)
            count += det_keys_at(of, i) != DET_NO_KEY;
        s->counts[t] = count;
    }
    return det_block_count(b, s->counts);
}

/* histogram of the byte at `shift` of the keys whose bits under `mask` are `prefix`. */
DET_BLOCK_BODY void det_select_count(const struct det_block *b, const struct det_keys *of,
                                     uint64_t prefix, uint64_t mask, int shift,
                                     struct det_select_shared *s)
{
    DET_EACH_THREAD(b, t)
        for (int i = t; i < DET_NARROW; i += b->threads)
            s->histogram[i] = 0;
    DET_EACH_THREAD(b, t)
        for (int i = t; i < of->n; i += b->threads) {
            uint64_t key = det_keys_at(of, i);
            if (key != DET_NO_KEY && (key & mask) == prefix)
                det_atomic_add(&s->histogram[(key >> shift) & 255u], 1);
        }
}

/* The byte of the left-th smallest of the counted keys: to s->bin, with the number of keys in lower
 * bins to s->before and in this one to s->held. 1 <= left <= keys counted. */
DET_BLOCK_BODY void det_select_bin(const struct det_block *b, int left, struct det_select_shared *s)
{
    DET_EACH_THREAD(b, t)
        s->counts[t] = t < DET_NARROW ? s->histogram[t] : 0;
    det_block_scan(b, s->counts, s->spare);
    DET_EACH_THREAD(b, t)
        if (t < DET_NARROW && s->counts[t] < left && left <= s->counts[t] + s->histogram[t]) {
            s->bin = t;
            s->before = s->counts[t];
            s->held = s->histogram[t];
        }
}

/* The limit below which exactly the k smallest of the keys lie: key < limit. 0 <= k <= the number
 * of keys that take part; b->threads >= DET_NARROW. Radix selection: the k-th key is found a byte
 * at a time from the highest, until all keys that agree with it so far are wanted. */
DET_BLOCK_BODY uint64_t det_block_select(const struct det_block *b, const struct det_keys *of,
                                         int k, struct det_select_shared *s)
{
    uint64_t prefix = 0;
    uint64_t mask = 0;
    int left = k;
    if (k == 0)
        return of->from;
    for (int shift = 56; shift >= 0; shift -= 8) {
        det_select_count(b, of, prefix, mask, shift, s);
        det_select_bin(b, left, s);
        left -= det_uniform_int(b, &s->before);
        prefix |= (uint64_t)det_uniform_int(b, &s->bin) << shift;
        mask |= (uint64_t)255 << shift;
        if (det_uniform_int(b, &s->held) == left)
            break;
    }
    uint64_t last = prefix | ~mask;
    return last < DET_NO_KEY ? last + 1 : DET_NO_KEY;
}

#endif
