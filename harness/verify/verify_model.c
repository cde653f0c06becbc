/* One training step and one inference of the whole detector: everything on the way compared. */
#include "detector/inference/mask_paste.h"
#include "harness/verify/model_case.h"
#include "harness/verify/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MASK_SIZE 28

/* "out.proposals.1" */
static const char *numbered(char name[static 64], const char *prefix, int i)
{
    snprintf(name, 64, "%s.%d", prefix, i);
    return name;
}

/* ---- taps: intermediate results of the training pass ---- */

static struct det_tap tap(struct verify_case *c, struct model_case *m, const char *name)
{
    struct det_tap found = {0};
    if (!case_failed(c) && !det_model_tap(m->model, name, &found))
        det_fail(&c->err, DET_INVALID, "the model has no intermediate result %s", name);
    return found;
}

static const float *tap_floats(struct verify_case *c, struct model_case *m, const char *name)
{
    struct det_tap t = tap(c, m, name);
    return case_download(c, t.data, (size_t)t.rows * (size_t)t.columns);
}

static const int32_t *tap_int32s(struct verify_case *c, struct model_case *m, const char *name)
{
    struct det_tap t = tap(c, m, name);
    size_t bytes = (size_t)t.rows * (size_t)t.columns * sizeof(int32_t);
    int32_t *to = case_host(c, bytes);
    if (to && bytes)
        c->dev->ops->download(c->dev, to, t.data, bytes);
    return to;
}

/* `rows` rows of the tap's columns against an answer. */
static void check_tap(struct verify_case *c, struct model_case *m, const char *name,
                      const char *answer, int rows)
{
    struct det_tap t = tap(c, m, name);
    case_check(c, answer, t.data, (size_t)rows * (size_t)t.columns, 1);
}

/* ---- the RPN ---- */

static void check_sampled(struct verify_case *c, struct model_case *m)
{
    struct det_tap t = tap(c, m, "rpn_sampled");
    size_t n = (size_t)t.rows * (size_t)t.columns;
    int8_t *labels = case_host(c, n);
    int64_t *wide = case_host(c, n * sizeof *wide);
    char name[64];
    if (case_failed(c))
        return;
    c->dev->ops->download(c->dev, labels, t.data, n);
    for (size_t i = 0; i < n; i++)
        wide[i] = labels[i];
    for (int i = 0; i < m->n_images; i++)
        case_check_int64s(c, numbered(name, "out.rpn_sampled", i),
                          wide + (size_t)i * (size_t)t.columns, (size_t)t.columns);
}

static void check_proposals(struct verify_case *c, struct model_case *m)
{
    float(*boxes)[4] = case_host(c, (size_t)m->config.rpn_post_nms_train * sizeof *boxes);
    char name[64];
    for (int i = 0; i < m->n_images && !case_failed(c); i++) {
        int n = det_model_proposals(m->model, i, boxes, NULL);
        case_check_floats(c, numbered(name, "out.proposals", i), boxes[0], (size_t)n * 4,
                          CASE_TOLERANCE);
    }
}

/* ---- the sampled RoIs ---- */

/* Rows first .. first + n - 1 are image i's. A background RoI is matched with nothing: the answers
 * have row 0 there. `base`: the image's first row of ground truth in the batch. */
static void check_rois_of(struct verify_case *c, struct model_case *m, int i, int first, int n,
                          int base)
{
    const float *boxes = tap_floats(c, m, "roi_boxes");
    const int32_t *labels = tap_int32s(c, m, "roi_labels");
    const int32_t *matched = tap_int32s(c, m, "roi_matched");
    int64_t *wide_labels = case_host(c, (size_t)n * sizeof *wide_labels);
    int64_t *wide_matched = case_host(c, (size_t)n * sizeof *wide_matched);
    char name[64];
    for (int r = 0; r < n && !case_failed(c); r++) {
        wide_labels[r] = labels[first + r];
        wide_matched[r] = labels[first + r] > 0 ? matched[first + r] - base : 0;
    }
    if (case_failed(c))
        return;
    case_check_floats(c, numbered(name, "out.roi_proposals", i), boxes + 4 * first, (size_t)n * 4,
                      CASE_TOLERANCE);
    case_check_int64s(c, numbered(name, "out.roi_labels", i), wide_labels, (size_t)n);
    case_check_int64s(c, numbered(name, "out.roi_matched", i), wide_matched, (size_t)n);
}

static void check_rois(struct verify_case *c, struct model_case *m)
{
    const int32_t *count = tap_int32s(c, m, "roi_count");
    const int32_t *image = tap_int32s(c, m, "roi_image");
    int at = 0, base = 0;
    for (int i = 0; i < m->n_images && !case_failed(c); i++) {
        int first = at;
        while (at < count[0] && image[at] == i)
            at++;
        check_rois_of(c, m, i, first, at - first, base);
        base += m->samples[i].truth.n;
    }
    if (case_failed(c))
        return;
    check_tap(c, m, "roi_logits", "out.roi_logits", count[0]);
    check_tap(c, m, "roi_deltas", "out.roi_deltas", count[0]);
}

/* ---- losses and gradients ---- */

static void check_losses(struct verify_case *c, const struct det_losses *losses)
{
    case_check_number(c, "out.loss_objectness", losses->rpn_cls, 1);
    case_check_number(c, "out.loss_rpn_box_reg", losses->rpn_bbox, 1);
    case_check_number(c, "out.loss_classifier", losses->cls, 1);
    case_check_number(c, "out.loss_box_reg", losses->bbox, 1);
    case_check_number(c, "out.loss_mask", losses->mask, 1);
    case_check_number(c, "out.loss", losses->total, 1);
}

