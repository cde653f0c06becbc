/* What the tests of datasets share. A sample from new_sample is freed with free_sample. */
#ifndef SUITES_UNIT_DATASET_HELPER_H
#define SUITES_UNIT_DATASET_HELPER_H

#include "fixtures/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static inline struct det_dataset *open_recipe(const char *name, enum fixture_split split,
                                              int all_objects, uint64_t seed)
{
    struct fixture_options options = {.seed = seed, .all_objects = all_objects};
    struct det_dataset *dataset = NULL;
    struct det_error err = {0};
    enum det_code code = fixture_open(name, split, &options, &dataset, &err);
    cr_assert_eq(code, DET_OK, "%s: %s", name, err.message);
    return dataset;
}

static inline struct det_sample new_sample(const struct det_dataset *dataset)
{
    size_t pixels = 3 * (size_t)dataset->canvas_h * (size_t)dataset->canvas_w;
    struct det_sample sample = {.image = malloc(pixels * sizeof(float))};
    cr_assert_not_null(sample.image);
    return sample;
}

static inline void free_sample(struct det_sample *sample)
{
    det_sample_release(sample);
    free(sample->image);
}

static inline void load(const struct det_dataset *dataset, int64_t index, struct det_sample *sample)
{
    struct det_error err = {0};
    enum det_code code = dataset->load(dataset, index, sample, &err);
    cr_assert_eq(code, DET_OK, "%s image %lld: %s", dataset->name, (long long)index, err.message);
}

/* FNV-1a over everything that the sample holds, written here again on purpose. */
static inline uint64_t hash_sample(const struct det_dataset *dataset,
                                   const struct det_sample *sample)
{
    size_t plane = (size_t)dataset->canvas_h * (size_t)dataset->canvas_w;
    size_t n = (size_t)sample->truth.n;
    const struct {
        const void *data;
        size_t size;
    } parts[] = {
        {sample->image, 3 * plane * sizeof(float)},
        {sample->truth.boxes, n * 4 * sizeof(float)},
        {sample->truth.labels, n * sizeof(int32_t)},
        {sample->truth.crowd, n},
        {sample->truth.annotated, n},
        {sample->truth.masks, n * plane},
    };
    uint64_t hash = 14695981039346656037u + n;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
        for (size_t i = 0; i < parts[p].size; i++)
            hash = (hash ^ ((const unsigned char *)parts[p].data)[i]) * 1099511628211u;
    return hash;
}

#endif
