/* Max pooling: a plain loop, ties, padding, infinities, NaN, and overlapping windows. */
#include "suites/layers.h"

static const struct det_pool2d cases[] = {
    /* n, c, h_in, w_in, kernel, stride, pad; h_out, w_out are filled in */
    {.n = 2, .c = 3, .h_in = 10, .w_in = 9, .kernel = 3, .stride = 2, .pad = 1},
    {.n = 1, .c = 2, .h_in = 6, .w_in = 7, .kernel = 1, .stride = 2},
    {.n = 1, .c = 1, .h_in = 1, .w_in = 1, .kernel = 3, .stride = 2, .pad = 1},
    {.n = 2, .c = 2, .h_in = 8, .w_in = 5, .kernel = 2, .stride = 2},
    {.n = 1, .c = 3, .h_in = 7, .w_in = 7, .kernel = 3, .stride = 1, .pad = 1},
    {.n = 1, .c = 1, .h_in = 11, .w_in = 12, .kernel = 4, .stride = 3, .pad = 2},
};
#define N_CASES (sizeof cases / sizeof *cases)

struct pool {
    char name[64];
    struct det_pool2d shape;
    size_t nx, ny;
    float *x, *dy;
};

static struct pool make(size_t i)
{
    struct pool k = {.shape = cases[i]};
    struct det_pool2d *s = &k.shape;
    s->h_out = (s->h_in + 2 * s->pad - s->kernel) / s->stride + 1;
    s->w_out = (s->w_in + 2 * s->pad - s->kernel) / s->stride + 1;
    snprintf(k.name, sizeof k.name, "%dx%d, kernel %d stride %d pad %d", s->h_in, s->w_in,
             s->kernel, s->stride, s->pad);
    k.nx = (size_t)(s->n * s->c * s->h_in * s->w_in);
    k.ny = (size_t)(s->n * s->c * s->h_out * s->w_out);
    k.x = uniform(k.nx, 1);
    k.dy = uniform(k.ny, 2);
    for (size_t j = 0; j < k.nx; j++)
        k.x[j] = floorf(4.0f * k.x[j]); /* eight values only: many ties */
    return k;
}

static void destroy(struct pool *k)
{
    free(k->x);
    free(k->dy);
}

static struct results pass(struct det_device *dev, const void *layer)
{
    const struct pool *k = layer;
    struct results r = {0};
    int32_t *argmax = calloc(k->ny, sizeof *argmax);
    keep(&r, "y", filled(k->ny, SENTINEL), k->ny);
    keep(&r, "argmax", filled(k->ny, SENTINEL), k->ny);
    keep(&r, "dx", filled(k->nx, SENTINEL), k->nx);
    dev->ops->max_pool2d_forward(dev, &k->shape, k->x, r.of[0].values, argmax);
    dev->ops->max_pool2d_backward(dev, &k->shape, argmax, k->dy, r.of[2].values, 0);
    for (size_t i = 0; i < k->ny; i++)
        r.of[1].values[i] = (float)argmax[i];
    free(argmax);
    return r;
}

/* The first largest value of the window of output i, as an index into its plane. */
static int largest(const struct det_pool2d *s, const float *x, int i)
{
    int best = -1;
    for (int ky = 0; ky < s->kernel; ky++)
        for (int kx = 0; kx < s->kernel; kx++) {
            int h = i / s->w_out * s->stride - s->pad + ky;
            int w = i % s->w_out * s->stride - s->pad + kx;
            if (h < 0 || h >= s->h_in || w < 0 || w >= s->w_in)
                continue;
            if (best < 0 || x[h * s->w_in + w] > x[best])
                best = h * s->w_in + w;
        }
    return best;
}

Test(pooling, agrees_with_a_plain_loop)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct pool k = make(i);
        int in = k.shape.h_in * k.shape.w_in;
        int out = k.shape.h_out * k.shape.w_out;
        float *y = filled(k.ny, 0.0f);
        float *argmax = filled(k.ny, 0.0f);
        double *dx = calloc(k.nx, sizeof *dx);
        for (int plane = 0; plane < k.shape.n * k.shape.c; plane++)
            for (int j = 0; j < out; j++) {
                int at = largest(&k.shape, k.x + plane * in, j);
                y[plane * out + j] = k.x[plane * in + at];
                argmax[plane * out + j] = (float)at;
                dx[plane * in + at] += (double)k.dy[plane * out + j];
            }
        struct det_device *dev = open_device(2, (struct scratch){0, 0});
        struct results got = pass(dev, &k);
        expect_same_bits(k.name, "y", got.of[0].values, y, k.ny);
        expect_same_bits(k.name, "argmax", got.of[1].values, argmax, k.ny);
        expect_near(k.name, "dx", got.of[2].values, dx, k.nx, 1e-6);
        expect_threads_agree(k.name, pass, &k, (struct scratch){0, 0});
        drop(&got);
        close_device(dev);
        free(y);
        free(argmax);
        free(dx);
        destroy(&k);
    }
}

/* Padding never wins, not even against minus infinity; a NaN does. */
Test(pooling, infinities_and_nan)
{
    struct det_pool2d shape = {.n = 1,
                               .c = 1,
                               .h_in = 2,
                               .w_in = 2,
                               .kernel = 3,
                               .stride = 2,
                               .pad = 1,
                               .h_out = 1,
                               .w_out = 1};
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    const float low[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const float nan[4] = {1.0f, NAN, 5.0f, 2.0f};
    float y;
    int32_t argmax = -1;
    det_max_pool2d_forward(dev, &shape, low, &y, &argmax);
    cr_expect(isinf(y) && y < 0.0f, "of minus infinities: got %g", (double)y);
    cr_expect_eq(argmax, 0, "of minus infinities: argmax %d, want the first", argmax);
    det_max_pool2d_forward(dev, &shape, nan, &y, &argmax);
    cr_expect(isnan(y), "with a NaN: got %g", (double)y);
    cr_expect_eq(argmax, 1, "with a NaN: argmax %d, want 1", argmax);
    close_device(dev);
}

Test(pooling, backward_adds_when_asked)
{
    struct pool k = make(0);
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    struct results once = pass(dev, &k);
    int32_t *argmax = calloc(k.ny, sizeof *argmax);
    double *want = calloc(k.nx, sizeof *want);
    float *dx = filled(k.nx, 3.0f);
    for (size_t i = 0; i < k.ny; i++)
        argmax[i] = (int32_t)once.of[1].values[i];
    det_max_pool2d_backward(dev, &k.shape, argmax, k.dy, dx, 1);
    for (size_t i = 0; i < k.nx; i++)
        want[i] = 3.0 + (double)once.of[2].values[i];
    expect_near(k.name, "dx onto 3", dx, want, k.nx, 1e-6);
    free(argmax);
    free(want);
    free(dx);
    drop(&once);
    close_device(dev);
    destroy(&k);
}
