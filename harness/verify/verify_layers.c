/* Layers, forward and backward. Where an input such as `in.bias` is left out of a file, the layer
 * runs without it and its gradient is not asked for. */
#include "detector/layers/conv2d.h"
#include "detector/layers/conv_transpose2d.h"
#include "detector/layers/linear.h"
#include "detector/layers/norms.h"
#include "detector/layers/roi_align.h"
#include "harness/verify/verify.h"

#include <stdlib.h>

static size_t product(int n_dims, const int *dims)
{
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)dims[i];
    return n;
}

/* A layer with weights: what goes in, what comes out, and how many terms their sums have. */
struct weighted {
    const float *x, *weight, *bias;
    float *dy, *y, *dx, *dweight, *dbias;
    size_t n_x, n_y, n_weight, n_bias;
};

static struct weighted load_weighted(struct verify_case *c, size_t n_x, size_t n_y, size_t n_weight,
                                     size_t n_bias)
{
    return (struct weighted){
        .x = case_floats(c, "in.x", n_x),
        .weight = case_floats(c, "in.weight", n_weight),
        .bias = case_optional(c, "in.bias", n_bias),
        .dy = case_floats(c, "in.dy", n_y),
        .y = case_blank(c, n_y),
        .dx = case_blank(c, n_x),
        .dweight = case_device(c, n_weight * sizeof(float)),
        .dbias = case_device(c, n_bias * sizeof(float)),
        .n_x = n_x,
        .n_y = n_y,
        .n_weight = n_weight,
        .n_bias = n_bias,
    };
}

static void check_weighted(struct verify_case *c, const struct weighted *layer, double terms_y,
                           double terms_dx, double terms_dweight)
{
    case_check(c, "out.y", layer->y, layer->n_y, terms_y);
    case_check(c, "grad.x", layer->dx, layer->n_x, terms_dx);
    case_check(c, "grad.weight", layer->dweight, layer->n_weight, terms_dweight);
    if (layer->bias)
        case_check(c, "grad.bias", layer->dbias, layer->n_bias, terms_dweight);
}

static int conv_sides_agree(struct verify_case *c, const struct det_conv2d *shape, const int *w,
                            const int *dy)
{
    int agree = shape->stride > 0 && shape->pad >= 0 && w[1] == shape->c_in && w[2] == w[3] &&
                w[2] > 0 && shape->h_in + 2 * shape->pad >= w[2] &&
                shape->w_in + 2 * shape->pad >= w[2] && dy[2] == shape->h_out &&
                dy[3] == shape->w_out;
    if (!agree && !case_failed(c))
        det_fail(&c->err, DET_INVALID,
                 "in.x, in.weight, in.dy and params do not agree "
                 "(kernels are square, groups 1)");
    return agree && !case_failed(c);
}

static void conv2d(struct verify_case *c)
{
    int x[4], w[4], dy[4];
    case_shape(c, "in.x", 4, x);
    case_shape(c, "in.weight", 4, w);
    case_shape(c, "in.dy", 4, dy);
    struct det_conv2d shape = {.n = x[0],
                               .c_in = x[1],
                               .h_in = x[2],
                               .w_in = x[3],
                               .c_out = w[0],
                               .kernel = w[2],
                               .stride = case_int(c, "stride"),
                               .pad = case_int(c, "padding")};
    if (shape.stride > 0) {
        shape.h_out = (shape.h_in + 2 * shape.pad - shape.kernel) / shape.stride + 1;
        shape.w_out = (shape.w_in + 2 * shape.pad - shape.kernel) / shape.stride + 1;
    }
    if (!conv_sides_agree(c, &shape, w, dy))
        return;
    struct weighted layer =
        load_weighted(c, product(4, x), product(4, dy), product(4, w), (size_t)w[0]);
    size_t per_worker = 0, shared = 0;
    det_conv2d_scratch(&shape, &per_worker, &shared);
    case_scratch(c, per_worker, shared);
    if (case_failed(c))
        return;
    c->dev->ops->conv2d_forward(c->dev, &shape, layer.x, layer.weight, layer.bias, layer.y);
    c->dev->ops->conv2d_backward(c->dev, &shape, layer.x, layer.weight, layer.y, layer.dy, layer.dx,
                                 0, layer.dweight, layer.dbias);
    double window = (double)w[2] * w[3];
    check_weighted(c, &layer, window * w[1], window * w[0], (double)dy[0] * dy[2] * dy[3]);
}

