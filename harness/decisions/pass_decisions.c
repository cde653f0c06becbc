#include "harness/decisions/pass_decisions.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *tap;
    enum det_pass_stage stage;
    int forced;
} arrays[DECISION_ARRAYS] = {
    [DECISION_LOGITS] = {"rpn_logits", DET_PASS_PROPOSALS, 0},
    [DECISION_DELTAS] = {"rpn_deltas", DET_PASS_PROPOSALS, 0},
    [DECISION_SAMPLED] = {"rpn_sampled", DET_PASS_ANCHORS, 1},
    [DECISION_ANCHOR_TARGETS] = {"rpn_targets", DET_PASS_ANCHORS, 1},
    [DECISION_PROPOSAL_COUNT] = {"proposal_count", DET_PASS_PROPOSALS, 1},
    [DECISION_PROPOSAL_BOXES] = {"proposal_boxes", DET_PASS_PROPOSALS, 1},
    [DECISION_PROPOSAL_SCORES] = {"proposal_scores", DET_PASS_PROPOSALS, 1},
    [DECISION_ROI_COUNT] = {"roi_count", DET_PASS_ROIS, 1},
    [DECISION_ROI_BOXES] = {"roi_boxes", DET_PASS_ROIS, 1},
    [DECISION_ROI_IMAGE] = {"roi_image", DET_PASS_ROIS, 1},
    [DECISION_ROI_LEVEL] = {"roi_level", DET_PASS_ROIS, 1},
    [DECISION_ROI_LABELS] = {"roi_labels", DET_PASS_ROIS, 1},
    [DECISION_ROI_MATCHED] = {"roi_matched", DET_PASS_ROIS, 1},
    [DECISION_ROI_INDEX] = {"roi_index", DET_PASS_ROIS, 1},
    [DECISION_ROI_TARGETS] = {"roi_targets", DET_PASS_ROIS, 1},
};

const char *decision_name(enum decision_array array)
{
    return arrays[array].tap;
}

static size_t tap_bytes(const struct det_tap *tap)
{
    return (size_t)tap->rows * (size_t)tap->columns * (tap->type == DET_TAP_INT8 ? 1 : 4);
}

/* ---- taking ---- */

static enum det_code take_array(struct decision_data *to, const char *name, struct det_model *model,
                                struct det_device *dev, struct det_error *err)
{
    struct det_tap tap;
    if (!det_model_tap(model, name, &tap))
        return det_fail(err, DET_INVALID, "%s: the model has no such tap", name);
    size_t bytes = tap_bytes(&tap);
    if (!to->at || to->bytes != bytes) {
        free(to->at);
        to->at = calloc(1, bytes + 1);
    }
    if (!to->at)
        return det_fail(err, DET_NO_MEMORY, "%s: %zu bytes", name, bytes);
    *to = (struct decision_data){to->at, tap.type, tap.rows, tap.columns, bytes};
    dev->ops->download(dev, to->at, tap.data, bytes);
    return DET_OK;
}

static int clamp(int count, int most)
{
    return count < 0 ? 0 : count > most ? most : count;
}

static void clear_rows(struct decision_data *array, size_t first, size_t end, size_t row_bytes)
{
    memset((char *)array->at + first * row_bytes, 0, (end - first) * row_bytes);
}

static void clear_dead_proposals(struct pass_decisions *d)
{
    size_t most = (size_t)decision_most_proposals(d);
    const int32_t *count = decision_ints(d, DECISION_PROPOSAL_COUNT);
    for (size_t i = 0; i < (size_t)d->array[DECISION_PROPOSAL_COUNT].rows; i++) {
        size_t live = i * most + (size_t)clamp(count[i], (int)most), end = (i + 1) * most;
        clear_rows(&d->array[DECISION_PROPOSAL_BOXES], live, end, 4 * sizeof(float));
        clear_rows(&d->array[DECISION_PROPOSAL_SCORES], live, end, sizeof(float));
    }
}

static void clear_dead_rois(struct pass_decisions *d)
{
    int most = d->array[DECISION_ROI_BOXES].rows;
    size_t live = (size_t)clamp(decision_ints(d, DECISION_ROI_COUNT)[0], most);
    for (int a = DECISION_ROI_BOXES; a < DECISION_ARRAYS; a++)
        clear_rows(&d->array[a], live, (size_t)most, (size_t)d->array[a].columns * 4);
}

enum det_code pass_decisions_take(struct pass_decisions *d, struct det_model *model,
                                  struct det_device *dev, enum det_pass_stage stage,
                                  struct det_error *err)
{
    for (int a = 0; a < DECISION_ARRAYS; a++) {
        enum det_code code = DET_OK;
        if (arrays[a].stage == stage)
            code = take_array(&d->array[a], arrays[a].tap, model, dev, err);
        if (code != DET_OK)
            return code;
    }
    if (stage == DET_PASS_PROPOSALS)
        clear_dead_proposals(d);
    if (stage == DET_PASS_ROIS)
        clear_dead_rois(d);
    return DET_OK;
}

enum det_code pass_decisions_take_all(struct pass_decisions *d, struct det_model *model,
                                      struct det_device *dev, struct det_error *err)
{
    enum det_code code = DET_OK;
    for (int stage = DET_PASS_ANCHORS; stage <= DET_PASS_ROIS && code == DET_OK; stage++)
        code = pass_decisions_take(d, model, dev, (enum det_pass_stage)stage, err);
    return code;
}

