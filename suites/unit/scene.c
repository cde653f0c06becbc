/* Synthetic scenes: what the recipes promise about places, masks, boxes and annotations. */
#include "detector/base/pool.h"
#include "fixtures/fixture.h"
#include "fixtures/recipe_dataset.h"
#include "suites/unit/dataset_helper.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const recipes[] = {
    "balanced",  "crowd",  "long_tail",    "lookalike", "missing_labels",
    "per_class", "sparse", "tiny_objects", "twins",
};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])

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
    } others[] = {{other_seed, 0, "seed"},
                  {other_split, 0, "split"},
                  {one, 1, "index"},
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

static void check_layout(const struct recipe *recipe, int64_t index,
                         const struct det_annotations *truth)
{
    int objects = 0;
    for (int a = 0; a < truth->n; a++) {
        const float *box = truth->boxes[a];
        float side = fmaxf(box[2] - box[0], box[3] - box[1]);
        objects += !truth->crowd[a];
        if (!truth->crowd[a])
            cr_expect(side >= (float)recipe->size.low && side <= (float)recipe->size.high,
                      "%s image %lld: side %g, want %d to %d", recipe->name, (long long)index,
                      (double)side, recipe->size.low, recipe->size.high);
        for (int b = 0; b < a; b++)
            cr_expect(!intersect(box, truth->boxes[b]), "%s image %lld: %d over %d", recipe->name,
                      (long long)index, a, b);
    }
    int group = 1 + (int)recipe->lookalike_ratio;
    int empty = recipe->empty_share > 0 && truth->n == 0;
    cr_expect(empty || (objects >= recipe->objects.low * group &&
                        objects <= recipe->objects.high * group),
              "%s image %lld: %d objects, want %d to %d", recipe->name, (long long)index, objects,
              recipe->objects.low * group, recipe->objects.high * group);
}

Test(scene, objects_keep_their_number_size_and_distance)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_VAL, 0, 11);
        struct det_sample sample = new_sample(dataset);
        for (int64_t i = 0; i < 150; i++) {
            load(dataset, i, &sample);
            check_layout(recipe_of_dataset(dataset), i, &sample.truth);
        }
        free_sample(&sample);
        dataset->close(dataset);
    }
}

/* 4.5 sigma of a share: 1 in 150 000 seeds falls outside. */
static double share_bound(double p, int n)
{
    return 4.5 * sqrt(p * (1 - p) / n);
}

Test(scene, empty_and_crowd_images_have_the_stated_share)
{
    const int n = 400;
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_VAL, 0, 17);
        const struct recipe *recipe = recipe_of_dataset(dataset);
        struct det_sample sample = new_sample(dataset);
        int empty = 0, crowds = 0;
        for (int64_t i = 0; i < n; i++) {
            load(dataset, i, &sample);
            empty += sample.truth.n == 0;
            for (int row = 0; row < sample.truth.n; row++)
                crowds += sample.truth.crowd[row];
        }
        double got = (double)empty / n, want = recipe->empty_share;
        cr_expect(fabs(got - want) <= share_bound(want, n), "%s: %g empty, want %g", recipes[r],
                  got, want);
        got = (double)crowds / n, want = recipe->crowd_share * (1 - recipe->empty_share);
        cr_expect(fabs(got - want) <= share_bound(want, n), "%s: %g with crowd, want %g",
                  recipes[r], got, want);
        free_sample(&sample);
        dataset->close(dataset);
    }
}

Test(scene, classes_follow_their_weights)
{
    for (size_t r = 0; r < N_RECIPES; r++) {
        struct det_dataset *dataset = open_recipe(recipes[r], FIXTURE_VAL, 0, 19);
        const struct recipe *recipe = recipe_of_dataset(dataset);
        struct det_sample sample = new_sample(dataset);
        int count[RECIPE_CLASSES_MAX + 1] = {0};
        int objects = 0;
        for (int64_t i = 0; i < 250; i++) {
            load(dataset, i, &sample);
            for (int row = 0; row < sample.truth.n; row++) {
                objects += !sample.truth.crowd[row];
                count[sample.truth.labels[row]] += !sample.truth.crowd[row];
            }
        }
        /* Worked out from the recipe's keys, not from the generator's table of weights. */
        double total = 0;
        for (int k = 1; k <= recipe->n_classes; k++)
            total += recipe->classes[k - 1].frequency * pow(k, -recipe->zipf);
        for (int k = 1; k <= recipe->n_classes; k++) {
            double want = recipe->classes[k - 1].frequency * pow(k, -recipe->zipf) / total;
            double got = (double)count[k] / objects;
            cr_expect(fabs(got - want) <= share_bound(want, objects) + 1e-6,
                      "%s class %d: share %g of %d, want %g", recipes[r], k, got, objects, want);
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
            double got = annotated_share(dataset, 500, label, &objects);
            double bound = share_bound(p, objects);
            cr_expect(fabs(got - p) <= bound, "%s class %d: %g annotated of %d, want %g +- %g",
                      recipes[r], label, got, objects, p, bound);
        }
        dataset->close(dataset);
    }
}