static void conv_transpose2d(struct verify_case *c)
{
    int x[4], w[4], dy[4];
    case_shape(c, "in.x", 4, x);
    case_shape(c, "in.weight", 4, w);
    case_shape(c, "in.dy", 4, dy);
    int stride = case_int(c, "stride"), padding = case_int(c, "padding");
    int agree = w[0] == x[1] && w[2] == 2 && w[3] == 2 && stride == 2 && padding == 0 &&
                dy[1] == w[1] && dy[2] == 2 * x[2] && dy[3] == 2 * x[3];
    if (!agree && !case_failed(c))
        det_fail(&c->err, DET_INVALID,
                 "a transposed convolution that the detector has not: "
                 "kernel and stride are 2, padding 0");
    struct weighted layer =
        load_weighted(c, product(4, x), product(4, dy), product(4, w), (size_t)w[1]);
    struct det_conv_transpose2d shape = {
        .n = x[0], .c_in = x[1], .h_in = x[2], .w_in = x[3], .c_out = w[1]};
    size_t per_worker = 0, shared = 0;
    det_conv_transpose2d_scratch(&shape, &per_worker, &shared);
    case_scratch(c, per_worker, shared);
    if (case_failed(c))
        return;
    c->dev->ops->conv_transpose2d_forward(c->dev, &shape, layer.x, layer.weight, layer.bias,
                                          layer.y);
    c->dev->ops->conv_transpose2d_backward(c->dev, &shape, layer.x, layer.weight, layer.y, layer.dy,
                                           layer.dx, 0, layer.dweight, layer.dbias);
    check_weighted(c, &layer, x[1], 4.0 * w[1], (double)dy[0] * dy[2] * dy[3]);
}

static void linear(struct verify_case *c)
{
    int x[2], w[2];
    case_shape(c, "in.x", 2, x);
    case_shape(c, "in.weight", 2, w);
    struct det_linear shape = {.n = x[0], .in = x[1], .out = w[0]};
    struct weighted layer = load_weighted(c, product(2, x), (size_t)x[0] * (size_t)w[0],
                                          (size_t)w[0] * (size_t)x[1], (size_t)w[0]);
    size_t per_worker = 0, shared = 0;
    det_linear_scratch(&shape, &per_worker, &shared);
    case_scratch(c, per_worker, shared);
    if (case_failed(c))
        return;
    c->dev->ops->linear_forward(c->dev, &shape, layer.x, layer.weight, layer.bias, layer.y);
    c->dev->ops->linear_backward(c->dev, &shape, layer.x, layer.weight, layer.y, layer.dy, layer.dx,
                                 0, layer.dweight, layer.dbias);
    check_weighted(c, &layer, x[1], w[0], x[0]);
}

static struct det_norm norm_shape(struct verify_case *c, int *x)
{
    case_shape(c, "in.x", 4, x);
    return (struct det_norm){
        .n = x[0], .c = x[1], .h = x[2], .w = x[3], .eps = (float)case_number(c, "eps")};
}

static void group_norm(struct verify_case *c)
{
    int x[4];
    struct det_norm shape = norm_shape(c, x);
    shape.groups = case_int(c, "groups");
    if (!case_failed(c) && (shape.groups < 1 || shape.c % shape.groups))
        det_fail(&c->err, DET_INVALID, "params.groups: %d does not divide %d channels",
                 shape.groups, shape.c);
    size_t channels = (size_t)shape.c, n = product(4, x);
    struct weighted layer = load_weighted(c, n, n, channels, channels);
    float *saved = case_failed(c) ? NULL : case_blank(c, (size_t)x[0] * (size_t)shape.groups * 2);
    size_t per_worker = 0, shared = 0;
    if (!case_failed(c))
        det_group_norm_scratch(&shape, &per_worker, &shared);
    case_scratch(c, per_worker, shared);
    if (case_failed(c))
        return;
    c->dev->ops->group_norm_forward(c->dev, &shape, layer.x, layer.weight, layer.bias, layer.y,
                                    saved);
    c->dev->ops->group_norm_backward(c->dev, &shape, layer.x, layer.weight, layer.y, saved,
                                     layer.dy, layer.dx, 0, layer.dweight, layer.dbias);
    double group = (double)(shape.c / shape.groups) * x[2] * x[3];
    check_weighted(c, &layer, group, group, (double)x[0] * x[2] * x[3]);
}

static void frozen_batch_norm(struct verify_case *c)
{
    int x[4];
    struct det_norm shape = norm_shape(c, x);
    size_t channels = (size_t)shape.c, n = product(4, x);
    struct weighted layer = load_weighted(c, n, n, channels, channels);
    const float *mean = case_floats(c, "in.running_mean", channels);
    const float *var = case_floats(c, "in.running_var", channels);
    if (case_failed(c))
        return;
    c->dev->ops->frozen_bn_forward(c->dev, &shape, layer.x, layer.weight, layer.bias, mean, var,
                                   layer.y);
    c->dev->ops->frozen_bn_backward(c->dev, &shape, layer.weight, var, layer.y, layer.dy, layer.dx,
                                    0);
    case_check(c, "out.y", layer.y, n, 1);
    case_check(c, "grad.x", layer.dx, n, 1);
}

