/* Bringing a batch to the device: packed into the host's side of a staging, sent, and from there into
 * the places where the operations look for it. */
#include "detector/model/model.h"

#include <string.h>

static size_t pixels_of(const struct det_model *m)
{
    return (size_t)m->canvas_h * (size_t)m->canvas_w;
}

static void *take(unsigned char *base, size_t *at, size_t count, size_t size)
{
    unsigned char *part = base ? base + *at : NULL;
    *at += (count * size + 63) / 64 * 64;
    return part;
}

/* The parts of a batch's facts from `base` on (NULL: only measured); returns the bytes of all. */
static size_t place(const struct det_model *m, void *base, struct det_batch *out)
{
    size_t images = (size_t)m->max.images;
    size_t objects = (size_t)m->max.max_objects * (size_t)m->max.train_images;
    size_t at = 0;
    out->ids = take(base, &at, images, sizeof *out->ids);
    out->heights = take(base, &at, images, sizeof *out->heights);
    out->widths = take(base, &at, images, sizeof *out->widths);
    out->truth = at;
    out->first = take(base, &at, images + 1, sizeof *out->first);
    out->labels = take(base, &at, objects, sizeof *out->labels);
    out->boxes = take(base, &at, 4 * objects, sizeof *out->boxes);
    out->masks = take(base, &at, m->config.mask_enabled ? objects : 0, pixels_of(m));
    return at;
}

size_t det_batch_bytes(const struct det_model *m)
{
    struct det_batch batch;
    return place(m, NULL, &batch);
}

void det_batch_place(struct det_model *m)
{
    place(m, m->d.batch_block, &m->d.batch);
}

/* A way has room for `most` images, then for the batch's facts. */
static enum det_code open_way(struct det_model *m, struct det_model_way *way, int most, int with_truth,
                              struct det_error *err)
{
    way->most = most;
    way->facts = (size_t)most * 3 * pixels_of(m) * sizeof(float);
    way->bytes = way->facts + (with_truth ? det_batch_bytes(m) : m->d.batch.truth);
    m->ways_bytes += way->bytes;
    return m->dev->ops->staging_open(m->dev, way->bytes, "batches on their way", &way->staging, err);
}

enum det_code det_model_open_ways(struct det_model *m, struct det_error *err)
{
    enum det_code code = open_way(m, &m->to_train, m->max.train_images, 1, err);
    return code == DET_OK ? open_way(m, &m->to_infer, m->max.infer_images, 0, err) : code;
}

void det_model_close_ways(struct det_model *m)
{
    m->dev->ops->staging_close(m->dev, m->to_train.staging);
    m->dev->ops->staging_close(m->dev, m->to_infer.staging);
}

static enum det_code check_sample(const struct det_model *m, const struct det_sample *s,
                                  struct det_error *err)
{
    if (s->height < 1 || s->width < 1 || s->height > m->canvas_h || s->width > m->canvas_w)
        return det_fail(err, DET_INVALID, "image %lld: %d x %d does not fit the canvas %d x %d",
                        (long long)s->id, s->height, s->width, m->canvas_h, m->canvas_w);
    return DET_OK;
}

/* A box with a side of 0 or less would encode as log(0): refused here, where the image is known. */
static enum det_code check_object(const struct det_model *m, const struct det_sample *s, int i,
                                  struct det_error *err)
{
    const float *b = s->truth.boxes[i];
    if (!(b[2] > b[0] && b[3] > b[1] && b[0] - b[0] == 0.0f && b[1] - b[1] == 0.0f &&
          b[2] - b[2] == 0.0f && b[3] - b[3] == 0.0f))
        return det_fail(err, DET_INVALID, "image %lld, object %d: box %g %g %g %g has no area",
                        (long long)s->id, i, (double)b[0], (double)b[1], (double)b[2],
                        (double)b[3]);
    if (s->truth.labels[i] < 1 || s->truth.labels[i] > m->n_classes)
        return det_fail(err, DET_INVALID, "image %lld, object %d: class %d is not in 1..%d",
                        (long long)s->id, i, s->truth.labels[i], m->n_classes);
    return DET_OK;
}

