/* Nearest-neighbour upsampling: source indices, the transpose, sizes that do not divide. */
#include "detector/bodies/nearest.h"
#include "suites/layers.h"

static const struct det_upsample cases[] = {
    {2, 3, 4, 5, 8, 10}, {2, 3, 4, 5, 7, 9},   {1, 1, 1, 1, 3, 4},     {1, 2, 6, 5, 6, 5},
    {1, 2, 6, 5, 3, 2},  {1, 1, 2, 3, 41, 82}, {1, 2, 2, 150, 3, 300},
};
#define N_CASES (sizeof cases / sizeof *cases)

static void sizes(const struct det_upsample *s, size_t *nx, size_t *ny)
{
    *nx = (size_t)(s->n * s->c * s->h_in * s->w_in);
    *ny = (size_t)(s->n * s->c * s->h_out * s->w_out);
}

static struct results pass(struct det_device *dev, const void *layer)
{
    const struct det_upsample *s = layer;
    struct results r = {0};
    size_t nx, ny;
    sizes(s, &nx, &ny);
    float *x = uniform(nx, 1);
    float *dy = uniform(ny, 2);
    keep(&r, "y", filled(ny, SENTINEL), ny);
    keep(&r, "dx", filled(nx, SENTINEL), nx);
    dev->ops->upsample_forward(dev, s, x, r.of[0].values);
    dev->ops->upsample_backward(dev, s, dy, r.of[1].values, 0);
    free(x);
    free(dy);
    return r;
}

/* y[p] = x[source(p)] and dx[q] = the sum of dy over source^-1(q). */
Test(upsample, copies_and_sums)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const struct det_upsample *s = &cases[i];
        char name[64];
        snprintf(name, sizeof name, "%dx%d to %dx%d", s->h_in, s->w_in, s->h_out, s->w_out);
        size_t nx, ny;
        sizes(s, &nx, &ny);
        float *x = uniform(nx, 1);
        float *dy = uniform(ny, 2);
        float *y = filled(ny, 0.0f);
        double *dx = calloc(nx, sizeof *dx);
        for (size_t p = 0; p < ny; p++) {
            int column = (int)(p % (size_t)s->w_out);
            int row = (int)(p / (size_t)s->w_out) % s->h_out;
            size_t plane = p / (size_t)(s->w_out * s->h_out);
            size_t q = plane * (size_t)(s->h_in * s->w_in) +
                       (size_t)(det_nearest_source(row, s->h_in, s->h_out) * s->w_in +
                                det_nearest_source(column, s->w_in, s->w_out));
            y[p] = x[q];
            dx[q] += (double)dy[p];
        }
        struct det_device *dev = open_device(2, (struct scratch){0, 0});
        struct results got = pass(dev, s);
        expect_same_bits(name, "y", got.of[0].values, y, ny);
        expect_near(name, "dx", got.of[1].values, dx, nx, 1e-5);
        expect_threads_agree(name, pass, s, (struct scratch){0, 0});
        drop(&got);
        close_device(dev);
        free(x);
        free(dy);
        free(y);
        free(dx);
    }
}

/* floor(dst in / out) up to float's rounding; never off the map, never descending, onto. */
Test(upsample, source_indices)
{
    for (int in = 1; in <= 40; in++)
        for (int out = in; out <= 100; out++) {
            int last = 0;
            for (int dst = 0; dst < out; dst++) {
                int src = det_nearest_source(dst, in, out);
                cr_assert(src >= 0 && src < in && (src == last || src == last + 1),
                          "%d to %d: %d comes from %d after %d", in, out, dst, src, last);
                cr_assert(abs(src - dst * in / out) <= (dst * in % out == 0),
                          "%d to %d: %d comes from %d, want %d", in, out, dst, src, dst * in / out);
                last = src;
            }
            cr_assert_eq(last, in - 1, "%d to %d: ends at %d", in, out, last);
        }
    cr_expect_eq(det_nearest_source(3, 4, 8), 1, "doubling is exact");
}

Test(upsample, backward_adds_when_asked)
{
    const struct det_upsample *s = &cases[1];
    size_t nx, ny;
    sizes(s, &nx, &ny);
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    struct results once = pass(dev, s);
    float *dy = uniform(ny, 2);
    float *dx = filled(nx, 3.0f);
    double *want = calloc(nx, sizeof *want);
    det_upsample_backward(dev, s, dy, dx, 1);
    for (size_t i = 0; i < nx; i++)
        want[i] = 3.0 + (double)once.of[1].values[i];
    expect_near("7x9", "dx onto 3", dx, want, nx, 1e-6);
    free(dy);
    free(dx);
    free(want);
    drop(&once);
    close_device(dev);
}
