#include "detector/boxes/sampler.h"

#include "detector/base/vector_targets.h"
#include "detector/bodies/philox.h"
#include "detector/bodies/sort_key.h"
#include "detector/boxes/select.h"

/* Candidates whose random words are made at once: a constant, so that the loop vectorises. */
enum { LANES = 16 };

struct stream { /* one image's draws for one purpose */
    uint32_t image, step, purpose;
    uint64_t seed;
};

static int any_labelled(const int8_t *labels, int n, int8_t label)
{
    int any = 0;
    for (int i = 0; i < n; i++)
        any |= labels[i] == label;
    return any;
}

/* keys of the candidates with `label`, in ascending index; returns how many. */
DET_VECTOR_TARGETS static int draw_keys(const struct stream *stream, int n, const int8_t *labels,
                                        int8_t label, uint64_t *keys)
{
    int count = 0;
    for (int first = 0; first < n; first += LANES) {
        int live = n - first < LANES ? n - first : LANES;
        if (!any_labelled(labels + first, live, label))
            continue;
        uint32_t word[LANES];
        for (int i = 0; i < LANES; i++)
            word[i] = det_philox((uint32_t)(first + i), stream->image, stream->step,
                                 stream->purpose, stream->seed)
                          .word[0];
        for (int i = 0; i < live; i++) {
            keys[count] = det_key(word[i], (uint32_t)(first + i));
            count += labels[first + i] == label;
        }
    }
    return count;
}

/* Keep at most `wanted` candidates with `label`; returns how many. *available: before. */
static int draw(const struct stream *stream, int n, int8_t *labels, int8_t label, int wanted,
                uint64_t *keys, int *available)
{
    *available = draw_keys(stream, n, labels, label, keys);
    int kept = *available < wanted ? *available : wanted;
    det_select_smallest(keys, *available, kept);
    for (int i = kept; i < *available; i++)
        labels[det_key_index(keys[i])] = -1;
    return kept;
}

struct det_sample_counts det_sample(const struct det_sampler *sampler, int n, int8_t *labels,
                                    int64_t image_id, uint32_t step, uint64_t *keys)
{
    struct det_sample_counts counts;
    struct stream stream = {(uint32_t)image_id, step, sampler->positive_purpose, sampler->seed};
    int quota = (int)((float)sampler->batch_per_image * sampler->positive_fraction);
    counts.positives = draw(&stream, n, labels, 1, quota, keys, &counts.positive_candidates);
    stream.purpose = sampler->negative_purpose;
    counts.negatives = draw(&stream, n, labels, 0, sampler->batch_per_image - counts.positives,
                            keys, &counts.negative_candidates);
    return counts;
}
