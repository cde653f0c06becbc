/* A pool of worker threads with one operation: run n items, each exactly once.
 *
 * Bits do not depend on the number of threads as long as the items are cut by the problem's shape
 * (never by the number of workers) and no two items write the same place. */
#ifndef DET_BASE_POOL_H
#define DET_BASE_POOL_H

#include "detector/base/status.h"

struct det_pool; /* opaque */

/* An item's work: `item` in [0, n), `worker` in [0, det_pool_threads(pool)), for per-worker scratch. */
typedef void det_pool_work(void *arg, int item, int worker);

/* Start threads - 1 workers (the caller is worker 0). threads in [1, 256]. *out is owned by the
 * caller, who destroys it. */
enum det_code det_pool_create(int threads, struct det_pool **out, struct det_error *err);

/* Join the workers and free the pool. NULL is allowed. */
void det_pool_destroy(struct det_pool *pool);

int det_pool_threads(const struct det_pool *pool);

/* Run work(arg, 0..n-1, worker) and return when all are done. Allocates nothing. Not reentrant:
 * work must not call it on the same pool. */
void det_pool_run(struct det_pool *pool, int n, det_pool_work *work, void *arg);

#endif
