/* Group norm and frozen batch norm against their definitions in double. */
#include "suites/layers.h"

static const struct det_norm cases[] = {
    {1, 4, 1, 1, 4, 1e-5f, 0}, /* a group of one value: y = bias, dx = 0 */
    {2, 5, 9, 5, 1, 1e-5f, 0},  {2, 16, 4, 6, 8, 1e-5f, 0},
    {3, 12, 3, 8, 4, 1e-5f, 1}, {1, 8, 33, 31, 8, 1e-3f, 1},
};
#define N_CASES (sizeof cases / sizeof *cases)

struct norm { /* a case with its numbers */
    char name[64];
    struct det_norm shape;
    size_t n, channels, plane;
    float *x, *weight, *bias, *mean, *var, *dy;
};

static struct norm make(size_t i)
{
    struct norm k = {.shape = cases[i]};
    const struct det_norm *s = &k.shape;
    snprintf(k.name, sizeof k.name, "[%d, %d, %d, %d] in %d groups", s->n, s->c, s->h, s->w,
             s->groups);
    k.channels = (size_t)s->c;
    k.plane = (size_t)(s->h * s->w);
    k.n = (size_t)s->n * k.channels * k.plane;
    k.x = uniform(k.n, 1);
    k.weight = uniform(k.channels, 2);
    k.bias = uniform(k.channels, 3);
    k.mean = uniform(k.channels, 4);
    k.var = uniform(k.channels, 5);
    k.dy = uniform(k.n, 6);
    for (size_t c = 0; c < k.channels; c++)
        k.var[c] = fabsf(k.var[c]) + 0.1f;
    for (size_t j = 0; j < k.n; j++)
        k.x[j] = 3.0f * k.x[j] + 2.0f;
    return k;
}

static void destroy(struct norm *k)
{
    free(k->x);
    free(k->weight);
    free(k->bias);
    free(k->mean);
    free(k->var);
    free(k->dy);
}

static struct scratch scratch_of(const struct norm *k)
{
    struct scratch scratch;
    det_group_norm_scratch(&k->shape, &scratch.per_worker, &scratch.shared);
    return scratch;
}

static struct results group_pass(struct det_device *dev, const void *layer)
{
    const struct norm *k = layer;
    struct results r = {0};
    float *saved = filled(2 * (size_t)(k->shape.n * k->shape.groups), NAN);
    float *dy = copied(k->dy, k->n);
    keep(&r, "y", filled(k->n, SENTINEL), k->n);
    keep(&r, "dx", filled(k->n, SENTINEL), k->n);
    keep(&r, "dweight", filled(k->channels, 0.0f), k->channels);
    keep(&r, "dbias", filled(k->channels, 0.0f), k->channels);
    dev->ops->group_norm_forward(dev, &k->shape, k->x, k->weight, k->bias, r.of[0].values, saved);
    dev->ops->group_norm_backward(dev, &k->shape, k->x, k->weight, r.of[0].values, saved, dy,
                                  r.of[1].values, 0, r.of[2].values, r.of[3].values);
    free(saved);
    free(dy);
    return r;
}

static struct results frozen_pass(struct det_device *dev, const void *layer)
{
    const struct norm *k = layer;
    struct results r = {0};
    float *dy = copied(k->dy, k->n);
    keep(&r, "y", filled(k->n, SENTINEL), k->n);
    keep(&r, "dx", filled(k->n, SENTINEL), k->n);
    dev->ops->frozen_bn_forward(dev, &k->shape, k->x, k->weight, k->bias, k->mean, k->var,
                                r.of[0].values);
    dev->ops->frozen_bn_backward(dev, &k->shape, k->weight, k->var, r.of[0].values, dy,
                                 r.of[1].values, 0);
    free(dy);
    return r;
}

struct reference {
    double *y, *dx, *dweight, *dbias;
};

static struct reference new_reference(const struct norm *k)
{
    return (struct reference){calloc(k->n, sizeof(double)), calloc(k->n, sizeof(double)),
                              calloc(k->channels, sizeof(double)),
                              calloc(k->channels, sizeof(double))};
}

static void drop_reference(struct reference *r)
{
    free(r->y);
    free(r->dx);
    free(r->dweight);
    free(r->dbias);
}

/* One group: values first .. first + n - 1, of which `plane` in a row share a channel. The
 * textbook's dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy weight. */
static void reference_group(const struct norm *k, size_t first, size_t n, struct reference *r)
{
    double mean = 0.0, var = 0.0, g_mean = 0.0, g_xhat_mean = 0.0;
    for (size_t i = first; i < first + n; i++)
        mean += (double)k->x[i] / (double)n;
    for (size_t i = first; i < first + n; i++)
        var += ((double)k->x[i] - mean) * ((double)k->x[i] - mean) / (double)n;
    double rstd = 1.0 / sqrt(var + (double)k->shape.eps);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = first; i < first + n; i++) {
            size_t c = i / k->plane % k->channels;
            double xhat = ((double)k->x[i] - mean) * rstd;
            double y = xhat * (double)k->weight[c] + (double)k->bias[c];
            double dy = k->shape.relu && y <= 0.0 ? 0.0 : (double)k->dy[i];
            double g = dy * (double)k->weight[c];
            r->y[i] = k->shape.relu && y < 0.0 ? 0.0 : y;
            if (pass == 0) {
                g_mean += g / (double)n;
                g_xhat_mean += g * xhat / (double)n;
                r->dweight[c] += dy * xhat;
                r->dbias[c] += dy;
            } else {
                r->dx[i] = rstd * (g - g_mean - xhat * g_xhat_mean);
            }
        }
}

