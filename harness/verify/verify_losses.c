/* The five losses, and the two that may take the place of the classification losses. */
#include "detector/boxes/mask_targets.h"
#include "detector/losses/losses.h"
#include "harness/verify/verify.h"

#include <string.h>

/* Where a loss writes: a double on the device, and the gradient that starts as NaN. */
struct loss_out {
    double *loss;
    float *gradient;
    size_t n;
};

static struct loss_out loss_out(struct verify_case *c, size_t n)
{
    return (struct loss_out){case_device(c, sizeof(double)), case_blank(c, n), n};
}

static void check_loss(struct verify_case *c, const struct loss_out *out, const char *gradient,
                       double terms)
{
    double loss = 0.0;
    if (case_failed(c) || c->dev->ops->synchronize(c->dev, &c->err))
        return;
    c->dev->ops->download(c->dev, &loss, out->loss, sizeof loss);
    case_check_number(c, "out.loss", loss, terms);
    case_check(c, gradient, out->gradient, out->n, 1);
}

/* ---- objectness: plain, focal, OHEM ---- */

static struct det_cls_loss plain_loss(double pos_weight)
{
    return (struct det_cls_loss){.kind = DET_CLS_PLAIN,
                                 .pos_weight = (float)pos_weight,
                                 .reduction = DET_REDUCTION_MEAN,
                                 .avg_factor = DET_AVG_SAMPLED,
                                 .focal_alpha = -1.0f};
}

/* The file's avg_factor is a number. */
static void divide_by_avg_factor(struct verify_case *c, enum det_avg_factor *factor, double *fixed)
{
    *factor = DET_AVG_FIXED;
    *fixed = case_number(c, "avg_factor");
}

static void reserve_cls(struct verify_case *c, const struct det_cls_loss *loss, int rows)
{
    case_scratch(c, 0, det_cls_loss_scratch(loss, rows));
    if (!case_failed(c))
        det_cls_loss_check(loss, &c->err);
}

static int binary_loss(struct verify_case *c, const struct det_cls_loss *loss, struct loss_out *out)
{
    int rows;
    case_shape(c, "in.logits", 1, &rows);
    const float *logits = case_floats(c, "in.logits", (size_t)rows);
    const int8_t *labels = case_int8s(c, "in.labels", (size_t)rows);
    *out = loss_out(c, (size_t)rows);
    reserve_cls(c, loss, rows);
    if (!case_failed(c))
        c->dev->ops->rpn_cls_loss(c->dev, loss, rows, logits, labels, out->loss, out->gradient,
                                  NULL);
    check_loss(c, out, "grad.logits", rows);
    return rows;
}

static void rpn_cls_loss(struct verify_case *c)
{
    struct det_cls_loss loss = plain_loss(case_number(c, "pos_weight"));
    struct loss_out out;
    divide_by_avg_factor(c, &loss.avg_factor, &loss.fixed_factor);
    binary_loss(c, &loss, &out);
}

static void sigmoid_focal_loss(struct verify_case *c)
{
    struct det_cls_loss loss = plain_loss(1.0);
    struct loss_out out;
    loss.kind = DET_CLS_FOCAL;
    loss.focal_alpha = (float)case_number(c, "alpha");
    loss.focal_gamma = (float)case_number(c, "gamma");
    divide_by_avg_factor(c, &loss.avg_factor, &loss.fixed_factor);
    binary_loss(c, &loss, &out);
}

/* Which rows were kept shows in the gradient: it is 0 where a row was dropped. */
static void ohem_cls_loss(struct verify_case *c)
{
    struct det_cls_loss loss = plain_loss(1.0);
    struct loss_out out;
    loss.kind = DET_CLS_OHEM;
    loss.ohem_ratio = (float)case_number(c, "neg_pos_ratio");
    loss.ohem_min_positives = case_int(c, "min_pos");
    int rows = binary_loss(c, &loss, &out);
    if (case_failed(c))
        return;
    const float *gradient = case_download(c, out.gradient, (size_t)rows);
    int64_t *kept = case_host(c, (size_t)rows * sizeof *kept);
    for (int i = 0; kept && i < rows; i++)
        kept[i] = gradient[i] != 0.0f;
    case_check_int64s(c, "out.keep", kept, (size_t)rows);
}

/* ---- boxes ---- */

static void rpn_box_loss(struct verify_case *c)
{
    int dims[2];
    case_shape(c, "in.deltas", 2, dims);
    size_t rows = (size_t)dims[0];
    struct det_box_loss loss = {.beta = (float)case_number(c, "beta")};
    divide_by_avg_factor(c, &loss.avg_factor, &loss.fixed_factor);
    const float *deltas = case_floats(c, "in.deltas", rows * 4);
    const float *targets = case_floats(c, "in.targets", rows * 4);
    const int8_t *labels = case_int8s(c, "in.labels", rows);
    struct loss_out out = loss_out(c, rows * 4);
    if (!case_failed(c))
        c->dev->ops->rpn_box_loss(c->dev, &loss, dims[0], deltas, targets, labels, out.loss,
                                  out.gradient);
    check_loss(c, &out, "grad.deltas", (double)rows * 4);
}