static void max_pool2d(struct verify_case *c)
{
    int x[4], dy[4];
    case_shape(c, "in.x", 4, x);
    case_shape(c, "in.dy", 4, dy);
    struct det_pool2d shape = {.n = x[0],
                               .c = x[1],
                               .h_in = x[2],
                               .w_in = x[3],
                               .kernel = case_int(c, "kernel"),
                               .stride = case_int(c, "stride"),
                               .pad = case_int(c, "padding"),
                               .h_out = dy[2],
                               .w_out = dy[3]};
    size_t n_x = product(4, x), n_y = product(4, dy);
    const float *in = case_floats(c, "in.x", n_x), *gradient = case_floats(c, "in.dy", n_y);
    float *y = case_blank(c, n_y), *dx = case_blank(c, n_x);
    int32_t *argmax = case_device(c, n_y * sizeof *argmax);
    if (case_failed(c))
        return;
    c->dev->ops->max_pool2d_forward(c->dev, &shape, in, y, argmax);
    c->dev->ops->max_pool2d_backward(c->dev, &shape, argmax, gradient, dx, 0);
    case_check(c, "out.y", y, n_y, 1);
    case_check(c, "grad.x", dx, n_x, 1);
}

static void upsample_nearest(struct verify_case *c)
{
    int x[4];
    case_shape(c, "in.x", 4, x);
    struct det_upsample shape = {.n = x[0],
                                 .c = x[1],
                                 .h_in = x[2],
                                 .w_in = x[3],
                                 .h_out = case_int(c, "out_h"),
                                 .w_out = case_int(c, "out_w")};
    size_t n_x = product(4, x);
    size_t n_y = (size_t)x[0] * (size_t)x[1] * (size_t)shape.h_out * (size_t)shape.w_out;
    const float *in = case_floats(c, "in.x", n_x), *gradient = case_floats(c, "in.dy", n_y);
    float *y = case_blank(c, n_y), *dx = case_blank(c, n_x);
    if (case_failed(c))
        return;
    c->dev->ops->upsample_forward(c->dev, &shape, in, y);
    c->dev->ops->upsample_backward(c->dev, &shape, gradient, dx, 0);
    case_check(c, "out.y", y, n_y, 1);
    case_check(c, "grad.x", dx, n_x, 1);
}

/* in.rois [n, 5] (image, x1, y1, x2, y2) into boxes and image indices on the device. */
static void split_rois(struct verify_case *c, int n, int n_images, float **boxes, int32_t **images)
{
    const float *rois = case_host_floats(c, "in.rois", (size_t)n * 5);
    float *corners = case_host(c, (size_t)n * 4 * sizeof *corners);
    int32_t *image = case_host(c, (size_t)n * sizeof *image);
    for (int r = 0; r < n && !case_failed(c); r++) {
        image[r] = (int32_t)rois[5 * r];
        for (int k = 0; k < 4; k++)
            corners[4 * r + k] = rois[5 * r + 1 + k];
        if (image[r] < 0 || image[r] >= n_images)
            det_fail(&c->err, DET_INVALID, "in.rois[%d]: no image %d", r, image[r]);
    }
    *boxes = case_upload(c, corners, (size_t)n * 4 * sizeof *corners);
    *images = case_upload(c, image, (size_t)n * sizeof *image);
}

static void roi_align(struct verify_case *c)
{
    int x[4], rois[2];
    case_shape(c, "in.x", 4, x);
    case_shape(c, "in.rois", 2, rois);
    struct det_roi_align shape = {.n_levels = 1,
                                  .n_images = x[0],
                                  .channels = x[1],
                                  .h = {x[2]},
                                  .w = {x[3]},
                                  .scale = {(float)case_number(c, "spatial_scale")},
                                  .output_size = case_int(c, "output_size"),
                                  .sampling_ratio = case_int(c, "sampling_ratio"),
                                  .aligned = case_bool(c, "aligned"),
                                  .max_rois = rois[0]};
    size_t n_x = product(4, x), cells = (size_t)shape.output_size * (size_t)shape.output_size;
    size_t n_y = (size_t)rois[0] * (size_t)x[1] * cells;
    const float *in = case_floats(c, "in.x", n_x), *gradient = case_floats(c, "in.dy", n_y);
    float *boxes = NULL, *y = case_blank(c, n_y), *dx = case_device(c, n_x * sizeof *dx);
    int32_t *image = NULL, *level = case_device(c, (size_t)rois[0] * sizeof *level);
    split_rois(c, rois[0], x[0], &boxes, &image);
    size_t per_worker = 0, shared = 0;
    det_roi_align_scratch(&shape, &per_worker, &shared);
    case_scratch(c, per_worker, shared);
    if (case_failed(c))
        return;
    c->dev->ops->roi_align_forward(c->dev, &shape, &in, boxes, image, level, y);
    c->dev->ops->roi_align_backward(c->dev, &shape, gradient, boxes, image, level, &dx);
    case_check(c, "out.y", y, n_y, 1);
    case_check(c, "grad.x", dx, n_x, (double)n_y);
}

const struct verify_op verify_layers[] = {
    {"conv2d", conv2d, 0},
    {"conv_transpose2d", conv_transpose2d, 0},
    {"linear", linear, 0},
    {"group_norm", group_norm, 0},
    {"frozen_batch_norm", frozen_batch_norm, 0},
    {"max_pool2d", max_pool2d, 0},
    {"upsample_nearest", upsample_nearest, 0},
    {"roi_align", roi_align, 0},
    {NULL, NULL, 0},
};
