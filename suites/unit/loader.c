/* The loader: which image a position is, in any order, by any number of threads, and errors. */
#include "harness/training/loader.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A dataset that tells which image was asked for; image 13 cannot be read. */
static enum det_code load(const struct det_dataset *self, int64_t index, struct det_sample *sample,
                          struct det_error *err)
{
    if (index == 13 && self->n_classes == 2)
        return det_fail(err, DET_IO, "image 13: broken");
    sample->id = index;
    sample->image[0] = (float)index;
    return det_sample_reserve(sample, (int)(index % 3), 16, err);
}

static struct det_dataset dataset_of(int64_t size)
{
    return (struct det_dataset){.name = "made",
                                .size = size,
                                .n_classes = 1,
                                .canvas_h = 32,
                                .canvas_w = 32,
                                .max_objects = 4,
                                .load = load};
}

static int64_t image_at(struct loader *l, int64_t position)
{
    struct det_error err = {0};
    cr_assert_eq(loader_load(l, position, 1, &err), DET_OK, "%s", err.message);
    cr_assert_eq(l->samples[0].image[0], (float)l->samples[0].id);
    return l->samples[0].id;
}

static void open_loader(struct loader *l, const struct det_dataset *data, struct det_pool **pool,
                        int threads, uint64_t seed, int shuffle)
{
    struct det_error err = {0};
    cr_assert_eq(det_pool_create(threads, pool, &err), DET_OK);
    cr_assert_eq(loader_open(l, data, *pool, 4, seed, shuffle, &err), DET_OK, "%s", err.message);
}

static void close_loader(struct loader *l, struct det_pool *pool)
{
    loader_close(l);
    det_pool_destroy(pool);
}

Test(loader, an_endless_dataset_goes_on)
{
    struct det_dataset data = dataset_of(INT64_MAX);
    struct det_pool *pool;
    struct loader l;
    open_loader(&l, &data, &pool, 2, 1, 1);
    static const int64_t positions[] = {0, 1, 12, 14, 1000000, 5000000000};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        cr_assert_eq(loader_load(&l, positions[i], 4, NULL), DET_OK);
        for (int k = 0; k < 4; k++)
            cr_expect_eq(l.samples[k].id, positions[i] + k, "shuffled, or out of order");
    }
    close_loader(&l, pool);
}

Test(loader, a_finite_dataset_begins_again)
{
    struct det_dataset data = dataset_of(7);
    struct det_pool *pool;
    struct loader l;
    open_loader(&l, &data, &pool, 1, 1, 0);
    for (int64_t p = 0; p < 40; p++)
        cr_expect_eq(image_at(&l, p), p % 7);
    close_loader(&l, pool);
}

/* Every epoch has every image once, in an order of its own that is a function of (seed, epoch). */
Test(loader, shuffling)
{
    enum { SIZE = 11, EPOCHS = 6 };
    struct det_dataset data = dataset_of(SIZE);
    struct det_pool *pool;
    struct loader l;
    int64_t order[EPOCHS * SIZE];
    open_loader(&l, &data, &pool, 1, 3, 1);
    for (int e = 0; e < EPOCHS; e++) {
        int seen[SIZE] = {0};
        for (int i = 0; i < SIZE; i++) {
            order[e * SIZE + i] = image_at(&l, e * SIZE + i);
            seen[order[e * SIZE + i]]++;
        }
        for (int i = 0; i < SIZE; i++)
            cr_expect_eq(seen[i], 1, "epoch %d: image %d %d times", e, i, seen[i]);
        for (int f = 0; f < e; f++)
            cr_expect(memcmp(order + e * SIZE, order + f * SIZE, SIZE * sizeof *order) != 0,
                      "epochs %d and %d are alike", e, f);
    }
    for (int p = EPOCHS * SIZE - 1; p >= 0; p--) /* backwards: what a resume may ask for */
        cr_expect_eq(image_at(&l, p), order[p], "position %d depends on what came before", p);
    close_loader(&l, pool);

    struct loader other;
    int same = 0;
    open_loader(&other, &data, &pool, 3, 4, 1);
    for (int p = 0; p < EPOCHS * SIZE; p++)
        same += image_at(&other, p) == order[p];
    cr_expect_lt(same, EPOCHS * SIZE / 2, "the seed does not matter");
    close_loader(&other, pool);
}

Test(loader, a_bad_image_is_an_error)
{
    struct det_dataset data = dataset_of(INT64_MAX);
    struct det_pool *pool;
    struct loader l;
    struct det_error err = {0};
    data.n_classes = 2;
    open_loader(&l, &data, &pool, 2, 1, 0);
    cr_expect_eq(loader_load(&l, 11, 4, &err), DET_IO);
    cr_expect(strstr(err.message, "image 13"), "%s", err.message);
    cr_expect_eq(loader_load(&l, 14, 4, &err), DET_OK, "an old error stays");
    cr_expect_eq(loader_load(&l, 12, 1, NULL), DET_OK);
    cr_expect_eq(loader_load(&l, 13, 1, NULL), DET_IO);
    close_loader(&l, pool);
}
