/* The balanced sampler (boxes/sampler.h) by one block: the same draws. */
#ifndef DET_BACKEND_CUDA_BLOCK_SAMPLE_H
#define DET_BACKEND_CUDA_BLOCK_SAMPLE_H

#include "detector/backend/cuda/block_select.h"
#include "detector/bodies/philox.h"
#include "detector/boxes/sampler.h"

/* The key by which a candidate of an image is drawn; label: 1 or 0. */
DET_BODY uint64_t det_sample_key(const struct det_sampler *sampler, int label, int candidate,
                                 int64_t image_id, uint32_t step)
{
    uint32_t purpose = label == 1 ? sampler->positive_purpose : sampler->negative_purpose;
    struct det_philox random =
        det_philox((uint32_t)candidate, (uint32_t)image_id, step, purpose, sampler->seed);
    return det_key(random.word[0], (uint32_t)candidate);
}

/* Keep at most `wanted` candidates with `label`: those with the smallest keys. The others' labels
 * become -1. Returns how many are kept. */
DET_BLOCK_BODY int det_block_draw(const struct det_block *b, int n, int8_t *labels, int8_t label,
                                  const uint64_t *keys, int wanted, int *available,
                                  struct det_select_shared *s)
{
    struct det_keys of = {keys, n, 0, labels, label};
    *available = det_block_available(b, &of, s);
    if (*available <= wanted)
        return *available;
    uint64_t limit = det_block_select(b, &of, wanted, s);
    DET_EACH_THREAD(b, t)
        for (int i = t; i < n; i += b->threads)
            if (labels[i] == label && keys[i] >= limit)
                labels[i] = -1;
    return wanted;
}

/* labels[n] as for det_sample; keys[n]: det_sample_key of the candidates labelled 1 or 0. */
DET_BLOCK_BODY struct det_sample_counts det_block_sample(const struct det_block *b,
                                                         const struct det_sampler *sampler, int n,
                                                         int8_t *labels, const uint64_t *keys,
                                                         struct det_select_shared *s)
{
    struct det_sample_counts counts;
    int quota = (int)((float)sampler->batch_per_image * sampler->positive_fraction);
    counts.positives = det_block_draw(b, n, labels, 1, keys, quota, &counts.positive_candidates, s);
    counts.negatives =
        det_block_draw(b, n, labels, 0, keys, sampler->batch_per_image - counts.positives,
                       &counts.negative_candidates, s);
    return counts;
}

#endif