/* Pack image i's objects from row `at` on; crowds and unannotated objects are not trained on. */
static enum det_code pack_truth(const struct det_model *m, const struct det_batch *batch,
                                const struct det_sample *s, int *at, struct det_error *err)
{
    size_t pixels = pixels_of(m);
    int first = *at;
    for (int i = 0; i < s->truth.n; i++) {
        if ((s->truth.crowd && s->truth.crowd[i]) || (s->truth.annotated && !s->truth.annotated[i]))
            continue;
        enum det_code code = check_object(m, s, i, err);
        if (code != DET_OK)
            return code;
        if (*at - first >= m->max.max_objects)
            return det_fail(err, DET_INVALID, "image %lld: more than the %d objects planned for",
                            (long long)s->id, m->max.max_objects);
        memcpy(batch->boxes + 4 * *at, s->truth.boxes[i], sizeof s->truth.boxes[i]);
        batch->labels[*at] = s->truth.labels[i];
        if (m->config.mask_enabled)
            memcpy(batch->masks + (size_t)*at * pixels, s->truth.masks + (size_t)i * pixels, pixels);
        ++*at;
    }
    return DET_OK;
}

static enum det_code pack_all_truth(const struct det_model *m, const struct det_batch *batch,
                                    const struct det_sample *samples, int n, struct det_error *err)
{
    int at = 0;
    for (int i = 0; i < n; i++) {
        batch->first[i] = at;
        enum det_code code = pack_truth(m, batch, &samples[i], &at, err);
        if (code != DET_OK)
            return code;
    }
    batch->first[n] = at;
    return DET_OK;
}

static enum det_code pack_images(const struct det_model *m, const struct det_batch *batch,
                                 const struct det_sample *samples, int n, float *images,
                                 struct det_error *err)
{
    size_t floats = 3 * pixels_of(m);
    for (int i = 0; i < n; i++) {
        enum det_code code = check_sample(m, &samples[i], err);
        if (code != DET_OK)
            return code;
        memcpy(images + (size_t)i * floats, samples[i].image, floats * sizeof *images);
        batch->ids[i] = samples[i].id;
        batch->heights[i] = (float)samples[i].height;
        batch->widths[i] = (float)samples[i].width;
    }
    return DET_OK;
}

static enum det_code bring(struct det_model *m, struct det_model_way *way,
                           const struct det_sample *samples, int n, struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_batch batch;
    way->n = 0;
    if (n < 1 || n > way->most)
        return det_fail(err, DET_INVALID, "batch of %d images: 1 to %d were planned for", n,
                        way->most);
    ops->staging_write(m->dev, way->staging);
    unsigned char *host = way->staging->host;
    place(m, host + way->facts, &batch);
    enum det_code code = pack_images(m, &batch, samples, n, way->staging->host, err);
    way->bytes = way->facts + batch.truth;
    way->objects = 0;
    if (code == DET_OK && way == &m->to_train) {
        code = pack_all_truth(m, &batch, samples, n, err);
        way->objects = batch.first[n];
        way->bytes = (size_t)(batch.masks - host);
        if (m->config.mask_enabled)
            way->bytes += (size_t)way->objects * pixels_of(m);
    }
    if (code != DET_OK)
        return code;
    ops->staging_send(m->dev, way->staging, way->bytes);
    way->n = n;
    return DET_OK;
}

void det_model_receive_batch(struct det_model *m, struct det_model_way *way)
{
    const struct det_backend *ops = m->dev->ops;
    const unsigned char *from = way->staging->device;
    ops->staging_receive(m->dev, way->staging);
    ops->copy(m->dev, m->d.batch_block, from + way->facts, way->bytes - way->facts);
    ops->normalize(m->dev, way->n, m->canvas_h, m->canvas_w, m->d.batch.heights, m->d.batch.widths,
                   way->staging->device, m->trunk.tensors[m->images].value);
    ops->staging_done(m->dev, way->staging);
    m->last_images = way->n;
    way->n = 0;
}

enum det_code det_model_bring_batch(struct det_model *m, const struct det_sample *samples, int n,
                                    struct det_error *err)
{
    return bring(m, &m->to_train, samples, n, err);
}

enum det_code det_model_load_batch(struct det_model *m, struct det_model_way *way,
                                   const struct det_sample *samples, int n, struct det_error *err)
{
    enum det_code code = bring(m, way, samples, n, err);
    if (code == DET_OK)
        det_model_receive_batch(m, way);
    return code;
}
