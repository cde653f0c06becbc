/* The fully connected layer against a plain loop in double, and the conventions. */
#include "suites/weighted_layer.h"

struct linear_case {
    const char *name;
    int n, in, out;
};

/* Around the sizes at which the work is cut. */
static const struct linear_case cases[] = {
    {"one of all", 1, 1, 1},           {"one row", 1, 38, 11},
    {"few inputs", 37, 8, 11},         {"blocks of inputs", 5, 300, 7},
    {"blocks of outputs", 6, 20, 300}, {"blocks of rows", 150, 9, 65},
};
#define N_CASES (sizeof cases / sizeof *cases)

static struct det_linear shape_of(const struct weighted *k)
{
    struct det_linear shape = k->shape.linear;
    shape.n = k->n;
    shape.relu = k->relu;
    shape.count = k->count;
    return shape;
}

static void forward(struct det_device *dev, const struct weighted *k, float *y)
{
    struct det_linear shape = shape_of(k);
    dev->ops->linear_forward(dev, &shape, k->x, k->w, k->bias, y);
}

static void backward(struct det_device *dev, const struct weighted *k, const float *y, float *dy,
                     float *dx, int accumulate, float *dw, float *dbias)
{
    struct det_linear shape = shape_of(k);
    dev->ops->linear_backward(dev, &shape, k->x, k->w, y, dy, dx, accumulate, dw, dbias);
}

static struct scratch scratch(const struct weighted *k)
{
    struct det_linear shape = shape_of(k);
    struct scratch needed;
    det_linear_scratch(&shape, &needed.per_worker, &needed.shared);
    return needed;
}

static void visit_products(const struct weighted *k, product_visitor *visit, void *arg)
{
    const struct det_linear *s = &k->shape.linear;
    for (int r = 0; r < k->n; r++)
        for (int o = 0; o < s->out; o++)
            for (int i = 0; i < s->in; i++)
                visit(arg, (size_t)(r * s->out + o), (size_t)(r * s->in + i),
                      (size_t)(o * s->in + i));
}

static const struct weighted_kind kind = {forward, backward, visit_products, scratch};

static struct weighted make(const struct linear_case *c)
{
    struct weighted k = {.name = c->name, .kind = &kind, .n = c->n, .c_out = c->out, .plane = 1};
    k.shape.linear = (struct det_linear){.n = c->n, .in = c->in, .out = c->out};
    k.nx = (size_t)(c->n * c->in);
    k.nw = (size_t)(c->out * c->in);
    fill_weighted(&k);
    return k;
}

Test(linear, keeps_the_conventions)
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

Test(linear, leaves_rows_beyond_the_count_alone)
{
    for (size_t i = 0; i < N_CASES; i++)
        for (int32_t live = 0; live < cases[i].n; live += 1 + cases[i].n / 5) {
            struct weighted k = make(&cases[i]);
            expect_count(&k, live);
            destroy_weighted(&k);
        }
}

/* (1 2) times ((3 4), (5 6))^T plus (10, 20): 1*3 + 2*4 + 10 = 21, 1*5 + 2*6 + 20 = 37. */
Test(linear, by_hand)
{
    struct det_linear shape = {.n = 1, .in = 2, .out = 2};
    float y[2];
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    det_linear_forward(dev, &shape, (float[]){1, 2}, (float[]){3, 4, 5, 6}, (float[]){10, 20}, y);
    expect_same_bits("by hand", "y", y, (float[]){21, 37}, 2);
    det_linear_forward(dev, &shape, (float[]){1, 2}, (float[]){3, 4, 5, 6}, NULL, y);
    expect_same_bits("by hand, without bias", "y", y, (float[]){11, 17}, 2);
    close_device(dev);
}
