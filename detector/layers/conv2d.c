#include "detector/layers/conv2d.h"

#include "detector/layers/channel_gradient.h"
#include "detector/layers/conv2d_gradient.h"
#include "detector/layers/conv2d_product.h"
#include "detector/layers/conv2d_sparse.h"
#include "detector/layers/conv2d_winograd.h"
#include "detector/layers/integers.h"

void det_conv2d_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared)
{
    size_t worker, all;
    *per_worker = *shared = 0;
    if (shape->n == 0) /* no image: nothing to cut into tiles, here and below */
        return;
    *per_worker = det_conv2d_product_scratch(shape);
    if (det_conv2d_winograd_can(shape)) {
        det_conv2d_winograd_scratch(shape, &worker, &all);
        det_at_least(per_worker, worker);
        det_at_least(shared, all);
    }
    det_conv2d_input_gradient_scratch(shape, &worker, &all);
    det_at_least(per_worker, worker);
    det_at_least(shared, all);
    det_conv2d_weight_gradient_scratch(shape, &worker, &all);
    det_at_least(per_worker, worker);
    det_at_least(shared, all);
    det_conv2d_sparse_scratch(shape, &worker, &all);
    det_at_least(per_worker, worker);
    det_at_least(shared, all);
}

void det_conv2d_forward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                        const float *w, const float *bias, float *y)
{
    const struct det_cpu *cpu = det_cpu_of(dev);
    if (shape->n == 0)
        return;
    if (det_conv2d_winograd_suits(shape))
        det_conv2d_winograd(cpu, shape, x, w, 0, bias, 0, y);
    else
        det_conv2d_product(cpu, shape, x, w, bias, 0, y);
}

void det_conv2d_backward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                         const float *w, const float *y, float *dy, float *dx, int accumulate,
                         float *dw, float *dbias)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    det_channel_gradient(cpu, det_live(shape->count, shape->n), shape->c_out,
                         shape->h_out * shape->w_out, shape->relu ? y : NULL, dy, dbias);
    if (shape->n == 0 || (!dx && !dw))
        return;
    if (det_conv2d_sparse_gradient(cpu, shape, x, w, dy, dx, accumulate, dw))
        return;
    if (dx)
        det_conv2d_input_gradient(cpu, shape, w, dy, dx, accumulate);
    if (dw)
        det_conv2d_weight_gradient(cpu, shape, x, dy, dw);
}