/* A parameter that no loss reached has no gradient in the file: ours must then be 0. */
static void check_unreached(struct verify_case *c, const struct det_parameter *parameter)
{
    const float *gradient = case_download(c, parameter->grad, parameter->size);
    for (size_t i = 0; gradient && i < parameter->size; i++)
        if (gradient[i] != 0.0f) {
            case_add(c, (struct comparison){.tensor = parameter->name,
                                            .at = (int64_t)i,
                                            .got = (double)gradient[i],
                                            .error = fabs((double)gradient[i]),
                                            .note = "a gradient that the file has not"});
            return;
        }
}

/* A gradient is a sum over many pixels and images: often above 10000 terms, which only the layer's
 * place in the net tells. Biases and weights of the body see all pixels of all images. */
static void check_gradients(struct verify_case *c, struct model_case *m)
{
    double pixels = (double)m->n_images * m->height * m->width;
    char name[256];
    for (size_t i = 0; i < det_model_parameter_count(m->model) && !case_failed(c); i++) {
        const struct det_parameter *parameter = det_model_parameter(m->model, i);
        if (!parameter->trainable)
            continue;
        snprintf(name, sizeof name, "grad.%s", parameter->name);
        if (case_has(c, name))
            case_check(c, name, parameter->grad, parameter->size, pixels);
        else
            check_unreached(c, parameter);
    }
}

/* ---- inference ---- */

static void check_masks(struct verify_case *c, const struct model_case *m, const char *name,
                        const struct det_image_detections *found, int n)
{
    size_t pixels = (size_t)m->height * (size_t)m->width;
    float *pasted = case_host(c, (size_t)n * pixels * sizeof *pasted);
    float probabilities[MASK_SIZE * MASK_SIZE];
    for (int d = 0; pasted && d < n; d++) {
        det_mask_probabilities(MASK_SIZE * MASK_SIZE,
                               found->mask_logits + (size_t)d * MASK_SIZE * MASK_SIZE,
                               probabilities);
        det_mask_paste(probabilities, MASK_SIZE, found->at[d].box, m->height, m->width,
                       pasted + (size_t)d * pixels);
    }
    case_check_floats(c, name, pasted, (size_t)n * pixels, CASE_TOLERANCE);
}

static void check_detections(struct verify_case *c, const struct model_case *m, int i,
                             const struct det_image_detections *found)
{
    size_t n = (size_t)found->n;
    float *boxes = case_host(c, n * 4 * sizeof *boxes), *scores = case_host(c, n * sizeof *scores);
    int64_t *labels = case_host(c, n * sizeof *labels);
    char name[64];
    for (size_t d = 0; d < n && !case_failed(c); d++) {
        memcpy(boxes + 4 * d, found->at[d].box, 4 * sizeof *boxes);
        scores[d] = found->at[d].score;
        labels[d] = found->at[d].label;
    }
    if (case_failed(c))
        return;
    case_check_floats(c, numbered(name, "eval.boxes", i), boxes, n * 4, CASE_TOLERANCE);
    case_check_floats(c, numbered(name, "eval.scores", i), scores, n, CASE_TOLERANCE);
    case_check_int64s(c, numbered(name, "eval.labels", i), labels, n);
    const struct det_named_tensor *masks =
        det_safetensors_find(c->file, numbered(name, "eval.masks", i));
    int wanted = masks && masks->n_dims > 0 ? (int)masks->dims[0] : 0;
    check_masks(c, m, name, found, wanted < found->n ? wanted : found->n);
}

static void check_inference(struct verify_case *c, struct model_case *m)
{
    size_t most = (size_t)m->config.infer_detections_per_image, n = (size_t)m->n_images;
    struct det_image_detections *found = case_host(c, n * sizeof *found);
    for (size_t i = 0; i < n && !case_failed(c); i++) {
        found[i].at = case_host(c, most * sizeof *found[i].at);
        found[i].mask_logits = case_host(c, most * MASK_SIZE * MASK_SIZE * sizeof(float));
    }
    struct det_infer_stats stats;
    if (case_failed(c) ||
        det_model_infer(m->model, m->samples, m->n_images, found, &stats, &c->err))
        return;
    for (int i = 0; i < m->n_images; i++)
        check_detections(c, m, i, &found[i]);
}

/* ---- the operation ---- */

static void run_step(struct verify_case *c, struct model_case *m)
{
    struct det_step_stats stats = {0};
    uint32_t step = (uint32_t)case_int(c, "step");
    if (case_failed(c))
        return;
    det_model_zero_grad(m->model);
    if (det_model_forward_backward(m->model, m->samples, m->n_images, step, 1.0, &stats, &c->err))
        return;
    int n_anchors = tap(c, m, "rpn_logits").columns;
    check_losses(c, &stats.losses);
    check_tap(c, m, "rpn_logits", "out.rpn_logits", m->n_images);
    check_tap(c, m, "rpn_deltas", "out.rpn_deltas", m->n_images * n_anchors);
    check_sampled(c, m);
    check_proposals(c, m);
    check_rois(c, m);
    check_gradients(c, m);
    check_inference(c, m);
    /* Last, as it changes the weights: the norm that clipping sees. */
    if (!case_failed(c) && !det_model_update(m->model, 0, &stats, &c->err))
        case_check_number(c, "out.grad_norm", stats.grad_norm, 1);
}

static void model_step(struct verify_case *c)
{
    struct model_case m = {0};
    model_config(c, &m.config);
    model_samples(c, &m);
    model_create(c, &m, m.n_images);
    run_step(c, &m);
    model_release(&m);
}

const struct verify_op verify_model[] = {
    {"model_step", model_step, 0},
    {NULL, NULL, 0},
};