/* ---- forcing ---- */

void pass_decisions_force(const struct pass_decisions *d, struct det_model *model,
                          struct det_device *dev, enum det_pass_stage stage)
{
    for (int a = 0; a < DECISION_ARRAYS; a++) {
        struct det_tap tap;
        if (arrays[a].stage == stage && arrays[a].forced &&
            det_model_tap(model, arrays[a].tap, &tap))
            dev->ops->upload(dev, tap.data, d->array[a].at, d->array[a].bytes);
    }
}

/* ---- checking ---- */

static enum det_code check_shape(const struct pass_decisions *d, int a, struct det_model *model,
                                 struct det_error *err)
{
    const struct decision_data *array = &d->array[a];
    struct det_tap tap;
    if (!det_model_tap(model, arrays[a].tap, &tap))
        return det_fail(err, DET_INVALID, "%s: the model has no such tap", arrays[a].tap);
    if (array->at && array->type == (int)tap.type && array->rows == tap.rows &&
        array->columns == tap.columns)
        return DET_OK;
    return det_fail(err, DET_INVALID, "%s: %d x %d, the model has %d x %d", arrays[a].tap,
                    array->rows, array->columns, tap.rows, tap.columns);
}

static enum det_code check_ints(const struct pass_decisions *d, enum decision_array a, int n,
                                int low, int high, struct det_error *err)
{
    const int32_t *values = decision_ints(d, a);
    for (int i = 0; i < n; i++)
        if (values[i] < low || values[i] > high)
            return det_fail(err, DET_INVALID, "%s[%d]: %d is not in %d..%d", arrays[a].tap, i,
                            values[i], low, high);
    return DET_OK;
}

static enum det_code check_sampled(const struct pass_decisions *d, struct det_error *err)
{
    const struct decision_data *array = &d->array[DECISION_SAMPLED];
    const int8_t *labels = array->at;
    for (size_t i = 0; i < array->bytes; i++)
        if (labels[i] < -1 || labels[i] > 1)
            return det_fail(err, DET_INVALID, "%s[%zu]: %d is not in -1..1",
                            arrays[DECISION_SAMPLED].tap, i, labels[i]);
    return DET_OK;
}

/* An image's RoIs have distinct, ascending candidates; images come in order. */
static enum det_code check_roi_order(const struct pass_decisions *d, struct det_error *err)
{
    const int32_t *image = decision_ints(d, DECISION_ROI_IMAGE);
    const int32_t *index = decision_ints(d, DECISION_ROI_INDEX);
    for (int r = 1; r < decision_ints(d, DECISION_ROI_COUNT)[0]; r++)
        if (image[r] < image[r - 1] || (image[r] == image[r - 1] && index[r] <= index[r - 1]))
            return det_fail(err, DET_INVALID, "roi_index[%d]: not in ascending order", r);
    return DET_OK;
}

/* Every RoI is one of its image's candidates: a proposal or one of its truth rows. */
static enum det_code check_roi_index(const struct pass_decisions *d, int n_truth,
                                     struct det_error *err)
{
    const int32_t *image = decision_ints(d, DECISION_ROI_IMAGE);
    const int32_t *index = decision_ints(d, DECISION_ROI_INDEX);
    for (int r = 0; r < decision_ints(d, DECISION_ROI_COUNT)[0]; r++) {
        int most = decision_ints(d, DECISION_PROPOSAL_COUNT)[image[r]] + n_truth;
        if (index[r] < 0 || index[r] >= most)
            return det_fail(err, DET_INVALID, "roi_index[%d]: %d of %d candidates", r, index[r],
                            most);
    }
    return DET_OK;
}

enum det_code pass_decisions_check(const struct pass_decisions *d, struct det_model *model,
                                   int n_classes, int n_truth, struct det_error *err)
{
    enum det_code code = DET_OK;
    for (int a = 0; a < DECISION_ARRAYS && code == DET_OK; a++)
        code = check_shape(d, a, model, err);
    if (code != DET_OK)
        return code;
    int images = d->array[DECISION_LOGITS].rows, max_rois = d->array[DECISION_ROI_BOXES].rows;
    int rois = clamp(decision_ints(d, DECISION_ROI_COUNT)[0], max_rois);
    if ((code = check_sampled(d, err)) != DET_OK ||
        (code = check_ints(d, DECISION_PROPOSAL_COUNT, images, 0, decision_most_proposals(d),
                           err)) != DET_OK ||
        (code = check_ints(d, DECISION_ROI_COUNT, 1, 0, max_rois, err)) != DET_OK ||
        (code = check_ints(d, DECISION_ROI_IMAGE, rois, 0, images - 1, err)) != DET_OK ||
        (code = check_ints(d, DECISION_ROI_LEVEL, rois, 0, DET_MAX_LEVELS - 2, err)) != DET_OK ||
        (code = check_ints(d, DECISION_ROI_LABELS, rois, 0, n_classes, err)) != DET_OK ||
        (code = check_ints(d, DECISION_ROI_MATCHED, rois, -1, n_truth - 1, err)) != DET_OK ||
        (code = check_roi_index(d, n_truth, err)) != DET_OK)
        return code;
    return check_roi_order(d, err);
}

void pass_decisions_release(struct pass_decisions *d)
{
    for (int a = 0; a < DECISION_ARRAYS; a++)
        free(d->array[a].at);
    memset(d, 0, sizeof *d);
}
