/* Looking into a model: its parameters, their hash, the intermediate results of the last pass. */
#include "detector/model/model.h"

#include <math.h>
#include <string.h>

size_t det_model_parameter_count(const struct det_model *m)
{
    return m->params.n;
}

struct det_parameter *det_model_parameter(struct det_model *m, size_t i)
{
    return &m->params.slots[i].parameter;
}

struct det_parameter *det_model_find(struct det_model *m, const char *name)
{
    for (size_t i = 0; i < m->params.n; i++)
        if (strcmp(m->params.slots[i].name, name) == 0)
            return &m->params.slots[i].parameter;
    return NULL;
}

/* Calls visit on all values, a piece of host memory at a time. */
static void for_all_values(struct det_model *m, void (*visit)(void *arg, const float *x, size_t n),
                           void *arg)
{
    size_t piece = det_model_host_rows(m);
    for (size_t at = 0; at < m->params.value_floats; at += piece) {
        size_t n = m->params.value_floats - at < piece ? m->params.value_floats - at : piece;
        m->dev->ops->download(m->dev, m->h.rows, m->params.values + at, n * sizeof(float));
        visit(arg, m->h.rows, n);
    }
}

/* FNV-1a over 32-bit words, then mixed: one flipped bit anywhere changes it. */
static void hash_piece(void *arg, const float *x, size_t n)
{
    uint64_t *hash = arg;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        *hash = (*hash ^ bits) * 1099511628211u;
        *hash ^= *hash >> 29;
    }
}

uint64_t det_model_hash(struct det_model *m)
{
    uint64_t hash = 14695981039346656037u;
    for_all_values(m, hash_piece, &hash);
    return hash;
}

static void check_piece(void *arg, const float *x, size_t n)
{
    int *finite = arg;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            *finite = 0;
}

int det_model_all_finite(struct det_model *m)
{
    int finite = 1;
    for_all_values(m, check_piece, &finite);
    return finite;
}

int det_model_tap(struct det_model *m, const char *name, struct det_tap *out)
{
    const struct det_rois *rois = &m->d.rois;
    int n = m->last_images;
    int classes = m->n_classes + 1;
    const struct {
        const char *name;
        struct det_tap tap;
    } taps[] = {
        {"rpn_logits", {m->d.logits, DET_TAP_FLOAT, n, m->n_anchors}},
        {"rpn_deltas", {m->d.deltas, DET_TAP_FLOAT, n * m->n_anchors, 4}},
        {"rpn_sampled", {m->d.rpn_sampled.labels, DET_TAP_INT8, n, m->n_anchors}},
        {"rpn_targets", {m->d.rpn_sampled.targets, DET_TAP_FLOAT, n * m->n_anchors, 4}},
        {"proposal_count", {m->d.proposals.count, DET_TAP_INT32, n, 1}},
        {"proposal_boxes",
         {m->d.proposals.boxes, DET_TAP_FLOAT, n * m->d.proposals.max_per_image, 4}},
        {"proposal_scores",
         {m->d.proposals.scores, DET_TAP_FLOAT, n, m->d.proposals.max_per_image}},
        {"anchors", {m->d.anchors, DET_TAP_FLOAT, m->n_anchors, 4}},
        {"roi_count", {rois->count, DET_TAP_INT32, 1, 1}},
        {"roi_boxes", {rois->boxes, DET_TAP_FLOAT, rois->max_rois, 4}},
        {"roi_image", {rois->image, DET_TAP_INT32, rois->max_rois, 1}},
        {"roi_level", {rois->level, DET_TAP_INT32, rois->max_rois, 1}},
        {"roi_labels", {rois->labels, DET_TAP_INT32, rois->max_rois, 1}},
        {"roi_matched", {rois->matched, DET_TAP_INT32, rois->max_rois, 1}},
        {"roi_index", {rois->index, DET_TAP_INT32, rois->max_rois, 1}},
        {"roi_targets", {rois->targets, DET_TAP_FLOAT, rois->max_rois, 4}},
        {"roi_logits",
         {m->box_head.tensors[m->box_logits].value, DET_TAP_FLOAT, rois->max_rois, classes}},
        {"roi_deltas",
         {m->box_head.tensors[m->box_deltas].value, DET_TAP_FLOAT, rois->max_rois, 4 * classes}},
        {"mask_count", {m->d.mask_rois.count, DET_TAP_INT32, 1, 1}},
    };
    for (size_t i = 0; i < sizeof taps / sizeof *taps; i++)
        if (strcmp(taps[i].name, name) == 0) {
            *out = taps[i].tap;
            return 1;
        }
    return 0;
}

void det_model_anchor_levels(const struct det_model *m, int first[DET_MAX_LEVELS + 1])
{
    memcpy(first, m->level_first, sizeof m->level_first);
}

void det_model_set_hook(struct det_model *m, det_pass_hook *hook, void *arg)
{
    m->hook = hook;
    m->hook_arg = arg;
}

struct det_counters det_model_counters(const struct det_model *m)
{
    return (struct det_counters){.updates = m->updates,
                                 .loss_scale = m->scaler.scale,
                                 .loss_scale_clean = m->scaler.clean};
}

void det_model_set_counters(struct det_model *m, const struct det_counters *counters)
{
    m->updates = counters->updates;
    m->scaler.scale = counters->loss_scale;
    m->scaler.clean = counters->loss_scale_clean;
    det_parameters_round(&m->params, m->dev);
}
