/* Batches from a dataset: which images a step trains on, loaded by several threads. */
#ifndef HARNESS_TRAINING_LOADER_H
#define HARNESS_TRAINING_LOADER_H

#include "detector/base/pool.h"
#include "detector/detector.h"

struct loader {
    const struct det_dataset *data; /* borrowed */
    struct det_pool *pool;          /* borrowed */
    struct det_sample *samples;     /* owned: `batch` of them with their images */
    float *images;                  /* owned */
    int batch;
    uint64_t seed;
    int shuffle;                    /* a finite dataset's order: new in every epoch */
    int64_t *order;                 /* owned; NULL: in order */
    int64_t order_epoch;
    struct det_error *errors;       /* [batch], owned */
};

/* Room for batches of `batch` images. shuffle is ignored for an endless dataset. */
enum det_code loader_open(struct loader *loader, const struct det_dataset *data,
                          struct det_pool *pool, int batch, uint64_t seed, int shuffle,
                          struct det_error *err);

/* Images position .. position + n - 1 of the training order into loader->samples. Position p is
 * image p of an endless dataset; of a finite one, image order[p mod size] of epoch p / size: a
 * function of (seed, p) only, so that a resumed run continues with the same images. */
enum det_code loader_load(struct loader *loader, int64_t position, int n, struct det_error *err);

void loader_close(struct loader *loader);

#endif
