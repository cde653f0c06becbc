/* Convolution against a plain loop in double, and what the table's conventions promise. */
#include "suites/weighted_layer.h"

struct conv_case {
    const char *name;
    int n, c_in, h, w, c_out, kernel, stride, pad;
};

/* Every way that the work is cut: rows of an image, several images a product, windows that are the
 * input itself, strides, kernels wider than the map. */
static const struct conv_case cases[] = {
    {"1x1", 2, 6, 11, 13, 7, 1, 1, 0},
    {"1x1 stride 2", 2, 5, 9, 8, 3, 1, 2, 0},
    {"1x1 padded", 1, 3, 4, 5, 2, 1, 1, 1},
    {"3x3 tiny map", 3, 4, 2, 2, 5, 3, 1, 1},
    {"3x3 one cell", 5, 4, 1, 1, 5, 3, 1, 1},
    {"3x3 small maps, several a product", 9, 16, 7, 5, 9, 3, 1, 1},
    {"3x3 RoIs", 5, 16, 14, 14, 17, 3, 1, 1},
    {"3x3 large map, rows cut", 1, 8, 70, 61, 4, 3, 1, 1},
    {"3x3 wide", 2, 32, 16, 16, 33, 3, 1, 1},
    {"3x3 odd sides", 2, 24, 13, 9, 16, 3, 1, 1},
    {"3x3 Winograd", 2, 16, 13, 9, 32, 3, 1, 1},
    {"3x3 Winograd, whole tiles", 3, 32, 16, 16, 16, 3, 1, 1},
    {"3x3 Winograd, one cell", 9, 32, 1, 1, 16, 3, 1, 1},
    {"3x3 Winograd, padding 2", 3, 16, 5, 6, 16, 3, 1, 2},
    {"3x3 Winograd, several blocks", 2, 16, 40, 29, 16, 3, 1, 1},
    {"3x3 without padding", 2, 16, 9, 11, 16, 3, 1, 0},
    {"3x3 padding 2", 2, 3, 6, 5, 4, 3, 1, 2},
    {"3x3 stride 2", 2, 8, 7, 11, 10, 3, 2, 1},
    {"3x3 stride 2, even", 3, 40, 16, 16, 8, 3, 2, 1},
    {"7x7 stem", 2, 3, 32, 40, 6, 7, 2, 3},
    {"7x7 wider than the map", 1, 2, 3, 4, 2, 7, 2, 3},
    {"5x5 padding beyond the kernel's", 1, 2, 4, 4, 2, 5, 1, 5},
};
#define N_CASES (sizeof cases / sizeof *cases)

static struct det_conv2d shape_of(const struct weighted *k)
{
    struct det_conv2d shape = k->shape.conv;
    shape.n = k->n;
    shape.relu = k->relu;
    shape.count = k->count;
    return shape;
}

static void forward(struct det_device *dev, const struct weighted *k, float *y)
{
    struct det_conv2d shape = shape_of(k);
    dev->ops->conv2d_forward(dev, &shape, k->x, k->w, k->bias, y);
}

static void backward(struct det_device *dev, const struct weighted *k, const float *y, float *dy,
                     float *dx, int accumulate, float *dw, float *dbias)
{
    struct det_conv2d shape = shape_of(k);
    dev->ops->conv2d_backward(dev, &shape, k->x, k->w, y, dy, dx, accumulate, dw, dbias);
}

static struct scratch scratch(const struct weighted *k)
{
    struct det_conv2d shape = shape_of(k);
    struct scratch needed;
    det_conv2d_scratch(&shape, &needed.per_worker, &needed.shared);
    return needed;
}

/* The taps of one output. */
static void visit_window(const struct det_conv2d *s, int n, int co, int i, int j,
                         product_visitor *visit, void *arg)
{
    size_t y = (size_t)(((n * s->c_out + co) * s->h_out + i) * s->w_out + j);
    for (int ci = 0; ci < s->c_in; ci++)
        for (int ky = 0; ky < s->kernel; ky++)
            for (int kx = 0; kx < s->kernel; kx++) {
                int h = i * s->stride - s->pad + ky;
                int w = j * s->stride - s->pad + kx;
                if (h < 0 || h >= s->h_in || w < 0 || w >= s->w_in)
                    continue;
                visit(arg, y, (size_t)(((n * s->c_in + ci) * s->h_in + h) * s->w_in + w),
                      (size_t)(((co * s->c_in + ci) * s->kernel + ky) * s->kernel + kx));
            }
}

static void visit_products(const struct weighted *k, product_visitor *visit, void *arg)
{
    const struct det_conv2d *s = &k->shape.conv;
    for (int n = 0; n < k->n; n++)
        for (int co = 0; co < s->c_out; co++)
            for (int i = 0; i < s->h_out; i++)
                for (int j = 0; j < s->w_out; j++)
                    visit_window(s, n, co, i, j, visit, arg);
}

