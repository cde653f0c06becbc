/* Convolution against a plain loop in double, and what the table's conventions promise. */
#include "suites/layers.h"

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

struct conv { /* a case with its numbers */
    struct det_conv2d shape;
    size_t nx, nw, ny;
    float *x, *w, *bias, *dy;
};

static struct conv make(const struct conv_case *c)
{
    struct conv k = {.shape = {.n = c->n, .c_in = c->c_in, .h_in = c->h, .w_in = c->w,
                               .c_out = c->c_out, .kernel = c->kernel, .stride = c->stride,
                               .pad = c->pad}};
    struct det_conv2d *s = &k.shape;
    s->h_out = (c->h + 2 * c->pad - c->kernel) / c->stride + 1;
    s->w_out = (c->w + 2 * c->pad - c->kernel) / c->stride + 1;
    k.nx = (size_t)(s->n * s->c_in * s->h_in * s->w_in);
    k.nw = (size_t)(s->c_out * s->c_in * s->kernel * s->kernel);
    k.ny = (size_t)(s->n * s->c_out * s->h_out * s->w_out);
    k.x = uniform(k.nx, 1);
    k.w = uniform(k.nw, 2);
    k.bias = uniform((size_t)s->c_out, 3);
    k.dy = uniform(k.ny, 4);
    return k;
}

static void destroy(struct conv *k)
{
    free(k->x);
    free(k->w);
    free(k->bias);
    free(k->dy);
}

static struct scratch scratch_of(const struct conv *k)
{
    struct scratch scratch;
    det_conv2d_scratch(&k->shape, &scratch.per_worker, &scratch.shared);
    return scratch;
}

/* visit(y index, x index, w index) for every product in the convolution */
typedef void visitor(void *arg, size_t y, size_t x, size_t w);

static void visit_taps(const struct det_conv2d *s, int n, int co, int i, int j, visitor *visit,
                       void *arg)
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

static void visit_all(const struct det_conv2d *s, visitor *visit, void *arg)
{
    for (int n = 0; n < s->n; n++)
        for (int co = 0; co < s->c_out; co++)
            for (int i = 0; i < s->h_out; i++)
                for (int j = 0; j < s->w_out; j++)
                    visit_taps(s, n, co, i, j, visit, arg);
}

struct reference {
    const struct conv *k;
    double *y, *dx, *dw, *dbias;
};

static void accumulate_product(void *arg, size_t y, size_t x, size_t w)
{
    struct reference *r = arg;
    r->y[y] += (double)r->k->x[x] * (double)r->k->w[w];
    r->dx[x] += (double)r->k->dy[y] * (double)r->k->w[w];
    r->dw[w] += (double)r->k->dy[y] * (double)r->k->x[x];
}

static struct reference reference_of(const struct conv *k)
{
    const struct det_conv2d *s = &k->shape;
    struct reference r = {k, calloc(k->ny, sizeof(double)), calloc(k->nx, sizeof(double)),
                          calloc(k->nw, sizeof(double)), calloc((size_t)s->c_out, sizeof(double))};
    visit_all(s, accumulate_product, &r);
    size_t plane = (size_t)(s->h_out * s->w_out);
    for (size_t i = 0; i < k->ny; i++) {
        size_t c = i / plane % (size_t)s->c_out;
        r.y[i] += (double)k->bias[c];
        r.dbias[c] += (double)k->dy[i];
    }
    return r;
}

static void drop_reference(struct reference *r)
{
    free(r->y);
    free(r->dx);
    free(r->dw);
    free(r->dbias);
}

/* Forward and backward into fresh outputs: y, dx, dw, dbias. */
static struct results pass(struct det_device *dev, const void *layer)
{
    const struct conv *k = layer;
    struct results r = {0};
    float *dy = copied(k->dy, k->ny);
    keep(&r, "y", filled(k->ny, SENTINEL), k->ny);
    keep(&r, "dx", filled(k->nx, SENTINEL), k->nx);
    keep(&r, "dw", filled(k->nw, 0.0f), k->nw);
    keep(&r, "dbias", filled((size_t)k->shape.c_out, 0.0f), (size_t)k->shape.c_out);
    dev->ops->conv2d_forward(dev, &k->shape, k->x, k->w, k->bias, r.of[0].values);
    dev->ops->conv2d_backward(dev, &k->shape, k->x, k->w, r.of[0].values, dy, r.of[1].values, 0,
                              r.of[2].values, r.of[3].values);
    free(dy);
    return r;
}

static void expect_reference(const char *name, const struct conv *k)
{
    struct reference want = reference_of(k);
    struct det_device *dev = open_device(2, scratch_of(k));
    struct results got = pass(dev, k);
    const double *const wanted[4] = {want.y, want.dx, want.dw, want.dbias};
    for (int i = 0; i < got.n; i++)
        expect_near(name, got.of[i].what, got.of[i].values, wanted[i], got.of[i].count, 2e-5);
    drop(&got);
    close_device(dev);
    drop_reference(&want);
}

