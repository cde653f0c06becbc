/* Convolution, transposed convolution and the fully connected layer: forward, and backward with and
 * without what is optional, over shapes that reach every border, with dead rows that hold NaN. */
#include "suites/parity/parity.h"

struct layer { /* of any of the three kinds */
    const char *name;
    int kind; /* 0 conv2d, 1 conv_transpose2d, 2 linear */
    int n, c_in, h, w, c_out, kernel, stride, pad, relu, live; /* live -1: no count */
};

static const struct layer layers[] = {
    {"conv 3x3", 0, 2, 3, 7, 9, 5, 3, 1, 1, 1, -1},
    {"conv 1x1", 0, 3, 4, 5, 6, 7, 1, 1, 0, 0, -1},
    {"conv 7x7 stride 2", 0, 1, 3, 16, 15, 4, 7, 2, 3, 1, -1},
    {"conv 1x1 stride 2", 0, 2, 4, 8, 7, 3, 1, 2, 0, 0, -1},
    {"conv of one pixel", 0, 1, 1, 1, 1, 1, 3, 1, 1, 1, -1},
    {"conv of RoIs, some live", 0, 6, 8, 14, 14, 8, 3, 1, 1, 1, 4},
    {"conv of RoIs, none live", 0, 5, 4, 7, 7, 3, 3, 1, 1, 1, 0},
    {"conv of RoIs, count too large", 0, 3, 4, 7, 7, 3, 1, 1, 0, 0, 99},
    {"deconv", 1, 2, 3, 5, 4, 6, 2, 2, 0, 1, -1},
    {"deconv, some live", 1, 5, 8, 14, 14, 8, 2, 2, 0, 1, 3},
    {"deconv, none live", 1, 2, 3, 2, 2, 3, 2, 2, 0, 0, 0},
    {"linear", 2, 9, 31, 1, 1, 17, 1, 1, 0, 1, -1},
    {"linear, some live", 2, 64, 98, 1, 1, 33, 1, 1, 0, 1, 41},
    {"linear, none live", 2, 8, 12, 1, 1, 5, 1, 1, 0, 0, 0},
    {"linear of one", 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, -1},
};

struct sizes {
    int h_out, w_out;
    size_t x, w, y, rows;
};

static struct sizes sizes_of(const struct layer *l)
{
    struct sizes s;
    s.h_out = l->kind == 1 ? 2 * l->h : (l->h + 2 * l->pad - l->kernel) / l->stride + 1;
    s.w_out = l->kind == 1 ? 2 * l->w : (l->w + 2 * l->pad - l->kernel) / l->stride + 1;
    s.x = (size_t)(l->n * l->c_in * l->h * l->w);
    s.w = (size_t)(l->c_out * l->c_in * l->kernel * l->kernel);
    s.y = (size_t)(l->n * l->c_out * s.h_out * s.w_out);
    s.rows = (size_t)l->n;
    return s;
}

/* Dead rows: NaN in what is read, which must reach nothing. */
static void poison(struct pair p, struct twin t, const struct layer *l)
{
    size_t row = t.bytes / sizeof(float) / (size_t)l->n;
    float *x = t.cpu;
    for (size_t i = (size_t)(l->live < 0 || l->live > l->n ? l->n : l->live) * row;
         i < t.bytes / sizeof(float); i++)
        x[i] = NAN;
    p.cuda->ops->upload(p.cuda, t.cuda, x, t.bytes);
}

static void forward(struct det_device *dev, const struct layer *l, const int32_t *count,
                    const float *x, const float *w, const float *bias, float *y)
{
    struct sizes s = sizes_of(l);
    struct det_conv2d conv = {l->n, l->c_in, l->h, l->w, l->c_out, l->kernel, l->stride, l->pad,
                              s.h_out, s.w_out, l->relu, count};
    struct det_conv_transpose2d deconv = {l->n, l->c_in, l->h, l->w, l->c_out, l->relu, count};
    struct det_linear linear = {l->n, l->c_in, l->c_out, l->relu, count};
    if (l->kind == 0)
        dev->ops->conv2d_forward(dev, &conv, x, w, bias, y);
    else if (l->kind == 1)
        dev->ops->conv_transpose2d_forward(dev, &deconv, x, w, bias, y);
    else
        dev->ops->linear_forward(dev, &linear, x, w, bias, y);
}

struct gradient {
    float *dy, *dx, *dw, *dbias;
    int accumulate;
};

