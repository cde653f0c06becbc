#include "detector/base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct det_pool *pool;
    pthread_t thread;
    int index;
};

struct det_pool {
    int threads;
    struct worker *workers; /* threads - 1 of them, index 1.. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t done;
    unsigned generation; /* grows by one per det_pool_run */
    int busy;            /* workers still in the current generation */
    int stop;
    det_pool_work *work;
    void *arg;
    int n;
    atomic_int next;
};

static void drain(struct det_pool *pool, int worker)
{
    for (;;) {
        int item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (item >= pool->n)
            return;
        pool->work(pool->arg, item, worker);
    }
}

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    struct det_pool *pool = self->pool;
    unsigned seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->stop)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        drain(pool, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static enum det_code start_workers(struct det_pool *pool, struct det_error *err)
{
    int wanted = pool->threads;
    pool->threads = 1;
    for (int i = 1; i < wanted; i++) {
        struct worker *w = &pool->workers[i - 1];
        *w = (struct worker){.pool = pool, .index = i};
        int rc = pthread_create(&w->thread, NULL, worker_main, w);
        if (rc)
            return det_fail(err, DET_NO_MEMORY, "thread %d of %d: %s", i, wanted, strerror(rc));
        pool->threads = i + 1;
    }
    return DET_OK;
}

enum det_code det_pool_create(int threads, struct det_pool **out, struct det_error *err)
{
    *out = NULL;
    if (threads < 1 || threads > 256)
        return det_fail(err, DET_INVALID, "threads: %d is not in 1..256", threads);
    struct det_pool *pool = calloc(1, sizeof *pool);
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (!pool || !workers) {
        free(pool);
        free(workers);
        return det_fail(err, DET_NO_MEMORY, "thread pool of %d", threads);
    }
    pool->threads = threads;
    pool->workers = workers;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    enum det_code code = start_workers(pool, err);
    if (code != DET_OK) {
        det_pool_destroy(pool);
        return code;
    }
    *out = pool;
    return DET_OK;
}

void det_pool_destroy(struct det_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i < pool->threads; i++)
        pthread_join(pool->workers[i - 1].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int det_pool_threads(const struct det_pool *pool)
{
    return pool->threads;
}

void det_pool_run(struct det_pool *pool, int n, det_pool_work *work, void *arg)
{
    if (pool->threads == 1 || n <= 1) {
        for (int i = 0; i < n; i++)
            work(arg, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->work = work;
    pool->arg = arg;
    pool->n = n;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->busy = pool->threads - 1;
    pool->generation++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    drain(pool, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
