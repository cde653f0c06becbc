#include "detector/layers/conv2d.h"

#include "detector/layers/channel_gradient.h"
#include "detector/layers/conv2d_gradient.h"
#include "detector/layers/conv2d_product.h"

void det_conv2d_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared)
{
    size_t forward = det_conv2d_product_scratch(shape);
    size_t weights = det_conv2d_weight_gradient_scratch(shape);
    det_conv2d_input_gradient_scratch(shape, per_worker, shared);
    *per_worker = *per_worker > forward ? *per_worker : forward;
    *per_worker = *per_worker > weights ? *per_worker : weights;
}

void det_conv2d_forward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                        const float *w, const float *bias, float *y)
{
    det_conv2d_product(det_cpu_of(dev), shape, x, w, bias, 0, y);
}

void det_conv2d_backward(struct det_device *dev, const struct det_conv2d *shape, const float *x,
                         const float *w, const float *y, float *dy, float *dx, int accumulate,
                         float *dw, float *dbias)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    det_channel_gradient(cpu, det_live(shape->count, shape->n), shape->c_out,
                         shape->h_out * shape->w_out, shape->relu ? y : NULL, dy, dbias);
    if (dx)
        det_conv2d_input_gradient(cpu, shape, w, dy, dx, accumulate);
    if (dw)
        det_conv2d_weight_gradient(cpu, shape, x, dy, dw);
}
