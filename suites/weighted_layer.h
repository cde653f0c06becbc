/* What convolution, transposed convolution and the fully connected layer have in common: they are
 * sums of products of an input and a weight, plus a bias by channel. A layer's test gives the shape
 * and visits the products; what the backend's table promises is checked here for all of them. */
#ifndef SUITES_WEIGHTED_LAYER_H
#define SUITES_WEIGHTED_LAYER_H

#include "suites/layers.h"

struct weighted;

/* To be called for every product that is part of y[y]. */
typedef void product_visitor(void *arg, size_t y, size_t x, size_t w);

struct weighted_kind {
    void (*forward)(struct det_device *, const struct weighted *, float *y);
    void (*backward)(struct det_device *, const struct weighted *, const float *y, float *dy,
                     float *dx, int accumulate, float *dw, float *dbias);
    void (*visit)(const struct weighted *, product_visitor *, void *arg);
    struct scratch (*scratch)(const struct weighted *);
};

struct weighted {
    const char *name;
    const struct weighted_kind *kind;
    union {
        struct det_conv2d conv;
        struct det_conv_transpose2d deconv;
        struct det_linear linear;
    } shape;
    int n, c_out, plane; /* of y: [n, c_out, plane] */
    int relu;            /* these two are put into the shape by the kind's functions */
    const int32_t *count;
    size_t nx, nw, ny;
    float *x, *w, *bias, *dy; /* owned */
};

static inline void fill_weighted(struct weighted *k)
{
    k->ny = (size_t)k->n * (size_t)k->c_out * (size_t)k->plane;
    k->x = uniform(k->nx, 1);
    k->w = uniform(k->nw, 2);
    k->bias = uniform((size_t)k->c_out, 3);
    k->dy = uniform(k->ny, 4);
}

static inline void destroy_weighted(struct weighted *k)
{
    free(k->x);
    free(k->w);
    free(k->bias);
    free(k->dy);
}

/* ---- the reference -----------------------------------------------------------------------------
 */

struct weighted_reference {
    const struct weighted *k;
    double *y, *dx, *dw, *dbias;
};

static inline void add_product(void *arg, size_t y, size_t x, size_t w)
{
    struct weighted_reference *r = arg;
    r->y[y] += (double)r->k->x[x] * (double)r->k->w[w];
    r->dx[x] += (double)r->k->dy[y] * (double)r->k->w[w];
    r->dw[w] += (double)r->k->dy[y] * (double)r->k->x[x];
}

static inline struct weighted_reference weighted_reference(const struct weighted *k)
{
    struct weighted_reference r = {
        k, calloc(k->ny + 1, sizeof(double)), calloc(k->nx + 1, sizeof(double)),
        calloc(k->nw + 1, sizeof(double)), calloc((size_t)k->c_out + 1, sizeof(double))};
    k->kind->visit(k, add_product, &r);
    for (size_t i = 0; i < k->ny; i++) {
        size_t c = i / (size_t)k->plane % (size_t)k->c_out;
        r.y[i] += (double)k->bias[c];
        r.dbias[c] += (double)k->dy[i];
    }
    return r;
}

static inline void drop_weighted_reference(struct weighted_reference *r)
{
    free(r->y);
    free(r->dx);
    free(r->dw);
    free(r->dbias);
}

/* ---- a pass -------------------------------------------------------------------------------------
 */

/* Forward and backward into fresh outputs: y, dx, dw, dbias. */
static inline struct results weighted_pass(struct det_device *dev, const void *layer)
{
    const struct weighted *k = layer;
    struct results r = {0};
    float *dy = copied(k->dy, k->ny);
    keep(&r, "y", filled(k->ny, SENTINEL), k->ny);
    keep(&r, "dx", filled(k->nx, SENTINEL), k->nx);
    keep(&r, "dw", filled(k->nw, 0.0f), k->nw);
    keep(&r, "dbias", filled((size_t)k->c_out, 0.0f), (size_t)k->c_out);
    k->kind->forward(dev, k, r.of[0].values);
    k->kind->backward(dev, k, r.of[0].values, dy, r.of[1].values, 0, r.of[2].values,
                      r.of[3].values);
    free(dy);
    return r;
}

/* ---- the checks
 * ---------------------------------------------------------------------------------- */

static inline void expect_reference(const struct weighted *k)
{
    struct weighted_reference want = weighted_reference(k);
    struct det_device *dev = open_device(2, k->kind->scratch(k));
    struct results got = weighted_pass(dev, k);
    const double *const wanted[4] = {want.y, want.dx, want.dw, want.dbias};
    for (int i = 0; i < got.n; i++)
        expect_near(k->name, got.of[i].what, got.of[i].values, wanted[i], got.of[i].count, 2e-5);
    drop(&got);
    close_device(dev);
    drop_weighted_reference(&want);
}

/* The first n images or rows alone. */
static inline struct weighted first_of(const struct weighted *k, int n)
{
    struct weighted part = *k;
    part.n = n;
    part.nx = k->nx / (size_t)k->n * (size_t)n;
    part.ny = k->ny / (size_t)k->n * (size_t)n;
    return part;
}

/* Rows from *count on are neither read (they are NaN here) nor written, and the live ones get what
 * they get without a count, to rounding: which images share a product may differ. */
