/* Transposed convolution (kernel 2, stride 2) against a plain loop in double, and the conventions.
 */
#include "suites/weighted_layer.h"

struct deconv_case {
    const char *name;
    int n, c_in, h, w, c_out;
};

static const struct deconv_case cases[] = {
    {"one cell", 1, 1, 1, 1, 1},
    {"odd sides", 2, 3, 5, 7, 5},
    {"more images than a chunk", 19, 4, 2, 3, 6},
    {"more channels than a block", 2, 20, 4, 4, 70},
    {"mask head", 3, 16, 14, 14, 16},
};
#define N_CASES (sizeof cases / sizeof *cases)

static struct det_conv_transpose2d shape_of(const struct weighted *k)
{
    struct det_conv_transpose2d shape = k->shape.deconv;
    shape.n = k->n;
    shape.relu = k->relu;
    shape.count = k->count;
    return shape;
}

static void forward(struct det_device *dev, const struct weighted *k, float *y)
{
    struct det_conv_transpose2d shape = shape_of(k);
    dev->ops->conv_transpose2d_forward(dev, &shape, k->x, k->w, k->bias, y);
}

static void backward(struct det_device *dev, const struct weighted *k, const float *y, float *dy,
                     float *dx, int accumulate, float *dw, float *dbias)
{
    struct det_conv_transpose2d shape = shape_of(k);
    dev->ops->conv_transpose2d_backward(dev, &shape, k->x, k->w, y, dy, dx, accumulate, dw, dbias);
}

static struct scratch scratch(const struct weighted *k)
{
    struct det_conv_transpose2d shape = shape_of(k);
    struct scratch needed;
    det_conv_transpose2d_scratch(&shape, &needed.per_worker, &needed.shared);
    return needed;
}

/* The products that one input value is part of. */
static void visit_input(const struct det_conv_transpose2d *s, int n, int ci, int cell,
                        product_visitor *visit, void *arg)
{
    int i = cell / s->w_in;
    int j = cell % s->w_in;
    for (int co = 0; co < s->c_out; co++)
        for (int tap = 0; tap < 4; tap++) {
            int row = 2 * i + tap / 2;
            int column = 2 * j + tap % 2;
            visit(arg, (size_t)(((n * s->c_out + co) * 2 * s->h_in + row) * 2 * s->w_in + column),
                  (size_t)((n * s->c_in + ci) * s->h_in * s->w_in + cell),
                  (size_t)((ci * s->c_out + co) * 4 + tap));
        }
}

static void visit_products(const struct weighted *k, product_visitor *visit, void *arg)
{
    const struct det_conv_transpose2d *s = &k->shape.deconv;
    for (int n = 0; n < k->n; n++)
        for (int ci = 0; ci < s->c_in; ci++)
            for (int cell = 0; cell < s->h_in * s->w_in; cell++)
                visit_input(s, n, ci, cell, visit, arg);
}

static const struct weighted_kind kind = {forward, backward, visit_products, scratch};

static struct weighted make(const struct deconv_case *c)
{
    struct weighted k = {.name = c->name, .kind = &kind, .n = c->n, .c_out = c->c_out};
    k.shape.deconv = (struct det_conv_transpose2d){
        .n = c->n, .c_in = c->c_in, .h_in = c->h, .w_in = c->w, .c_out = c->c_out};
    k.plane = 4 * c->h * c->w;
    k.nx = (size_t)(c->n * c->c_in * c->h * c->w);
    k.nw = (size_t)(c->c_in * c->c_out * 4);
    fill_weighted(&k);
    return k;
}

Test(conv_transpose2d, keeps_the_conventions)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct weighted k = make(&cases[i]);
        expect_reference(&k);
        expect_threads_agree(k.name, weighted_pass, &k, scratch(&k));
        expect_accumulation(&k);
        expect_each_alone(&k);
        expect_relu(&k);
        expect_nan_seen(&k);
        expect_scratch_for_fewer(&k);
        destroy_weighted(&k);
    }
}

Test(conv_transpose2d, leaves_rows_beyond_the_count_alone)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (int32_t live = 0; live < cases[i].n; live++) {
            struct weighted k = make(&cases[i]);
            expect_count(&k, live);
            destroy_weighted(&k);
        }
}

/* x = 2 3, w = 1 10 / 100 1000, bias 5: each input spreads over a block of its own. */
Test(conv_transpose2d, by_hand)
{
    struct det_conv_transpose2d shape = {.n = 1, .c_in = 1, .h_in = 1, .w_in = 2, .c_out = 1};
    const float want[8] = {7, 25, 8, 35, 205, 2005, 305, 3005};
    float y[8];
    struct scratch needed;
    det_conv_transpose2d_scratch(&shape, &needed.per_worker, &needed.shared);
    struct det_device *dev = open_device(1, needed);
    det_conv_transpose2d_forward(dev, &shape, (float[]){2, 3}, (float[]){1, 10, 100, 1000},
                                 (float[]){5}, y);
    expect_same_bits("by hand", "y", y, want, 8);
    close_device(dev);
}
