/* Bringing a batch to the device. */
#include "detector/model/model.h"

#include <string.h>

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
static enum det_code pack_truth(struct det_model *m, const struct det_sample *s, int *at,
                                struct det_error *err)
{
    size_t pixels = (size_t)m->canvas_h * (size_t)m->canvas_w;
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
        memcpy(m->h.truth_boxes + 4 * *at, s->truth.boxes[i], sizeof s->truth.boxes[i]);
        m->h.truth_labels[*at] = s->truth.labels[i];
        if (m->d.truth_masks)
            m->dev->ops->upload(m->dev, m->d.truth_masks + (size_t)*at * pixels,
                                s->truth.masks + (size_t)i * pixels, pixels);
        ++*at;
    }
    return DET_OK;
}

static enum det_code load_truth(struct det_model *m, const struct det_sample *samples, int n,
                                struct det_error *err)
{
    int at = 0;
    for (int i = 0; i < n; i++) {
        m->h.truth_first[i] = at;
        enum det_code code = pack_truth(m, &samples[i], &at, err);
        if (code != DET_OK)
            return code;
    }
    m->h.truth_first[n] = at;
    const struct det_backend *ops = m->dev->ops;
    ops->upload(m->dev, m->d.truth_boxes, m->h.truth_boxes, (size_t)at * 4 * sizeof(float));
    ops->upload(m->dev, m->d.truth_labels, m->h.truth_labels, (size_t)at * sizeof(int32_t));
    ops->upload(m->dev, m->d.truth_first, m->h.truth_first, (size_t)(n + 1) * sizeof(int32_t));
    return DET_OK;
}

enum det_code det_model_load_batch(struct det_model *m, const struct det_sample *samples, int n,
                                   int with_truth, struct det_error *err)
{
    int most = with_truth ? m->max.train_images : m->max.infer_images;
    if (n < 1 || n > most)
        return det_fail(err, DET_INVALID, "batch of %d images: 1 to %d were planned for", n, most);
    const struct det_backend *ops = m->dev->ops;
    size_t plane = (size_t)m->canvas_h * (size_t)m->canvas_w;
    float *images = m->trunk.tensors[m->images].value;
    for (int i = 0; i < n; i++) {
        enum det_code code = check_sample(m, &samples[i], err);
        if (code != DET_OK)
            return code;
        ops->upload(m->dev, images + (size_t)i * 3 * plane, samples[i].image,
                    3 * plane * sizeof(float));
        m->h.image_ids[i] = samples[i].id;
        m->h.image_heights[i] = (float)samples[i].height;
        m->h.image_widths[i] = (float)samples[i].width;
    }
    ops->upload(m->dev, m->d.image_ids, m->h.image_ids, (size_t)n * sizeof(int64_t));
    ops->upload(m->dev, m->d.image_heights, m->h.image_heights, (size_t)n * sizeof(float));
    ops->upload(m->dev, m->d.image_widths, m->h.image_widths, (size_t)n * sizeof(float));
    ops->normalize(m->dev, n, m->canvas_h, m->canvas_w, m->d.image_heights, m->d.image_widths, images,
                   images);
    m->last_images = n;
    return with_truth ? load_truth(m, samples, n, err) : DET_OK;
}
