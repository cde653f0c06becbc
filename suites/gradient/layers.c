/* Every layer's gradients against central differences of L = sum(y dy).
 *
 * All layers but the norms are linear in each argument (or piecewise, kept off the kinks here), so
 * that a central difference is exact for any step and only float's rounding of y is left: with sums
 * of up to 1000 terms of size 1, about 1e-6 of the gradient for a step of 1/4. The norms' third
 * derivative adds step^2 / 6. */
#include "suites/layers.h"

#define STEP 0.25f
#define TOLERANCE 2e-5
#define MOST 200 /* elements tried of each argument */

/* A layer with its arguments: forward fills y from them, backward the gradients. */
struct layer {
    const char *name;
    struct scratch scratch;
    size_t ny;
    int n_arguments;
    struct {
        const char *what;
        float *value;
        float *gradient;
        size_t n;
    } of[DET_MAX_LEVELS];
    float *y, *dy;
    float step;
    double tolerance;
    const void *shape;
    void (*forward)(struct det_device *, const struct layer *);
    void (*backward)(struct det_device *, const struct layer *);
};

static struct layer new_layer(const char *name, const void *shape, size_t ny)
{
    struct layer layer = {
        .name = name, .shape = shape, .ny = ny, .step = STEP, .tolerance = TOLERANCE};
    layer.y = filled(ny, 0.0f);
    layer.dy = uniform(ny, 100);
    return layer;
}

static void argument(struct layer *layer, const char *what, size_t n)
{
    int i = layer->n_arguments++;
    layer->of[i].what = what;
    layer->of[i].n = n;
    layer->of[i].value = uniform(n, 200 + (uint32_t)i);
    layer->of[i].gradient = filled(n, 0.0f);
}

static double loss(struct det_device *dev, const struct layer *layer)
{
    double sum = 0.0;
    layer->forward(dev, layer);
    for (size_t i = 0; i < layer->ny; i++)
        sum += (double)layer->y[i] * (double)layer->dy[i];
    return sum;
}

static double difference(struct det_device *dev, const struct layer *layer, float *at)
{
    float middle = *at;
    *at = middle + layer->step;
    double above = loss(dev, layer);
    double width = (double)*at;
    *at = middle - layer->step;
    width -= (double)*at;
    double below = loss(dev, layer);
    *at = middle;
    return (above - below) / width;
}

/* Checks, then frees the layer's arrays. */
static void check(struct layer *layer)
{
    struct det_device *dev = open_device(1, layer->scratch);
    float *dy = copied(layer->dy, layer->ny);
    loss(dev, layer);
    layer->backward(dev, layer);
    memcpy(layer->dy, dy, layer->ny * sizeof *dy); /* backward may have masked it */
    for (int a = 0; a < layer->n_arguments; a++) {
        size_t n = layer->of[a].n;
        double scale = 1.0;
        for (size_t i = 0; i < n; i++)
            scale = fmax(scale, fabs((double)layer->of[a].gradient[i]));
        for (size_t i = 0; i < n; i += 1 + n / MOST) {
            double want = difference(dev, layer, &layer->of[a].value[i]);
            double got = (double)layer->of[a].gradient[i];
            cr_assert(fabs(got - want) <= layer->tolerance * scale,
                      "%s: d%s[%zu]: got %.9g, central difference %.9g, tolerance %g", layer->name,
                      layer->of[a].what, i, got, want, layer->tolerance * scale);
        }
    }
    for (int a = 0; a < layer->n_arguments; a++) {
        free(layer->of[a].value);
        free(layer->of[a].gradient);
    }
    free(dy);
    free(layer->y);
    free(layer->dy);
    close_device(dev);
}

/* ---- convolutions and the fully connected layer
 * --------------------------------------------------- */

static void conv_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->conv2d_forward(dev, l->shape, l->of[0].value, l->of[1].value, l->of[2].value, l->y);
}

static void conv_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->conv2d_backward(dev, l->shape, l->of[0].value, l->of[1].value, l->y, l->dy,
                              l->of[0].gradient, 0, l->of[1].gradient, l->of[2].gradient);
}

/* live: one output position in so many carries a gradient (1: all). */
static void check_conv(const char *name, const struct det_conv2d *s, int live)
{
    size_t plane = (size_t)(s->h_out * s->w_out);
    struct layer layer = new_layer(name, s, (size_t)(s->n * s->c_out) * plane);
    argument(&layer, "x", (size_t)(s->n * s->c_in * s->h_in * s->w_in));
    argument(&layer, "w", (size_t)(s->c_out * s->c_in * s->kernel * s->kernel));
    argument(&layer, "bias", (size_t)s->c_out);
    for (size_t i = 0; i < layer.ny; i++)
        if (i % plane % (size_t)live)
            layer.dy[i] = 0.0f;
    layer.forward = conv_forward;
    layer.backward = conv_backward;
    det_conv2d_scratch(s, &layer.scratch.per_worker, &layer.scratch.shared);
    check(&layer);
}