static struct reference group_reference(const struct norm *k)
{
    struct reference r = new_reference(k);
    size_t n = k->channels / (size_t)k->shape.groups * k->plane;
    for (size_t first = 0; first < k->n; first += n)
        reference_group(k, first, n, &r);
    return r;
}

static struct reference frozen_reference(const struct norm *k)
{
    struct reference r = new_reference(k);
    for (size_t i = 0; i < k->n; i++) {
        size_t c = i / k->plane % k->channels;
        double scale = (double)k->weight[c] / sqrt((double)k->var[c] + (double)k->shape.eps);
        double y = ((double)k->x[i] - (double)k->mean[c]) * scale + (double)k->bias[c];
        int masked = k->shape.relu && y <= 0.0;
        r.y[i] = masked ? 0.0 : y;
        r.dx[i] = masked ? 0.0 : (double)k->dy[i] * scale;
    }
    return r;
}

static void compare(const struct norm *k, layer_pass *pass, struct reference want)
{
    const double *const wanted[4] = {want.y, want.dx, want.dweight, want.dbias};
    struct det_device *dev = open_device(2, scratch_of(k));
    struct results got = pass(dev, k);
    for (int i = 0; i < got.n; i++)
        expect_near(k->name, got.of[i].what, got.of[i].values, wanted[i], got.of[i].count, 2e-5);
    drop(&got);
    close_device(dev);
    drop_reference(&want);
    expect_threads_agree(k->name, pass, k, scratch_of(k));
}

Test(norms, group_norm_is_its_definition)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct norm k = make(i);
        compare(&k, group_pass, group_reference(&k));
        destroy(&k);
    }
}

Test(norms, frozen_bn_is_its_definition)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct norm k = make(i);
        compare(&k, frozen_pass, frozen_reference(&k));
        destroy(&k);
    }
}

/* Gradients add where they should, and those not wanted are left out. */
Test(norms, accumulates_and_leaves_out)
{
    struct norm k = make(3);
    struct det_device *dev = open_device(2, scratch_of(&k));
    struct results r = group_pass(dev, &k);
    float *saved = filled(2 * (size_t)(k.shape.n * k.shape.groups), NAN);
    float *y = filled(k.n, 0.0f);
    float *dy = copied(k.dy, k.n);
    float *dx = filled(k.n, 3.0f);
    float *dweight = filled(k.channels, 5.0f);
    double *want = calloc(k.n, sizeof *want);
    det_group_norm_forward(dev, &k.shape, k.x, k.weight, k.bias, y, saved);
    det_group_norm_backward(dev, &k.shape, k.x, k.weight, y, saved, dy, dx, 1, dweight, NULL);
    for (size_t i = 0; i < k.n; i++)
        want[i] = 3.0 + (double)r.of[1].values[i];
    expect_near(k.name, "dx onto 3", dx, want, k.n, 1e-6);
    for (size_t i = 0; i < k.channels; i++)
        want[i] = 5.0 + (double)r.of[2].values[i];
    expect_near(k.name, "dweight onto 5", dweight, want, k.channels, 1e-6);
    det_group_norm_backward(dev, &k.shape, k.x, k.weight, y, saved, dy, NULL, 0, NULL, NULL);
    struct results frozen = frozen_pass(dev, &k);
    det_frozen_bn_backward(dev, &k.shape, k.weight, k.var, frozen.of[0].values, k.dy, dx, 1);
    det_frozen_bn_backward(dev, &k.shape, k.weight, k.var, frozen.of[0].values, k.dy, NULL, 0);
    for (size_t i = 0; i < k.n; i++)
        want[i] = 3.0 + (double)r.of[1].values[i] + (double)frozen.of[1].values[i];
    expect_near(k.name, "dx onto both", dx, want, k.n, 1e-6);
    drop(&r);
    drop(&frozen);
    free(saved);
    free(y);
    free(dy);
    free(dx);
    free(dweight);
    free(want);
    close_device(dev);
    destroy(&k);
}

/* A mean a thousand times the deviation: the sums must not cancel. */
Test(norms, group_norm_of_values_far_from_zero)
{
    struct norm k = make(2);
    for (size_t i = 0; i < k.n; i++)
        k.x[i] = 4096.0f + (float)(i % 7);
    struct reference want = group_reference(&k);
    struct det_device *dev = open_device(1, scratch_of(&k));
    struct results got = group_pass(dev, &k);
    expect_near(k.name, "y", got.of[0].values, want.y, k.n, 2e-5);
    drop(&got);
    drop_reference(&want);
    close_device(dev);
    destroy(&k);
}