static const struct weighted_kind kind = {forward, backward, visit_products, scratch};

static struct weighted make(const struct conv_case *c)
{
    struct weighted k = {.name = c->name, .kind = &kind, .n = c->n, .c_out = c->c_out};
    struct det_conv2d *s = &k.shape.conv;
    *s = (struct det_conv2d){.n = c->n,
                             .c_in = c->c_in,
                             .h_in = c->h,
                             .w_in = c->w,
                             .c_out = c->c_out,
                             .kernel = c->kernel,
                             .stride = c->stride,
                             .pad = c->pad};
    s->h_out = (c->h + 2 * c->pad - c->kernel) / c->stride + 1;
    s->w_out = (c->w + 2 * c->pad - c->kernel) / c->stride + 1;
    k.plane = s->h_out * s->w_out;
    k.nx = (size_t)(s->n * s->c_in * s->h_in * s->w_in);
    k.nw = (size_t)(s->c_out * s->c_in * s->kernel * s->kernel);
    fill_weighted(&k);
    return k;
}

/* Run a check on every case. */
static void on_cases(void (*check)(struct weighted *))
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct weighted k = make(&cases[i]);
        check(&k);
        destroy_weighted(&k);
    }
}

static void reference(struct weighted *k)
{
    expect_reference(k);
}

Test(conv2d, agrees_with_a_plain_loop)
{
    on_cases(reference);
}

/* Most positions without a gradient, as in the RPN: dy is zero in all channels of all but every
 * `stride`th position; none at all for stride 0. */
static void thin_out(struct weighted *k, int stride)
{
    for (size_t i = 0; i < k->ny; i++)
        if (stride == 0 || i % (size_t)k->plane % (size_t)stride)
            k->dy[i] = 0.0f;
}

static void sparse(struct weighted *k)
{
    static const int strides[] = {2, 5, 1000, 0};
    for (size_t t = 0; t < sizeof strides / sizeof *strides; t++) {
        thin_out(k, strides[t]);
        expect_reference(k);
    }
}

Test(conv2d, sparse_gradients_agree_with_a_plain_loop)
{
    on_cases(sparse);
}

static void threads(struct weighted *k)
{
    expect_threads_agree(k->name, weighted_pass, k, scratch(k));
    thin_out(k, 5);
    expect_threads_agree(k->name, weighted_pass, k, scratch(k));
}

Test(conv2d, same_bits_for_any_number_of_threads)
{
    on_cases(threads);
}

Test(conv2d, leaves_rows_beyond_the_count_alone)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (int32_t live = 0; live < cases[i].n; live++) {
            struct weighted k = make(&cases[i]);
            expect_count(&k, live);
            destroy_weighted(&k);
        }
}

Test(conv2d, scratch_serves_fewer_images)
{
    on_cases(expect_scratch_for_fewer);
}

static void accumulation(struct weighted *k)
{
    expect_accumulation(k);
    thin_out(k, 5);
    expect_accumulation(k);
}

Test(conv2d, accumulates)
{
    on_cases(accumulation);
}

static void alone(struct weighted *k)
{
    expect_each_alone(k);
}

Test(conv2d, gradients_not_wanted_are_left_out)
{
    on_cases(alone);
}

Test(conv2d, relu)
{
    on_cases(expect_relu);
}

/* Where the first output's window covers the first input. */
static void nan_seen(struct weighted *k)
{
    if (k->shape.conv.pad < k->shape.conv.kernel)
        expect_nan_seen(k);
}

Test(conv2d, nan_is_not_hidden)
{
    on_cases(nan_seen);
}

/* x = 1 2 3   w = 1 0   bias 10:  1*1 + 5*2 + 10 = 21,  2 + 6*2 + 10 = 24
 *     4 5 6       0 2                                                     */
Test(conv2d, by_hand)
{
    struct det_conv2d shape = {.n = 1,
                               .c_in = 1,
                               .h_in = 2,
                               .w_in = 3,
                               .c_out = 1,
                               .kernel = 2,
                               .stride = 1,
                               .pad = 0,
                               .h_out = 1,
                               .w_out = 2};
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const float w[4] = {1, 0, 0, 2};
    const float bias[1] = {10};
    float y[2];
    struct scratch needed;
    det_conv2d_scratch(&shape, &needed.per_worker, &needed.shared);
    struct det_device *dev = open_device(1, needed);
    det_conv2d_forward(dev, &shape, x, w, bias, y);
    cr_expect_eq(y[0], 21.0f, "y[0]: got %g, want 21", (double)y[0]);
    cr_expect_eq(y[1], 24.0f, "y[1]: got %g, want 24", (double)y[1]);
    det_conv2d_forward(dev, &shape, x, w, NULL, y);
    cr_expect_eq(y[0], 11.0f, "without bias, y[0]: got %g, want 11", (double)y[0]);
    close_device(dev);
}
