/* Layers without products: sums, norms, pooling, resampling, normalising. */
#include "suites/parity/parity.h"

Test(maps, add)
{
    struct pair p = open_pair();
    static const size_t sizes[] = {0, 1, 257, 5000};
    for (size_t i = 0; i < 4; i++)
        for (int mode = 0; mode < 16; mode++) {
            size_t n = sizes[i];
            int relu = mode & 1, into_b = mode & 2, add_a = (mode & 4) != 0, add_b = (mode & 8) != 0;
            struct twin a = twin_uniform(p, n, 1, -1, 1), b = twin_uniform(p, n, 2, -1, 1);
            struct twin y = twin_floats(p, n, SENTINEL), dy = twin_uniform(p, n, 3, -1, 1);
            p.cpu->ops->add_forward(p.cpu, n, relu, CPU(a), CPU(b), CPU(y));
            p.cuda->ops->add_forward(p.cuda, n, relu, CUDA(a), CUDA(b), CUDA(y));
            expect_same(p, "add", "y", y, sizeof(float));
            p.cpu->ops->add_backward(p.cpu, n, relu, CPU(y), CPU(dy), CPU(a), add_a,
                                     into_b ? CPU(b) : NULL, add_b);
            p.cuda->ops->add_backward(p.cuda, n, relu, CUDA(y), CUDA(dy), CUDA(a), add_a,
                                      into_b ? CUDA(b) : NULL, add_b);
            expect_same(p, "add", "dy", dy, sizeof(float));
            expect_same(p, "add", "da", a, sizeof(float));
            expect_same(p, "add", "db", b, sizeof(float));
            drop_twin(p, a);
            drop_twin(p, b);
            drop_twin(p, y);
            drop_twin(p, dy);
        }
    close_pair(p);
}

static const struct det_norm norms[] = {
    {1, 1, 1, 1, 1, 1e-5f, 0}, {2, 8, 5, 7, 4, 1e-5f, 1},  {1, 16, 40, 33, 8, 1e-5f, 0},
    {3, 6, 1, 2, 6, 1e-5f, 1}, {1, 4, 64, 64, 1, 1e-3f, 1},
};

Test(maps, group_norm)
{
    struct pair p = open_pair();
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        for (int mode = 0; mode < 8; mode++) {
            struct det_norm s = norms[i];
            char name[32];
            snprintf(name, sizeof name, "shape %zu, mode %d", i, mode);
            size_t n = (size_t)(s.n * s.c * s.h * s.w), c = (size_t)s.c;
            struct twin x = twin_uniform(p, n, 1, 99, 101); /* a mean that costs digits */
            struct twin weight = twin_uniform(p, c, 2, -1, 1), bias = twin_uniform(p, c, 3, -1, 1);
            struct twin y = twin_floats(p, n, SENTINEL), dy = twin_uniform(p, n, 4, -1, 1);
            struct twin saved = twin_floats(p, (size_t)(s.n * s.groups * 2), SENTINEL);
            struct twin dx = twin_uniform(p, n, 5, -1, 1);
            struct twin dw = twin_uniform(p, c, 6, -1, 1), db = twin_uniform(p, c, 7, -1, 1);
            p.cpu->ops->group_norm_forward(p.cpu, &s, CPU(x), CPU(weight), CPU(bias), CPU(y),
                                           CPU(saved));
            p.cuda->ops->group_norm_forward(p.cuda, &s, CUDA(x), CUDA(weight), CUDA(bias), CUDA(y),
                                            CUDA(saved));
            expect_near_floats(p, name, "y", y, 1e-6);
            expect_near_floats(p, name, "saved", saved, 1e-6);
            p.cuda->ops->upload(p.cuda, CUDA(y), CPU(y), y.bytes);
            p.cpu->ops->group_norm_backward(
                p.cpu, &s, CPU(x), CPU(weight), CPU(y), CPU(saved), CPU(dy),
                mode & 1 ? CPU(dx) : NULL, (mode & 2) != 0, mode & 4 ? CPU(dw) : NULL,
                mode & 4 ? CPU(db) : NULL);
            p.cuda->ops->group_norm_backward(
                p.cuda, &s, CUDA(x), CUDA(weight), CUDA(y), CUDA(saved), CUDA(dy),
                mode & 1 ? CUDA(dx) : NULL, (mode & 2) != 0, mode & 4 ? CUDA(dw) : NULL,
                mode & 4 ? CUDA(db) : NULL);
            expect_same(p, name, "dy", dy, sizeof(float));
            expect_near_floats(p, name, "dx", dx, 2e-6);
            expect_near_floats(p, name, "dweight", dw, 2e-6);
            expect_near_floats(p, name, "dbias", db, 1e-6);
            struct twin all[] = {x, weight, bias, y, dy, saved, dx, dw, db};
            for (size_t k = 0; k < sizeof all / sizeof *all; k++)
                drop_twin(p, all[k]);
        }
    close_pair(p);
}

