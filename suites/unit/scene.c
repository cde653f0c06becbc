/* Synthetic scenes: what the recipes promise about places, masks, boxes and annotations. */
#include "detector/base/pool.h"
#include "fixtures/fixture.h"
#include "fixtures/recipe_dataset.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const recipes[] = {"lookalike", "balanced"};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])

static struct det_dataset *open_recipe(const char *name, enum fixture_split split, int all_objects,
                                       uint64_t seed)
{
    struct fixture_options options = {.seed = seed, .all_objects = all_objects};
    struct det_dataset *dataset = NULL;
    struct det_error err = {0};
    enum det_code code = fixture_open(name, split, &options, &dataset, &err);
    cr_assert_eq(code, DET_OK, "%s: %s", name, err.message);
    return dataset;
}

static struct det_sample new_sample(const struct det_dataset *dataset)
{
    size_t pixels = 3 * (size_t)dataset->canvas_h * (size_t)dataset->canvas_w;
    struct det_sample sample = {.image = malloc(pixels * sizeof(float))};
    cr_assert_not_null(sample.image);
    return sample;
}

static void free_sample(struct det_sample *sample)
{
    det_sample_release(sample);
    free(sample->image);
}

static void load(const struct det_dataset *dataset, int64_t index, struct det_sample *sample)
{
    struct det_error err = {0};
    enum det_code code = dataset->load(dataset, index, sample, &err);
    cr_assert_eq(code, DET_OK, "%s image %lld: %s", dataset->name, (long long)index, err.message);
}

/* FNV-1a over everything that the sample holds, written here again on purpose. */
static uint64_t hash_sample(const struct det_dataset *dataset, const struct det_sample *sample)
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

#define HASHED 48

struct shared_load {
    const struct det_dataset *dataset;
    struct det_sample samples[4];
    uint64_t hash[HASHED];
};

static void load_and_hash(void *arg, int item, int worker)
{
    struct shared_load *shared = arg;
    struct det_sample *sample = &shared->samples[worker];
    int index = HASHED - 1 - item; /* from the end, and into a buffer that another image used */
    struct det_error err;
    if (shared->dataset->load(shared->dataset, index, sample, &err) == DET_OK)
        shared->hash[index] = hash_sample(shared->dataset, sample);
}

Test(scene, same_bits_in_any_order_on_any_thread)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_TRAIN, 1, 7);
        struct shared_load shared = {.dataset = dataset};
        struct det_pool *pool;
        cr_assert_eq(det_pool_create(4, &pool, NULL), DET_OK);
        for (int i = 0; i < 4; i++)
            shared.samples[i] = new_sample(dataset);
        det_pool_run(pool, HASHED, load_and_hash, &shared);
        det_pool_destroy(pool);
        struct det_sample sample = new_sample(dataset);
        for (int i = 0; i < HASHED; i++) {
            load(dataset, i, &sample);
            uint64_t want = hash_sample(dataset, &sample);
            cr_expect_eq(shared.hash[i], want, "%s image %d: hash %llx, alone %llx", recipes[r], i,
                         (unsigned long long)shared.hash[i], (unsigned long long)want);
        }
        for (int i = 0; i < 4; i++)
            free_sample(&shared.samples[i]);
        free_sample(&sample);
        dataset->close(dataset);
    }
}

Test(scene, seed_split_and_index_each_change_the_scene)
{
    struct det_dataset *one = open_recipe("lookalike", FIXTURE_TRAIN, 0, 1);
    struct det_dataset *other_seed = open_recipe("lookalike", FIXTURE_TRAIN, 0, 2);
    struct det_dataset *other_split = open_recipe("lookalike", FIXTURE_VAL, 0, 1);
    struct det_sample sample = new_sample(one);
    const int64_t far = INT64_C(1) << 40; /* index beyond 32 bits */
    load(one, 0, &sample);
    uint64_t base = hash_sample(one, &sample);
    const struct {
        struct det_dataset *dataset;
        int64_t index;
        const char *what;
    } others[] = {{other_seed, 0, "seed"}, {other_split, 0, "split"}, {one, 1, "index"},
                  {one, far, "high word of the index"}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        load(others[i].dataset, others[i].index, &sample);
        cr_expect_neq(hash_sample(others[i].dataset, &sample), base, "%s changes nothing",
                      others[i].what);
    }
    cr_expect_neq(one->checksum, other_seed->checksum);
    free_sample(&sample);
    one->close(one);
    other_seed->close(other_seed);
    other_split->close(other_split);
}

static void check_mask_against_box(const char *name, int64_t index, const struct det_sample *sample,
                                   int row, int canvas)
{
    const struct det_annotations *truth = &sample->truth;
    const uint8_t *mask = truth->masks + (size_t)row * (size_t)canvas * (size_t)canvas;
    int left = canvas, top = canvas, right = -1, bottom = -1, area = 0;
    for (int y = 0; y < canvas; y++)
        for (int x = 0; x < canvas; x++) {
            int set = mask[y * canvas + x];
            cr_assert(set == 0 || set == 1, "%s: mask value %d", name, set);
            if (!set)
                continue;
            area++;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
        }
    const float want[4] = {(float)left, (float)top, (float)right + 1, (float)bottom + 1};
    for (int k = 0; k < 4; k++)
        cr_expect_eq(truth->boxes[row][k], want[k], "%s image %lld row %d: edge %d is %g, mask %g",
                     name, (long long)index, row, k, (double)truth->boxes[row][k], (double)want[k]);
    cr_expect_eq((int)truth->areas[row], area, "%s image %lld row %d: area %g, mask has %d", name,
                 (long long)index, row, truth->areas[row], area);
    cr_expect(right < sample->width && bottom < sample->height && area > 0,
              "%s image %lld row %d: off the image or empty", name, (long long)index, row);
}