/* Exactly one of an object and its r twins is annotated, and it is any of them equally often. */
Test(scene, one_of_the_twins_is_annotated)
{
    struct det_dataset *dataset = open_recipe("twins", FIXTURE_TRAIN, 1, 23);
    struct det_sample sample = new_sample(dataset);
    const int n = 900;
    int chosen[3] = {0};
    for (int64_t i = 0; i < n; i++) {
        load(dataset, i, &sample);
        cr_assert_eq(sample.truth.n, 3, "image %lld: %d", (long long)i, sample.truth.n);
        int annotated = 0;
        for (int row = 0; row < 3; row++) {
            annotated += sample.truth.annotated[row];
            chosen[row] += sample.truth.annotated[row];
        }
        cr_expect_eq(annotated, 1, "image %lld: %d annotated", (long long)i, annotated);
    }
    for (int row = 0; row < 3; row++)
        cr_expect(fabs((double)chosen[row] / n - 1.0 / 3) <= share_bound(1.0 / 3, n),
                  "twin %d annotated %d times of %d", row, chosen[row], n);
    free_sample(&sample);
    dataset->close(dataset);
}

static struct det_dataset *open_text(const char *yaml)
{
    struct yaml_file *file;
    struct recipe recipe;
    struct det_dataset *dataset;
    struct det_error err = {0};
    cr_assert_eq(yaml_file_parse(yaml, "test.yaml", &file, &err), DET_OK, "%s", err.message);
    cr_assert_eq(recipe_read(file, &recipe, &err), DET_OK, "%s", err.message);
    yaml_file_close(file);
    cr_assert_eq(recipe_dataset_open(&recipe, FIXTURE_VAL, 1, 0, &dataset, &err), DET_OK, "%s",
                 err.message);
    return dataset;
}

/* Where objects lie over each other each pixel belongs to one of them, the one on top. */
Test(scene, overlapping_objects_share_no_pixel)
{
    struct det_dataset *dataset = open_text("image_size: 50\nobjects: 30\nsize: [6, 20]\n"
                                            "overlap: 0.8\nclasses: [{name: a}, {name: b}]\n");
    struct det_sample sample = new_sample(dataset);
    size_t plane = (size_t)dataset->canvas_w * (size_t)dataset->canvas_w;
    cr_assert_eq(dataset->canvas_w, 64, "50 px on a canvas of %d", dataset->canvas_w);
    int overlaps = 0;
    for (int64_t i = 0; i < 40; i++) {
        load(dataset, i, &sample);
        for (int row = 0; row < sample.truth.n; row++) {
            check_mask_against_box("overlap", i, &sample, row, dataset->canvas_w);
            for (int b = 0; b < row; b++)
                overlaps += intersect(sample.truth.boxes[row], sample.truth.boxes[b]);
        }
        for (size_t p = 0; p < plane; p++) {
            int owners = 0;
            for (int row = 0; row < sample.truth.n; row++)
                owners += sample.truth.masks[(size_t)row * plane + p];
            cr_assert_leq(owners, 1, "image %lld pixel %zu: in %d masks", (long long)i, p, owners);
        }
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 64; y++)
                for (int x = y < 50 ? 50 : 0; x < 64; x++)
                    cr_assert_eq(sample.image[((size_t)c * 64 + (size_t)y) * 64 + (size_t)x], 0.0f,
                                 "off the image at %d %d", x, y);
    }
    cr_expect_gt(overlaps, 100, "only %d overlaps: the test shows nothing", overlaps);
    free_sample(&sample);
    dataset->close(dataset);
}

Test(scene, pixels_are_bytes_over_255)
{
    struct det_dataset *dataset = open_recipe("lookalike", FIXTURE_TRAIN, 0, 29);
    struct det_sample sample = new_sample(dataset);
    load(dataset, 0, &sample);
    for (int i = 0; i < 3 * 64 * 64; i++) {
        float byte = roundf(sample.image[i] * 255.0f);
        cr_assert(byte >= 0 && byte <= 255 && sample.image[i] == byte / 255.0f, "pixel %d is %g", i,
                  (double)sample.image[i]);
    }
    free_sample(&sample);
    dataset->close(dataset);
}

Test(scene, another_image_size_scales_the_objects)
{
    struct fixture_options options = {.seed = 1, .image_size = 128};
    struct det_dataset *dataset;
    struct det_error err = {0};
    cr_assert_eq(fixture_open("lookalike", FIXTURE_VAL, &options, &dataset, &err), DET_OK, "%s",
                 err.message);
    const struct recipe *recipe = recipe_of_dataset(dataset);
    cr_expect_eq(dataset->canvas_w, 128);
    cr_expect(recipe->size.low == 20 && recipe->size.high == 32, "10-16 of 64 px became %d-%d",
              recipe->size.low, recipe->size.high);
    dataset->close(dataset);
}

Test(scene, every_shape_fills_its_square_to_the_edges)
{
    for (int shape = 0; shape < SHAPE_COUNT; shape++)
        for (int side = 3; side <= 40; side++) {
            int left = side, right = -1, top = side, bottom = -1;
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    if (shape_covers((enum shape)shape, side, x, y)) {
                        left = x < left ? x : left;
                        right = x > right ? x : right;
                        top = y < top ? y : top;
                        bottom = y > bottom ? y : bottom;
                    }
            int width = right - left + 1, height = bottom - top + 1;
            int half = side / 2 + side % 2; /* the nearest that is symmetric, or one less */
            int want_w = shape == SHAPE_PILLAR ? half : side;
            int want_h = shape == SHAPE_BAR ? half : side;
            cr_expect(abs(width - want_w) <= (shape == SHAPE_PILLAR),
                      "%s side %d: %d wide, want %d", shape_names[shape], side, width, want_w);
            cr_expect(abs(height - want_h) <= (shape == SHAPE_BAR), "%s side %d: %d high, want %d",
                      shape_names[shape], side, height, want_h);
        }
}
