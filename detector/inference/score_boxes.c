/* The box head's opinion of given boxes, on the features of the last inference pass. */
#include "detector/bodies/probability.h"
#include "detector/model/model.h"

/* The boxes to score: image i's are rows first[i] .. first[i + 1] - 1. An image may have more of them
 * than there is room for proposals: they are scored in rounds. */
struct scoring {
    int n, classes; /* images; classes and background */
    const int32_t *first;
    const float *boxes;
    const int32_t *labels;
    int32_t begun, room; /* of each image: boxes of the rounds before, and of one round */
};

static int32_t round_count(const struct scoring *s, int image)
{
    int32_t left = s->first[image + 1] - s->first[image] - s->begun;
    return left < 0 ? 0 : left < s->room ? left : s->room;
}

static int round_rows(const struct scoring *s)
{
    int rows = 0;
    for (int i = 0; i < s->n; i++)
        rows += round_count(s, i);
    return rows;
}

/* Boxes are handed over as proposals, so that they take the way of any other RoI. */
static void upload_as_proposals(struct det_model *m, const struct scoring *s)
{
    const struct det_backend *ops = m->dev->ops;
    size_t most = (size_t)m->d.proposals.max_per_image;
    for (int i = 0; i < s->n; i++) {
        int32_t count = round_count(s, i);
        if (count > 0)
            ops->upload(m->dev, m->d.proposals.boxes + 4 * most * (size_t)i,
                        s->boxes + 4 * (s->first[i] + s->begun), 4 * (size_t)count * sizeof(float));
        ops->upload(m->dev, m->d.proposals.count + i, &count, sizeof count);
    }
}

static enum det_code run_box_head(struct det_model *m, int n, struct det_error *err)
{
    const struct det_backend *ops = m->dev->ops;
    struct det_roi_assign assign = det_model_roi_assign(m);
    struct det_roi_align pool = det_model_roi_align(m, DET_BOX_CELLS, m->max.rois, m->d.rois.count);
    struct det_images images = det_model_images(m, n);
    ops->roi_collect(m->dev, &assign, &m->d.proposals, &images, &m->d.rois);
    det_model_pool_rois(m, &pool, &m->d.rois, m->box_head.tensors[m->box_features].value);
    net_forward(&m->box_head, m->dev, m->max.rois);
    return ops->synchronize(m->dev, err);
}

/* The round's logits, packed image after image, to the scores' places. */
static void read_scores(struct det_model *m, const struct scoring *s, int rows, float *scores)
{
    float *row = m->h.rows;
    m->dev->ops->download(m->dev, row, m->box_head.tensors[m->box_logits].value,
                          (size_t)rows * (size_t)s->classes * sizeof *row);
    for (int i = 0; i < s->n; i++) {
        int32_t at = s->first[i] + s->begun;
        for (int32_t end = at + round_count(s, i); at < end; at++, row += s->classes) {
            det_softmax(s->classes, row, row);
            scores[at] = row[s->labels[at]];
        }
    }
}

enum det_code det_model_score_boxes(struct det_model *m, int n, const int32_t *first,
                                    const float *boxes, const int32_t *labels, float *scores,
                                    struct det_error *err)
{
    if (n != m->last_images)
        return det_fail(err, DET_INVALID, "boxes of %d images to score, the last pass had %d", n,
                        m->last_images);
    struct scoring s = {.n = n, .classes = m->n_classes + 1, .first = first, .boxes = boxes,
                        .labels = labels, .room = (int32_t)m->config.rpn_post_nms_test};
    enum det_code code = DET_OK;
    for (int rows; code == DET_OK && (rows = round_rows(&s)) > 0; s.begun += s.room) {
        upload_as_proposals(m, &s);
        if ((code = run_box_head(m, n, err)) == DET_OK) {
            read_scores(m, &s, rows, scores);
            code = m->dev->ops->synchronize(m->dev, err);
        }
    }
    return code;
}