Test(layers, conv2d)
{
    static const struct det_conv2d pointwise = {2, 4, 5, 6, 3, 1, 1, 0, 5, 6, 0, NULL};
    static const struct det_conv2d windows = {2, 3, 6, 5, 4, 3, 1, 1, 6, 5, 0, NULL};
    static const struct det_conv2d winograd = {2, 16, 7, 6, 16, 3, 1, 1, 7, 6, 0, NULL};
    static const struct det_conv2d strided = {2, 3, 9, 8, 4, 3, 2, 1, 5, 4, 0, NULL};
    static const struct det_conv2d stem = {1, 3, 12, 10, 4, 7, 2, 3, 6, 5, 0, NULL};
    check_conv("conv2d 1x1", &pointwise, 1);
    check_conv("conv2d 3x3", &windows, 1);
    check_conv("conv2d 3x3 by Winograd", &winograd, 1);
    check_conv("conv2d 3x3 stride 2", &strided, 1);
    check_conv("conv2d 7x7 stride 2", &stem, 1);
    check_conv("conv2d 3x3, few live", &windows, 11);
    check_conv("conv2d 1x1, few live", &pointwise, 11);
    check_conv("conv2d 3x3 stride 2, few live", &strided, 11);
}

static void deconv_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->conv_transpose2d_forward(dev, l->shape, l->of[0].value, l->of[1].value,
                                       l->of[2].value, l->y);
}

static void deconv_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->conv_transpose2d_backward(dev, l->shape, l->of[0].value, l->of[1].value, l->y, l->dy,
                                        l->of[0].gradient, 0, l->of[1].gradient, l->of[2].gradient);
}

Test(layers, conv_transpose2d)
{
    static const struct det_conv_transpose2d s = {3, 5, 4, 3, 6, 0, NULL};
    struct layer layer = new_layer("conv_transpose2d", &s, 3 * 6 * 8 * 6);
    argument(&layer, "x", 3 * 5 * 4 * 3);
    argument(&layer, "w", 5 * 6 * 4);
    argument(&layer, "bias", 6);
    layer.forward = deconv_forward;
    layer.backward = deconv_backward;
    det_conv_transpose2d_scratch(&s, &layer.scratch.per_worker, &layer.scratch.shared);
    check(&layer);
}

static void linear_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->linear_forward(dev, l->shape, l->of[0].value, l->of[1].value, l->of[2].value, l->y);
}

static void linear_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->linear_backward(dev, l->shape, l->of[0].value, l->of[1].value, l->y, l->dy,
                              l->of[0].gradient, 0, l->of[1].gradient, l->of[2].gradient);
}

Test(layers, linear)
{
    static const struct det_linear s = {7, 30, 11, 0, NULL};
    struct layer layer = new_layer("linear", &s, 7 * 11);
    argument(&layer, "x", 7 * 30);
    argument(&layer, "w", 30 * 11);
    argument(&layer, "bias", 11);
    layer.forward = linear_forward;
    layer.backward = linear_backward;
    check(&layer);
}

/* ---- norms
 * ------------------------------------------------------------------------------------------ */

static float saved[64];

static void group_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->group_norm_forward(dev, l->shape, l->of[0].value, l->of[1].value, l->of[2].value,
                                 l->y, saved);
}

static void group_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->group_norm_backward(dev, l->shape, l->of[0].value, l->of[1].value, l->y, saved, l->dy,
                                  l->of[0].gradient, 0, l->of[1].gradient, l->of[2].gradient);
}

Test(layers, group_norm)
{
    static const struct det_norm s = {2, 12, 4, 5, 4, 1e-5f, 0};
    struct layer layer = new_layer("group_norm", &s, 2 * 12 * 20);
    argument(&layer, "x", 2 * 12 * 20);
    argument(&layer, "weight", 12);
    argument(&layer, "bias", 12);
    layer.forward = group_forward;
    layer.backward = group_backward;
    layer.step = 1.0f / 64; /* rounding 1e-7 * 20 / (2 / 64), curvature 1 / 64^2 / 6 * a few */
    layer.tolerance = 3e-4;
    det_group_norm_scratch(&s, &layer.scratch.per_worker, &layer.scratch.shared);
    check(&layer);
}

static const float frozen_mean[3] = {0.5f, -1.0f, 2.0f}, frozen_var[3] = {0.25f, 1.0f, 4.0f};
static const float frozen_weight[3] = {1.5f, -2.0f, 0.5f}, frozen_bias[3] = {0.0f, 1.0f, -1.0f};

static void frozen_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->frozen_bn_forward(dev, l->shape, l->of[0].value, frozen_weight, frozen_bias,
                                frozen_mean, frozen_var, l->y);
}

