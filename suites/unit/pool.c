/* The worker pool: every item exactly once, on a worker that exists, for any number of threads. */
#include "detector/base/pool.h"

#include <criterion/criterion.h>
#include <stdatomic.h>

#define MOST 1000

struct tally {
    int threads;
    atomic_int runs[MOST];
    atomic_int strangers; /* items run by a worker that does not exist */
};

static void count_item(void *arg, int item, int worker)
{
    struct tally *tally = arg;
    atomic_fetch_add(&tally->runs[item], 1);
    if (worker < 0 || worker >= tally->threads)
        atomic_fetch_add(&tally->strangers, 1);
}

Test(pool, every_item_once)
{
    static const int sizes[] = {0, 1, 2, 3, 7, 100, MOST};
    for (int threads = 1; threads <= 4; threads++) {
        struct det_pool *pool;
        cr_assert_eq(det_pool_create(threads, &pool, NULL), DET_OK);
        cr_expect_eq(det_pool_threads(pool), threads);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            struct tally tally = {.threads = threads};
            det_pool_run(pool, sizes[s], count_item, &tally);
            for (int i = 0; i < MOST; i++)
                cr_expect_eq(tally.runs[i], i < sizes[s],
                             "%d threads, %d items: item %d ran %d times", threads, sizes[s], i,
                             tally.runs[i]);
            cr_expect_eq(tally.strangers, 0, "%d threads: unknown workers", threads);
        }
        det_pool_destroy(pool);
    }
}

struct square {
    int *values;
};

static void square_item(void *arg, int item, int worker)
{
    (void)worker;
    const struct square *job = arg;
    job->values[item] = item * item;
}

/* What the items wrote is there when run returns: also when runs follow at once, many times. */
Test(pool, results_are_there_on_return)
{
    struct det_pool *pool;
    cr_assert_eq(det_pool_create(3, &pool, NULL), DET_OK);
    for (int round = 0; round < 200; round++) {
        int values[50] = {0};
        det_pool_run(pool, 50, square_item, &(struct square){values});
        for (int i = 0; i < 50; i++)
            cr_assert_eq(values[i], i * i, "round %d, item %d: got %d", round, i, values[i]);
    }
    det_pool_destroy(pool);
}

Test(pool, refuses_numbers_of_threads_that_make_no_sense)
{
    static const int wrong[] = {-1, 0, 257};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct det_pool *pool;
        struct det_error err = {0};
        cr_expect_eq(det_pool_create(wrong[i], &pool, &err), DET_INVALID, "%d threads", wrong[i]);
        cr_expect_null(pool);
        cr_expect_neq(err.message[0], '\0', "%d threads: no message", wrong[i]);
    }
    det_pool_destroy(NULL);
}
