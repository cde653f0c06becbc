/* The fully connected layer. Products run over the maximum of rows, on copies whose dead rows are
 * zero: whatever lies in dead rows (NaN not excepted) reaches nothing. */
#include "detector/backend/cuda/channel_gradient.cuh"
#include "detector/backend/cuda/gemm.cuh"
#include "detector/bodies/affine.h"

/* to [n, columns] = the live rows of from, zero below. */
static void copy_live(struct det_cuda *cuda, const char *op, const struct det_linear *s,
                      int columns, const float *from, float *to)
{
    const int32_t *count = s->count;
    int n = s->n;
    det_cuda_each(cuda, op, (size_t)n * (size_t)columns, [=] __device__(size_t i) {
        to[i] = i / (size_t)columns < (size_t)det_live_rows(count, n) ? from[i] : 0.0f;
    });
}

void det_cuda_linear_forward(struct det_device *dev, const struct det_linear *shape,
                             const float *x, const float *w, const float *bias, float *y)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    struct det_linear s = *shape;
    size_t n = (size_t)s.n * (size_t)s.out;
    float *z = (float *)det_cuda_scratch(cuda, "linear_forward", n * sizeof *z);
    det_cuda_gemm(cuda, "linear_forward", 0, 1, s.n, s.out, s.in, x, s.in, w, s.in, 0.0f, z, s.out);
    det_cuda_each(cuda, "linear_forward", n, [=] __device__(size_t i) {
        if (i / (size_t)s.out < (size_t)det_live_rows(s.count, s.n))
            y[i] = det_biased(z[i], bias ? bias[i % (size_t)s.out] : 0.0f, s.relu);
    });
}

struct gradients { /* scratch of backward */
    float *dy, *x, *dx;
};

static size_t cut(const struct det_linear *s, void *block, struct gradients *g)
{
    struct det_cut cut = {(unsigned char *)block, 0};
    size_t in = (size_t)s->n * (size_t)s->in * sizeof(float);
    g->dy = (float *)det_cut_take(&cut, (size_t)s->n * (size_t)s->out * sizeof(float));
    g->x = (float *)det_cut_take(&cut, in);
    g->dx = g->x; /* once dw is made */
    return cut.used;
}

static void input_gradient(struct det_cuda *cuda, const struct det_linear *shape,
                           const struct gradients *g, const float *w, float *dx, int accumulate)
{
    struct det_linear s = *shape;
    const float *z = g->dx;
    det_cuda_gemm(cuda, "linear_backward", 0, 0, s.n, s.in, s.out, g->dy, s.out, w, s.in, 0.0f,
                  g->dx, s.in);
    det_cuda_each(cuda, "linear_backward", (size_t)s.n * (size_t)s.in, [=] __device__(size_t i) {
        if (i / (size_t)s.in < (size_t)det_live_rows(s.count, s.n))
            dx[i] = accumulate ? dx[i] + z[i] : z[i];
    });
}

void det_cuda_linear_backward(struct det_device *dev, const struct det_linear *shape,
                              const float *x, const float *w, const float *y, float *dy, float *dx,
                              int accumulate, float *dw, float *dbias)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    const char *op = "linear_backward";
    struct gradients g;
    void *block = det_cuda_scratch(cuda, op, cut(shape, NULL, &g));
    cut(shape, block, &g);
    det_cuda_channel_gradient(cuda, op, shape->n, shape->out, 1, shape->count,
                              shape->relu ? y : NULL, dy, dbias);
    copy_live(cuda, op, shape, shape->out, dy, g.dy);
    if (dw) {
        copy_live(cuda, op, shape, shape->in, x, g.x);
        det_cuda_gemm(cuda, op, 1, 0, shape->out, shape->in, shape->n, g.dy, shape->out, g.x,
                      shape->in, 1.0f, dw, shape->in);
    }
    if (dx)
        input_gradient(cuda, shape, &g, w, dx, accumulate);
}