static inline void expect_count(struct weighted *k, int32_t live)
{
    struct weighted part = first_of(k, live);
    struct weighted_reference want = weighted_reference(&part);
    for (size_t i = part.nx; i < k->nx; i++)
        k->x[i] = NAN;
    for (size_t i = part.ny; i < k->ny; i++)
        k->dy[i] = NAN;
    k->count = &live;
    struct det_device *dev = open_device(2, k->kind->scratch(k));
    struct results got = weighted_pass(dev, k);
    expect_near(k->name, "y", got.of[0].values, want.y, part.ny, 2e-5);
    expect_near(k->name, "dx", got.of[1].values, want.dx, part.nx, 2e-5);
    expect_near(k->name, "dw", got.of[2].values, want.dw, k->nw, 2e-5);
    expect_near(k->name, "dbias", got.of[3].values, want.dbias, (size_t)k->c_out, 2e-5);
    expect_all(k->name, "y beyond the count", got.of[0].values + part.ny, SENTINEL,
               k->ny - part.ny);
    expect_all(k->name, "dx beyond the count", got.of[1].values + part.nx, SENTINEL,
               k->nx - part.nx);
    drop(&got);
    close_device(dev);
    drop_weighted_reference(&want);
    k->count = NULL;
}

/* Backward onto what is there: gradients of weights always add, dx when asked to. */
static inline void expect_accumulation(const struct weighted *k)
{
    struct weighted_reference want = weighted_reference(k);
    struct det_device *dev = open_device(2, k->kind->scratch(k));
    float *dy = copied(k->dy, k->ny);
    float *dx = filled(k->nx, 3.0f);
    float *dw = filled(k->nw, 5.0f);
    float *dbias = filled((size_t)k->c_out, 7.0f);
    k->kind->backward(dev, k, NULL, dy, dx, 1, dw, dbias);
    for (size_t j = 0; j < k->nx; j++)
        want.dx[j] += 3.0;
    for (size_t j = 0; j < k->nw; j++)
        want.dw[j] += 5.0;
    for (int j = 0; j < k->c_out; j++)
        want.dbias[j] += 7.0;
    expect_near(k->name, "dx onto 3", dx, want.dx, k->nx, 2e-5);
    expect_near(k->name, "dw onto 5", dw, want.dw, k->nw, 2e-5);
    expect_near(k->name, "dbias onto 7", dbias, want.dbias, (size_t)k->c_out, 2e-5);
    free(dy);
    free(dx);
    free(dw);
    free(dbias);
    close_device(dev);
    drop_weighted_reference(&want);
}

/* Each gradient alone is what it is among the others, bit for bit. */
static inline void expect_each_alone(const struct weighted *k)
{
    struct det_device *dev = open_device(1, k->kind->scratch(k));
    struct results all = weighted_pass(dev, k);
    float *dy = copied(k->dy, k->ny);
    float *dx = filled(k->nx, SENTINEL);
    float *dw = filled(k->nw, 0.0f);
    float *dbias = filled((size_t)k->c_out, 0.0f);
    k->kind->backward(dev, k, NULL, dy, dx, 0, NULL, NULL);
    k->kind->backward(dev, k, NULL, dy, NULL, 0, dw, NULL);
    k->kind->backward(dev, k, NULL, dy, NULL, 0, NULL, dbias);
    k->kind->backward(dev, k, NULL, dy, NULL, 0, NULL, NULL);
    expect_same_bits(k->name, "dx alone", dx, all.of[1].values, k->nx);
    expect_same_bits(k->name, "dw alone", dw, all.of[2].values, k->nw);
    expect_same_bits(k->name, "dbias alone", dbias, all.of[3].values, (size_t)k->c_out);
    free(dy);
    free(dx);
    free(dw);
    free(dbias);
    drop(&all);
    close_device(dev);
}

/* relu: y is the rectified y, and backward is backward of dy masked by y > 0, bit for bit. */
static inline void expect_relu(struct weighted *k)
{
    struct det_device *dev = open_device(2, k->kind->scratch(k));
    float *y = filled(k->ny, SENTINEL);
    k->kind->forward(dev, k, y);
    k->relu = 1;
    struct results rectified = weighted_pass(dev, k);
    for (size_t j = 0; j < k->ny; j++) {
        k->dy[j] = y[j] > 0.0f ? k->dy[j] : 0.0f;
        y[j] = y[j] > 0.0f ? y[j] : 0.0f;
    }
    k->relu = 0;
    struct results masked = weighted_pass(dev, k);
    for (size_t j = 0; j < k->ny; j++)
        cr_expect(rectified.of[0].values[j] == y[j], "%s: y[%zu]: got %g, want %g", k->name, j,
                  (double)rectified.of[0].values[j], (double)y[j]);
    for (int j = 1; j < 4; j++)
        expect_same_bits(k->name, masked.of[j].what, rectified.of[j].values, masked.of[j].values,
                         masked.of[j].count);
    drop(&rectified);
    drop(&masked);
    free(y);
    close_device(dev);
}

/* A layer planned for a batch runs any smaller one in the same scratch. */
static inline void expect_scratch_for_fewer(struct weighted *k)
{
    struct scratch planned = k->kind->scratch(k);
    int most = k->n;
    for (k->n = 1; k->n < most; k->n++) {
        struct scratch needed = k->kind->scratch(k);
        cr_expect(needed.per_worker <= planned.per_worker && needed.shared <= planned.shared,
                  "%s: %d images need %zu + %zu bytes, %d need %zu + %zu", k->name, k->n,
                  needed.per_worker, needed.shared, most, planned.per_worker, planned.shared);
    }
}

/* A NaN in the input is seen in the output, also behind relu: not a zero. */
static inline void expect_nan_seen(struct weighted *k)
{
    struct det_device *dev = open_device(1, k->kind->scratch(k));
    float *y = filled(k->ny, 0.0f);
    k->relu = 1;
    k->x[0] = NAN;
    k->kind->forward(dev, k, y);
    cr_expect(isnan(y[0]), "%s: y[0]: got %g, want NaN", k->name, (double)y[0]);
    free(y);
    close_device(dev);
}

#endif