static void backward(struct det_device *dev, const struct layer *l, const int32_t *count,
                     const float *x, const float *w, const float *y, struct gradient g)
{
    struct sizes s = sizes_of(l);
    struct det_conv2d conv = {l->n, l->c_in, l->h, l->w, l->c_out, l->kernel, l->stride, l->pad,
                              s.h_out, s.w_out, l->relu, count};
    struct det_conv_transpose2d deconv = {l->n, l->c_in, l->h, l->w, l->c_out, l->relu, count};
    struct det_linear linear = {l->n, l->c_in, l->c_out, l->relu, count};
    if (l->kind == 0)
        dev->ops->conv2d_backward(dev, &conv, x, w, y, g.dy, g.dx, g.accumulate, g.dw, g.dbias);
    else if (l->kind == 1)
        dev->ops->conv_transpose2d_backward(dev, &deconv, x, w, y, g.dy, g.dx, g.accumulate, g.dw,
                                            g.dbias);
    else
        dev->ops->linear_backward(dev, &linear, x, w, y, g.dy, g.dx, g.accumulate, g.dw, g.dbias);
}

/* wanted: bit 0 dx, 1 dw, 2 dbias, 3 accumulate. */
static void compare_backward(struct pair p, const struct layer *l, struct twin count,
                             struct twin x, struct twin w, struct twin y, int wanted)
{
    struct sizes s = sizes_of(l);
    struct twin dy = twin_uniform(p, s.y, 5, -1, 1), dx = twin_uniform(p, s.x, 6, -1, 1);
    struct twin dw = twin_uniform(p, s.w, 7, -1, 1);
    struct twin db = twin_uniform(p, (size_t)l->c_out, 8, -1, 1);
    poison(p, dy, l);
    struct gradient on_cpu = {CPU(dy), wanted & 1 ? CPU(dx) : NULL, wanted & 2 ? CPU(dw) : NULL,
                              wanted & 4 ? CPU(db) : NULL, (wanted & 8) != 0};
    struct gradient on_cuda = {CUDA(dy), wanted & 1 ? CUDA(dx) : NULL,
                               wanted & 2 ? CUDA(dw) : NULL, wanted & 4 ? CUDA(db) : NULL,
                               (wanted & 8) != 0};
    backward(p.cpu, l, l->live < 0 ? NULL : CPU(count), CPU(x), CPU(w), CPU(y), on_cpu);
    backward(p.cuda, l, l->live < 0 ? NULL : CUDA(count), CUDA(x), CUDA(w), CUDA(y), on_cuda);
    expect_same(p, l->name, "dy behind the rectifier", dy, sizeof(float));
    expect_near_floats(p, l->name, "dx", dx, 2e-6);
    expect_near_floats(p, l->name, "dw", dw, 2e-6);
    expect_near_floats(p, l->name, "dbias", db, 1e-6);
    drop_twin(p, dy);
    drop_twin(p, dx);
    drop_twin(p, dw);
    drop_twin(p, db);
}

static void compare(struct pair p, const struct layer *l)
{
    struct sizes s = sizes_of(l);
    int32_t live = l->live;
    struct twin count = twin_of(p, &live, sizeof live);
    struct twin x = twin_uniform(p, s.x, 1, -1, 1), w = twin_uniform(p, s.w, 2, -1, 1);
    struct twin bias = twin_uniform(p, (size_t)l->c_out, 3, -1, 1);
    poison(p, x, l);
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        struct twin y = twin_floats(p, s.y, SENTINEL);
        forward(p.cpu, l, live < 0 ? NULL : CPU(count), CPU(x), CPU(w),
                with_bias ? CPU(bias) : NULL, CPU(y));
        forward(p.cuda, l, live < 0 ? NULL : CUDA(count), CUDA(x), CUDA(w),
                with_bias ? CUDA(bias) : NULL, CUDA(y));
        expect_near_floats(p, l->name, "y", y, 2e-6);
        p.cuda->ops->upload(p.cuda, CUDA(y), CPU(y), y.bytes); /* the rectifier's zeros are the same */
        for (int wanted = 0; wanted < 16 && with_bias; wanted++)
            compare_backward(p, l, count, x, w, y, wanted);
        drop_twin(p, y);
    }
    drop_twin(p, count);
    drop_twin(p, x);
    drop_twin(p, w);
    drop_twin(p, bias);
}

Test(weighted, every_shape)
{
    struct pair p = open_pair();
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        compare(p, &layers[i]);
    close_pair(p);
}