Test(conv2d, agrees_with_a_plain_loop)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct conv k = make(&cases[i]);
        expect_reference(cases[i].name, &k);
        destroy(&k);
    }
}

/* Most positions without a gradient, as in the RPN: dy is zero in all channels of all but every
 * `stride`th position; none at all for stride 0. */
static void thin_out(struct conv *k, int stride)
{
    size_t plane = (size_t)(k->shape.h_out * k->shape.w_out);
    for (size_t i = 0; i < k->ny; i++)
        if (stride == 0 || i % plane % (size_t)stride)
            k->dy[i] = 0.0f;
}

Test(conv2d, sparse_gradients_agree_with_a_plain_loop)
{
    static const int strides[] = {0, 2, 9, 1000};
    for (size_t i = 0; i < N_CASES; i++)
        for (size_t t = 0; t < sizeof strides / sizeof *strides; t++) {
            struct conv k = make(&cases[i]);
            thin_out(&k, strides[t]);
            expect_reference(cases[i].name, &k);
            destroy(&k);
        }
}

Test(conv2d, same_bits_for_any_number_of_threads)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct conv k = make(&cases[i]);
        expect_threads_agree(cases[i].name, pass, &k, scratch_of(&k));
        thin_out(&k, 9);
        expect_threads_agree(cases[i].name, pass, &k, scratch_of(&k));
        destroy(&k);
    }
}

/* Rows from *count on are neither read (they are NaN here) nor written, and the live ones get what
 * they get without a count, to rounding: which images share a product may differ. */
static void expect_count(const char *name, struct conv *k, int32_t live)
{
    const struct det_conv2d *s = &k->shape;
    size_t live_x = k->nx / (size_t)s->n * (size_t)live;
    size_t live_y = k->ny / (size_t)s->n * (size_t)live;
    struct conv part = *k;
    part.shape.n = live;
    part.nx = live_x;
    part.ny = live_y;
    struct reference want = reference_of(&part);
    for (size_t i = live_x; i < k->nx; i++)
        k->x[i] = NAN;
    for (size_t i = live_y; i < k->ny; i++)
        k->dy[i] = NAN;
    k->shape.count = &live;
    struct det_device *dev = open_device(2, scratch_of(k));
    struct results got = pass(dev, k);
    expect_near(name, "y", got.of[0].values, want.y, live_y, 2e-5);
    expect_near(name, "dx", got.of[1].values, want.dx, live_x, 2e-5);
    expect_near(name, "dw", got.of[2].values, want.dw, k->nw, 2e-5);
    expect_near(name, "dbias", got.of[3].values, want.dbias, (size_t)s->c_out, 2e-5);
    expect_all(name, "y beyond the count", got.of[0].values + live_y, SENTINEL, k->ny - live_y);
    expect_all(name, "dx beyond the count", got.of[1].values + live_x, SENTINEL, k->nx - live_x);
    drop(&got);
    close_device(dev);
    drop_reference(&want);
    k->shape.count = NULL;
}

Test(conv2d, leaves_rows_beyond_the_count_alone)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (int32_t live = 0; live < cases[i].n; live++) {
            struct conv k = make(&cases[i]);
            expect_count(cases[i].name, &k, live);
            destroy(&k);
        }
}

/* A layer planned for a batch runs any smaller one in the same scratch. */
Test(conv2d, fewer_images_than_planned)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (int n = 1; n < cases[i].n; n++) {
            struct conv k = make(&cases[i]);
            struct scratch planned = scratch_of(&k);
            k.shape.n = n;
            struct scratch needed = scratch_of(&k);
            cr_expect(needed.per_worker <= planned.per_worker && needed.shared <= planned.shared,
                      "%s: %d images need %zu + %zu bytes, %d need %zu + %zu", cases[i].name, n,
                      needed.per_worker, needed.shared, cases[i].n, planned.per_worker,
                      planned.shared);
            destroy(&k);
        }
}

/* Backward onto what is there: gradients of weights always add, dx when asked to. */
Test(conv2d, accumulates)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct conv k = make(&cases[i]);
        struct reference want = reference_of(&k);
        struct det_device *dev = open_device(2, scratch_of(&k));
        float *dx = filled(k.nx, 3.0f);
        float *dw = filled(k.nw, 5.0f);
        float *dbias = filled((size_t)k.shape.c_out, 7.0f);
        det_conv2d_backward(dev, &k.shape, k.x, k.w, NULL, k.dy, dx, 1, dw, dbias);
        for (size_t j = 0; j < k.nx; j++)
            want.dx[j] += 3.0;
        for (size_t j = 0; j < k.nw; j++)
            want.dw[j] += 5.0;
        for (int j = 0; j < k.shape.c_out; j++)
            want.dbias[j] += 7.0;
        expect_near(cases[i].name, "dx", dx, want.dx, k.nx, 2e-5);
        expect_near(cases[i].name, "dw", dw, want.dw, k.nw, 2e-5);
        expect_near(cases[i].name, "dbias", dbias, want.dbias, (size_t)k.shape.c_out, 2e-5);
        free(dx);
        free(dw);
        free(dbias);
        close_device(dev);
        drop_reference(&want);
        destroy(&k);
    }
}