Test(maps, frozen_bn)
{
    struct pair p = open_pair();
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        for (int mode = 0; mode < 4; mode++) {
            struct det_norm s = norms[i];
            s.groups = 0;
            size_t n = (size_t)(s.n * s.c * s.h * s.w), c = (size_t)s.c;
            struct twin x = twin_uniform(p, n, 1, -1, 1), weight = twin_uniform(p, c, 2, -1, 1);
            struct twin bias = twin_uniform(p, c, 3, -1, 1), mean = twin_uniform(p, c, 4, -1, 1);
            struct twin var = twin_uniform(p, c, 5, 0.1f, 2), y = twin_floats(p, n, SENTINEL);
            struct twin dy = twin_uniform(p, n, 6, -1, 1), dx = twin_uniform(p, n, 7, -1, 1);
            p.cpu->ops->frozen_bn_forward(p.cpu, &s, CPU(x), CPU(weight), CPU(bias), CPU(mean),
                                          CPU(var), CPU(y));
            p.cuda->ops->frozen_bn_forward(p.cuda, &s, CUDA(x), CUDA(weight), CUDA(bias),
                                           CUDA(mean), CUDA(var), CUDA(y));
            expect_same(p, "frozen_bn", "y", y, sizeof(float));
            p.cpu->ops->frozen_bn_backward(p.cpu, &s, CPU(weight), CPU(var), CPU(y), CPU(dy),
                                           mode & 1 ? CPU(dx) : NULL, (mode & 2) != 0);
            p.cuda->ops->frozen_bn_backward(p.cuda, &s, CUDA(weight), CUDA(var), CUDA(y), CUDA(dy),
                                            mode & 1 ? CUDA(dx) : NULL, (mode & 2) != 0);
            expect_same(p, "frozen_bn", "dy", dy, sizeof(float));
            expect_same(p, "frozen_bn", "dx", dx, sizeof(float));
            struct twin all[] = {x, weight, bias, mean, var, y, dy, dx};
            for (size_t k = 0; k < sizeof all / sizeof *all; k++)
                drop_twin(p, all[k]);
        }
    close_pair(p);
}

static const struct det_pool2d pools[] = {
    {2, 3, 9, 8, 3, 2, 1, 5, 4}, {1, 2, 7, 5, 1, 2, 0, 4, 3}, {1, 1, 1, 1, 3, 2, 1, 1, 1},
    {1, 2, 6, 6, 2, 3, 0, 2, 2}, {1, 1, 5, 5, 5, 1, 2, 5, 5},
};