static void roi_box_loss(struct verify_case *c)
{
    int dims[2];
    case_shape(c, "in.deltas", 2, dims);
    size_t rows = (size_t)dims[0], n = rows * (size_t)dims[1];
    struct det_box_loss loss = {
        .beta = (float)case_number(c, "beta"), .avg_factor = DET_AVG_SAMPLED};
    const float *deltas = case_floats(c, "in.deltas", n);
    const float *targets = case_floats(c, "in.targets", rows * 4);
    const int32_t *labels = case_int32s(c, "in.labels", rows);
    struct loss_out out = loss_out(c, n);
    if (!case_failed(c))
        c->dev->ops->roi_box_loss(c->dev, &loss, dims[0], dims[1] / 4, NULL, deltas, targets,
                                  labels, out.loss, out.gradient);
    check_loss(c, &out, "grad.deltas", (double)rows * 4);
}

/* ---- classification ---- */

static void roi_cls_loss(struct verify_case *c)
{
    int dims[2];
    case_shape(c, "in.logits", 2, dims);
    size_t rows = (size_t)dims[0], n = rows * (size_t)dims[1];
    struct det_cls_loss loss = plain_loss(case_number(c, "pos_weight"));
    int sum = !strcmp(case_text(c, "reduction"), "sum");
    loss.reduction = sum ? DET_REDUCTION_SUM : DET_REDUCTION_MEAN;
    loss.avg_factor = sum ? DET_AVG_ALL : DET_AVG_WEIGHTS;
    const float *logits = case_floats(c, "in.logits", n);
    const int32_t *labels = case_int32s(c, "in.labels", rows);
    struct loss_out out = loss_out(c, n);
    reserve_cls(c, &loss, dims[0]);
    if (!case_failed(c))
        c->dev->ops->roi_cls_loss(c->dev, &loss, dims[0], dims[1], NULL, logits, labels, out.loss,
                                  out.gradient, NULL);
    check_loss(c, &out, "grad.logits", (double)rows);
}

/* ---- masks ---- */

/* Targets of the RoIs in the file, with all ground truth as that of one image. */
static float *mask_targets(struct verify_case *c, int rows, int size)
{
    int dims[3];
    case_shape(c, "in.gt_masks", 3, dims);
    size_t pixels = (size_t)dims[0] * (size_t)dims[1] * (size_t)dims[2];
    int32_t first[2] = {0, dims[0]}, count = rows;
    struct det_truth truth = {.masks = (const uint8_t *)case_int8s(c, "in.gt_masks", pixels),
                              .first = case_upload(c, first, sizeof first),
                              .mask_h = dims[1],
                              .mask_w = dims[2]};
    struct det_rois rois = {.max_rois = rows,
                            .count = case_upload(c, &count, sizeof count),
                            .boxes = case_floats(c, "in.proposals", (size_t)rows * 4),
                            .labels = case_int32s(c, "in.labels", (size_t)rows),
                            .matched = case_int32s(c, "in.matched", (size_t)rows)};
    const int64_t *matched = case_host_int64s(c, "in.matched", (size_t)rows);
    for (int r = 0; r < rows && !case_failed(c); r++)
        if (matched[r] < 0 || matched[r] >= dims[0])
            det_fail(&c->err, DET_INVALID, "in.matched[%d]: no ground truth %lld", r,
                     (long long)matched[r]);
    float *targets = case_blank(c, (size_t)rows * (size_t)size * (size_t)size);
    case_scratch(c, det_mask_targets_scratch(dims[1], dims[2], size), 0);
    if (!case_failed(c))
        c->dev->ops->mask_targets(c->dev, &rois, &truth, size, targets);
    return targets;
}

static void mask_loss(struct verify_case *c)
{
    int dims[4], size = case_int(c, "mask_size");
    case_shape(c, "in.logits", 4, dims);
    if (!case_failed(c) && (size < 1 || dims[2] != size || dims[3] != size))
        det_fail(&c->err, DET_INVALID, "in.logits does not agree with params.mask_size %d", size);
    if (case_failed(c))
        return;
    size_t pixels = (size_t)dims[0] * (size_t)size * (size_t)size, n = pixels * (size_t)dims[1];
    const float *targets = mask_targets(c, dims[0], size);
    const float *logits = case_floats(c, "in.logits", n);
    const int32_t *labels = case_int32s(c, "in.labels", (size_t)dims[0]);
    struct loss_out out = loss_out(c, n);
    case_scratch(c, 0, det_mask_loss_scratch(dims[0]));
    if (!case_failed(c))
        c->dev->ops->mask_loss(c->dev, NULL, dims[0], dims[1], size, NULL, logits, targets, labels,
                               out.loss, out.gradient);
    case_check(c, "out.targets", targets, pixels, 1);
    check_loss(c, &out, "grad.logits", (double)pixels);
}

const struct verify_op verify_losses[] = {
    {"rpn_cls_loss", rpn_cls_loss, 0},   {"rpn_box_loss", rpn_box_loss, 0},
    {"roi_cls_loss", roi_cls_loss, 0},   {"roi_box_loss", roi_box_loss, 0},
    {"mask_loss", mask_loss, 0},         {"sigmoid_focal_loss", sigmoid_focal_loss, 0},
    {"ohem_cls_loss", ohem_cls_loss, 0}, {NULL, NULL, 0},
};