/* Each gradient alone is what it is among the others, bit for bit. */
Test(conv2d, gradients_not_wanted_are_left_out)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct conv k = make(&cases[i]);
        struct det_device *dev = open_device(1, scratch_of(&k));
        struct results all = pass(dev, &k);
        float *dx = filled(k.nx, SENTINEL);
        float *dw = filled(k.nw, 0.0f);
        float *dbias = filled((size_t)k.shape.c_out, 0.0f);
        det_conv2d_backward(dev, &k.shape, k.x, k.w, NULL, k.dy, dx, 0, NULL, NULL);
        det_conv2d_backward(dev, &k.shape, k.x, k.w, NULL, k.dy, NULL, 0, dw, NULL);
        det_conv2d_backward(dev, &k.shape, k.x, k.w, NULL, k.dy, NULL, 0, NULL, dbias);
        expect_same_bits(cases[i].name, "dx alone", dx, all.of[1].values, k.nx);
        expect_same_bits(cases[i].name, "dw alone", dw, all.of[2].values, k.nw);
        expect_same_bits(cases[i].name, "dbias alone", dbias, all.of[3].values,
                         (size_t)k.shape.c_out);
        free(dx);
        free(dw);
        free(dbias);
        drop(&all);
        close_device(dev);
        destroy(&k);
    }
}

/* relu: y is the rectified y, and backward is backward of dy masked by y > 0, bit for bit. */
Test(conv2d, relu)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct conv k = make(&cases[i]);
        struct det_device *dev = open_device(2, scratch_of(&k));
        float *y = filled(k.ny, SENTINEL);
        det_conv2d_forward(dev, &k.shape, k.x, k.w, k.bias, y);
        k.shape.relu = 1;
        struct results rectified = pass(dev, &k);
        for (size_t j = 0; j < k.ny; j++) {
            k.dy[j] = y[j] > 0.0f ? k.dy[j] : 0.0f;
            y[j] = y[j] > 0.0f ? y[j] : 0.0f;
        }
        k.shape.relu = 0;
        struct results masked = pass(dev, &k);
        for (size_t j = 0; j < k.ny; j++)
            cr_expect(rectified.of[0].values[j] == y[j], "%s: y[%zu]: got %g, want %g",
                      cases[i].name, j, (double)rectified.of[0].values[j], (double)y[j]);
        for (int j = 1; j < 4; j++)
            expect_same_bits(cases[i].name, masked.of[j].what, rectified.of[j].values,
                             masked.of[j].values, masked.of[j].count);
        drop(&rectified);
        drop(&masked);
        free(y);
        close_device(dev);
        destroy(&k);
    }
}

/* x = 1 2 3   w = 1 0   bias 10:  1*1 + 5*2 + 10 = 21,  2 + 6*2 + 10 = 24
 *     4 5 6       0 2                                                     */
Test(conv2d, by_hand)
{
    struct det_conv2d shape = {.n = 1, .c_in = 1, .h_in = 2, .w_in = 3, .c_out = 1, .kernel = 2,
                               .stride = 1, .pad = 0, .h_out = 1, .w_out = 2};
    struct conv k = {.shape = shape};
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const float w[4] = {1, 0, 0, 2};
    const float bias[1] = {10};
    float y[2];
    struct det_device *dev = open_device(1, scratch_of(&k));
    det_conv2d_forward(dev, &shape, x, w, bias, y);
    cr_expect_eq(y[0], 21.0f, "y[0]: got %g, want 21", (double)y[0]);
    cr_expect_eq(y[1], 24.0f, "y[1]: got %g, want 24", (double)y[1]);
    det_conv2d_forward(dev, &shape, x, w, NULL, y);
    cr_expect_eq(y[0], 11.0f, "without bias, y[0]: got %g, want 11", (double)y[0]);
    close_device(dev);
}

/* A NaN in the input is seen in the output, also behind relu: not a zero. */
Test(conv2d, nan_is_not_hidden)
{
    struct conv k = make(&cases[4]);
    struct det_device *dev = open_device(1, scratch_of(&k));
    float *y = filled(k.ny, 0.0f);
    k.shape.relu = 1;
    k.x[0] = NAN;
    det_conv2d_forward(dev, &k.shape, k.x, k.w, k.bias, y);
    cr_expect(isnan(y[0]), "y[0]: got %g, want NaN", (double)y[0]);
    free(y);
    close_device(dev);
    destroy(&k);
}