static void frozen_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->frozen_bn_backward(dev, l->shape, frozen_weight, frozen_var, l->y, l->dy,
                                 l->of[0].gradient, 0);
}

Test(layers, frozen_bn)
{
    static const struct det_norm s = {2, 3, 4, 5, 0, 1e-5f, 0};
    struct layer layer = new_layer("frozen_bn", &s, 2 * 3 * 20);
    argument(&layer, "x", 2 * 3 * 20);
    layer.forward = frozen_forward;
    layer.backward = frozen_backward;
    check(&layer);
}

/* ---- without weights
 * -------------------------------------------------------------------------------- */

static void add_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->add_forward(dev, l->ny, 1, l->of[0].value, l->of[1].value, l->y);
}

static void add_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->add_backward(dev, l->ny, 1, l->y, l->dy, l->of[0].gradient, 1, l->of[1].gradient, 0);
}

/* Sums of -1 and +1 and a bit: off relu's kink by more than a step. */
Test(layers, add)
{
    struct layer layer = new_layer("add", NULL, 100);
    argument(&layer, "a", 100);
    argument(&layer, "b", 100);
    for (int i = 0; i < 100; i++) {
        layer.of[0].value[i] *= 0.25f;
        layer.of[1].value[i] = i % 3 ? 1.0f : -1.0f;
    }
    layer.forward = add_forward;
    layer.backward = add_backward;
    check(&layer);
}

static int32_t argmax[200];

static void pool_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->max_pool2d_forward(dev, l->shape, l->of[0].value, l->y, argmax);
}

static void pool_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->max_pool2d_backward(dev, l->shape, argmax, l->dy, l->of[0].gradient, 0);
}

/* Whole numbers, each once: a step of 1/4 changes no maximum. */
Test(layers, max_pool2d)
{
    static const struct det_pool2d s = {2, 3, 7, 5, 3, 2, 1, 4, 3};
    struct layer layer = new_layer("max_pool2d", &s, 2 * 3 * 4 * 3);
    argument(&layer, "x", 210);
    for (int i = 0; i < 210; i++)
        layer.of[0].value[i] = (float)(i * 89 % 211);
    layer.forward = pool_forward;
    layer.backward = pool_backward;
    check(&layer);
}

static void upsample_forward(struct det_device *dev, const struct layer *l)
{
    dev->ops->upsample_forward(dev, l->shape, l->of[0].value, l->y);
}

static void upsample_backward(struct det_device *dev, const struct layer *l)
{
    dev->ops->upsample_backward(dev, l->shape, l->dy, l->of[0].gradient, 0);
}

Test(layers, upsample)
{
    static const struct det_upsample s = {2, 2, 3, 4, 7, 9};
    struct layer layer = new_layer("upsample", &s, 2 * 2 * 7 * 9);
    argument(&layer, "x", 2 * 2 * 3 * 4);
    layer.forward = upsample_forward;
    layer.backward = upsample_backward;
    check(&layer);
}

static const float rois[4][4] = {
    {1, 2, 19, 27}, {-6, -3, 12, 40}, {8, 8, 9, 9}, {0.3f, 5.5f, 33.1f, 20.2f}};
static const int32_t roi_image[4] = {0, 1, 1, 0}, roi_level[4] = {0, 1, 0, 1};

static void roi_forward(struct det_device *dev, const struct layer *l)
{
    const float *const x[2] = {l->of[0].value, l->of[1].value};
    dev->ops->roi_align_forward(dev, l->shape, x, &rois[0][0], roi_image, roi_level, l->y);
}

static void roi_backward(struct det_device *dev, const struct layer *l)
{
    float *const dx[2] = {l->of[0].gradient, l->of[1].gradient};
    dev->ops->roi_align_backward(dev, l->shape, l->dy, &rois[0][0], roi_image, roi_level, dx);
}

Test(layers, roi_align)
{
    for (int ratio = 0; ratio <= 2; ratio += 2)
        for (int aligned = 0; aligned < 2; aligned++) {
            struct det_roi_align s = {.n_levels = 2,
                                      .n_images = 2,
                                      .channels = 3,
                                      .h = {8, 4},
                                      .w = {9, 5},
                                      .scale = {0.25f, 0.125f},
                                      .output_size = 3,
                                      .sampling_ratio = ratio,
                                      .aligned = aligned,
                                      .max_rois = 4};
            struct layer layer = new_layer("roi_align", &s, 4 * 3 * 9);
            argument(&layer, "x[0]", 2 * 3 * 8 * 9);
            argument(&layer, "x[1]", 2 * 3 * 4 * 5);
            layer.forward = roi_forward;
            layer.backward = roi_backward;
            det_roi_align_scratch(&s, &layer.scratch.per_worker, &layer.scratch.shared);
            check(&layer);
        }
}