Test(maps, max_pool2d)
{
    struct pair p = open_pair();
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            struct det_pool2d s = pools[i];
            size_t in = (size_t)(s.n * s.c * s.h_in * s.w_in);
            size_t out = (size_t)(s.n * s.c * s.h_out * s.w_out);
            struct twin x = twin_uniform(p, in, 1, -1, 1), y = twin_floats(p, out, SENTINEL);
            float *values = CPU(x);
            for (size_t k = 0; k < in; k++) /* ties; a NaN, an infinity */
                values[k] = k % 11 == 10 ? NAN : k % 7 == 6 ? -INFINITY : roundf(4 * values[k]);
            p.cuda->ops->upload(p.cuda, CUDA(x), values, x.bytes);
            struct twin argmax = twin_of(p, NULL, out * sizeof(int32_t));
            struct twin dy = twin_uniform(p, out, 2, -1, 1), dx = twin_uniform(p, in, 3, -1, 1);
            p.cpu->ops->max_pool2d_forward(p.cpu, &s, CPU(x), CPU(y), CPU(argmax));
            p.cuda->ops->max_pool2d_forward(p.cuda, &s, CUDA(x), CUDA(y), CUDA(argmax));
            expect_near_floats(p, "max_pool2d", "y", y, 0);
            expect_same(p, "max_pool2d", "argmax", argmax, sizeof(int32_t));
            p.cpu->ops->max_pool2d_backward(p.cpu, &s, CPU(argmax), CPU(dy), CPU(dx), accumulate);
            p.cuda->ops->max_pool2d_backward(p.cuda, &s, CUDA(argmax), CUDA(dy), CUDA(dx),
                                             accumulate);
            expect_same(p, "max_pool2d", "dx", dx, sizeof(float));
            struct twin all[] = {x, y, argmax, dy, dx};
            for (size_t k = 0; k < sizeof all / sizeof *all; k++)
                drop_twin(p, all[k]);
        }
    close_pair(p);
}

Test(maps, upsample)
{
    static const int sides[][2] = {{1, 1}, {1, 7}, {4, 8}, {5, 13}, {13, 5}, {100, 201}, {3, 300}};
    struct pair p = open_pair();
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (size_t j = 0; j < sizeof sides / sizeof *sides; j++) {
            int accumulate = (int)((i + j) % 2);
            struct det_upsample s = {1, 2, sides[i][0], sides[j][0], sides[i][1], sides[j][1]};
            size_t in = (size_t)(s.n * s.c * s.h_in * s.w_in);
            size_t out = (size_t)(s.n * s.c * s.h_out * s.w_out);
            struct twin x = twin_uniform(p, in, 1, -1, 1), y = twin_floats(p, out, SENTINEL);
            struct twin dy = twin_uniform(p, out, 2, -1, 1), dx = twin_uniform(p, in, 3, -1, 1);
            p.cpu->ops->upsample_forward(p.cpu, &s, CPU(x), CPU(y));
            p.cuda->ops->upsample_forward(p.cuda, &s, CUDA(x), CUDA(y));
            expect_same(p, "upsample", "y", y, sizeof(float));
            p.cpu->ops->upsample_backward(p.cpu, &s, CPU(dy), CPU(dx), accumulate);
            p.cuda->ops->upsample_backward(p.cuda, &s, CUDA(dy), CUDA(dx), accumulate);
            expect_near_floats(p, "upsample", "dx", dx, 1e-6); /* wide maps: another order */
            struct twin all[] = {x, y, dy, dx};
            for (size_t k = 0; k < sizeof all / sizeof *all; k++)
                drop_twin(p, all[k]);
        }
    close_pair(p);
}

Test(maps, normalize)
{
    enum { N = 3, H = 10, W = 13 };
    struct pair p = open_pair();
    const float heights[N] = {H, 4, 1}, widths[N] = {W, W, 5};
    struct twin h = twin_of(p, heights, sizeof heights), w = twin_of(p, widths, sizeof widths);
    struct twin x = twin_uniform(p, N * 3 * H * W, 1, 0, 1);
    p.cpu->ops->normalize(p.cpu, N, H, W, CPU(h), CPU(w), CPU(x), CPU(x));
    p.cuda->ops->normalize(p.cuda, N, H, W, CUDA(h), CUDA(w), CUDA(x), CUDA(x));
    expect_same(p, "normalize", "y", x, sizeof(float));
    drop_twin(p, h);
    drop_twin(p, w);
    drop_twin(p, x);
    close_pair(p);
}