Test(scene, boxes_are_the_tight_boxes_of_masks)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_TRAIN, 1, 3);
        struct det_sample sample = new_sample(dataset);
        for (int64_t i = 0; i < 60; i++) {
            load(dataset, i, &sample);
            cr_expect_leq(sample.truth.n, dataset->max_objects, "%s", recipes[r]);
            for (int row = 0; row < sample.truth.n; row++) {
                check_mask_against_box(recipes[r], i, &sample, row, dataset->canvas_w);
                int label = sample.truth.labels[row];
                cr_expect(label >= 1 && label <= dataset->n_classes, "%s: label %d", recipes[r],
                          label);
            }
        }
        free_sample(&sample);
        dataset->close(dataset);
    }
}

Test(scene, validation_is_fully_annotated)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *seen = open_recipe(recipes[r], FIXTURE_VAL, 0, 5);
        struct det_dataset *all = open_recipe(recipes[r], FIXTURE_VAL, 1, 5);
        struct det_sample a = new_sample(seen), b = new_sample(all);
        for (int64_t i = 0; i < 60; i++) {
            load(seen, i, &a);
            load(all, i, &b);
            cr_expect_eq(a.truth.n, b.truth.n, "%s image %lld: %d of %d annotated", recipes[r],
                         (long long)i, a.truth.n, b.truth.n);
            for (int row = 0; row < b.truth.n; row++)
                cr_expect_eq(b.truth.annotated[row], 1, "%s", recipes[r]);
        }
        free_sample(&a);
        free_sample(&b);
        seen->close(seen);
        all->close(all);
    }
}

Test(scene, training_sees_the_annotated_rows_only)
{
    struct det_dataset *seen = open_recipe("lookalike", FIXTURE_TRAIN, 0, 5);
    struct det_dataset *all = open_recipe("lookalike", FIXTURE_TRAIN, 1, 5);
    struct det_sample a = new_sample(seen), b = new_sample(all);
    size_t plane = (size_t)seen->canvas_h * (size_t)seen->canvas_w;
    for (int64_t i = 0; i < 60; i++) {
        load(seen, i, &a);
        load(all, i, &b);
        cr_expect_arr_eq(a.image, b.image, 3 * plane * sizeof(float), "image %lld", (long long)i);
        int next = 0;
        for (int row = 0; row < b.truth.n; row++) {
            if (!b.truth.annotated[row])
                continue;
            cr_assert_lt(next, a.truth.n);
            cr_expect_arr_eq(a.truth.boxes[next], b.truth.boxes[row], sizeof a.truth.boxes[0]);
            cr_expect_arr_eq(a.truth.masks + (size_t)next * plane,
                             b.truth.masks + (size_t)row * plane, plane);
            cr_expect_eq(a.truth.annotated[next], 1);
            next++;
        }
        cr_expect_eq(next, a.truth.n, "image %lld: %d rows, %d annotated", (long long)i, a.truth.n,
                     next);
    }
    free_sample(&a);
    free_sample(&b);
    seen->close(seen);
    all->close(all);
}

static int intersect(const float a[4], const float b[4])
{
    return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

Test(scene, objects_keep_their_number_size_and_distance)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_VAL, 0, 11);
        struct det_sample sample = new_sample(dataset);
        for (int64_t i = 0; i < 300; i++) {
            load(dataset, i, &sample);
            cr_expect_eq(sample.truth.n, 4, "%s image %lld: %d objects", recipes[r], (long long)i,
                         sample.truth.n);
            for (int a = 0; a < sample.truth.n; a++) {
                const float *box = sample.truth.boxes[a];
                float side = fmaxf(box[2] - box[0], box[3] - box[1]);
                cr_expect(side >= 10.0f && side <= 16.0f, "%s image %lld: side %g", recipes[r],
                          (long long)i, (double)side);
                for (int b = 0; b < a; b++)
                    cr_expect(!intersect(box, sample.truth.boxes[b]), "%s image %lld: %d over %d",
                              recipes[r], (long long)i, a, b);
            }
        }
        free_sample(&sample);
        dataset->close(dataset);
    }
}

/* Share of annotated objects over n images; *objects receives how many objects there were. */
static double annotated_share(const struct det_dataset *dataset, int n, int label, int *objects)
{
    struct det_sample sample = new_sample(dataset);
    int annotated = 0;
    *objects = 0;
    for (int64_t i = 0; i < n; i++) {
        load(dataset, i, &sample);
        for (int row = 0; row < sample.truth.n; row++) {
            if (sample.truth.labels[row] != label || sample.truth.crowd[row])
                continue;
            ++*objects;
            annotated += sample.truth.annotated[row];
        }
    }
    free_sample(&sample);
    return (double)annotated / *objects;
}

Test(scene, objects_are_annotated_with_the_stated_probability)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_TRAIN, 1, 13);
        const struct recipe *recipe = recipe_of_dataset(dataset);
        for (int label = 1; label <= dataset->n_classes; label++) {
            int objects;
            double p = recipe_annotated_share(recipe, label);
            double got = annotated_share(dataset, 1000, label, &objects);
            double bound = 4.5 * sqrt(p * (1 - p) / objects); /* 4.5 sigma: 1 in 150 000 seeds */
            cr_expect(fabs(got - p) <= bound, "%s class %d: %g annotated of %d, want %g +- %g",
                      recipes[r], label, got, objects, p, bound);
        }
        dataset->close(dataset);
    }
}
