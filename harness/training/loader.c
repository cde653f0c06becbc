#include "harness/training/loader.h"

#include "detector/bodies/philox.h"

#include <stdlib.h>
#include <string.h>

enum det_code loader_open(struct loader *loader, const struct det_dataset *data,
                          struct det_pool *pool, int batch, uint64_t seed, int shuffle,
                          struct det_error *err)
{
    size_t pixels = 3 * (size_t)data->canvas_h * (size_t)data->canvas_w;
    *loader = (struct loader){.data = data, .pool = pool, .batch = batch, .seed = seed,
                              .shuffle = shuffle && data->size != INT64_MAX, .order_epoch = -1};
    loader->samples = calloc((size_t)batch, sizeof *loader->samples);
    loader->images = calloc((size_t)batch * pixels, sizeof *loader->images);
    loader->errors = calloc((size_t)batch, sizeof *loader->errors);
    if (loader->shuffle)
        loader->order = calloc((size_t)data->size, sizeof *loader->order);
    if (!loader->samples || !loader->images || !loader->errors ||
        (loader->shuffle && !loader->order)) {
        loader_close(loader);
        return det_fail(err, DET_NO_MEMORY, "batches of %d images of %zu bytes", batch,
                        pixels * sizeof(float));
    }
    for (int i = 0; i < batch; i++)
        loader->samples[i].image = loader->images + (size_t)i * pixels;
    return DET_OK;
}

/* Fisher and Yates' shuffle with numbers keyed by (position, epoch). */
static void shuffle_epoch(struct loader *loader, int64_t epoch)
{
    if (loader->order_epoch == epoch)
        return;
    int64_t n = loader->data->size;
    for (int64_t i = 0; i < n; i++)
        loader->order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        struct det_philox r = det_philox((uint32_t)i, (uint32_t)epoch, 0, DET_PURPOSE_SHUFFLE,
                                         loader->seed);
        uint64_t wide = ((uint64_t)r.word[0] << 32) | r.word[1];
        int64_t k = (int64_t)(wide % (uint64_t)(i + 1));
        int64_t swap = loader->order[i];
        loader->order[i] = loader->order[k];
        loader->order[k] = swap;
    }
    loader->order_epoch = epoch;
}

static int64_t image_at(struct loader *loader, int64_t position)
{
    int64_t size = loader->data->size;
    if (size == INT64_MAX)
        return position;
    if (!loader->shuffle)
        return position % size;
    shuffle_epoch(loader, position / size);
    return loader->order[position % size];
}

struct load_job {
    struct loader *loader;
    const int64_t *index;
};

static void load_one(void *arg, int item, int worker)
{
    struct load_job *job = arg;
    struct loader *loader = job->loader;
    (void)worker;
    loader->errors[item].code = DET_OK;
    loader->data->load(loader->data, job->index[item], &loader->samples[item],
                       &loader->errors[item]);
}

enum det_code loader_load(struct loader *loader, int64_t position, int n, struct det_error *err)
{
    int64_t index[1024]; /* train.batch_size is at most that */
    for (int i = 0; i < n; i++)
        index[i] = image_at(loader, position + i);
    struct load_job job = {loader, index};
    det_pool_run(loader->pool, n, load_one, &job);
    for (int i = 0; i < n; i++)
        if (loader->errors[i].code != DET_OK) {
            if (err)
                *err = loader->errors[i];
            return loader->errors[i].code;
        }
    return DET_OK;
}

void loader_close(struct loader *loader)
{
    for (int i = 0; loader->samples && i < loader->batch; i++)
        det_sample_release(&loader->samples[i]);
    free(loader->samples);
    free(loader->images);
    free(loader->errors);
    free(loader->order);
    memset(loader, 0, sizeof *loader);
}
