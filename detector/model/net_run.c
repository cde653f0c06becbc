/* Running a net: its layers in order, and in reverse for the gradients. */
#include "detector/model/net.h"

static const float *weight(const struct det_net *net, int parameter)
{
    return parameter < 0 ? NULL : net->params->slots[parameter].compute;
}

static float *weight_grad(const struct det_net *net, int parameter)
{
    return parameter < 0 ? NULL : net->params->slots[parameter].parameter.grad;
}

/* Mixed precision rounds what convolutions and matrix products read and write to 16 bits. */
static void round_if_mixed(const struct det_net *net, struct det_device *dev, float *x,
                           const struct net_tensor *t, int n)
{
    if (net->round)
        net->round(dev, (size_t)n * (size_t)t->c * (size_t)t->h * (size_t)t->w, x, x);
}

static void forward_norm(const struct det_net *net, struct det_device *dev,
                         const struct net_layer *l, int n, const float *x, float *y)
{
    struct det_norm p = net_norm_shape(net, l, n);
    if (l->kind == NET_GROUP_NORM)
        dev->ops->group_norm_forward(dev, &p, x, weight(net, l->weight), weight(net, l->bias), y,
                                     l->saved);
    else
        dev->ops->frozen_bn_forward(dev, &p, x, weight(net, l->weight), weight(net, l->bias),
                                    weight(net, l->mean), weight(net, l->var), y);
}

static void forward_weighted(const struct det_net *net, struct det_device *dev,
                             const struct net_layer *l, int n, const float *x, float *y)
{
    const float *w = weight(net, l->weight);
    const float *b = weight(net, l->bias);
    if (l->kind == NET_CONV2D) {
        struct det_conv2d p = net_conv2d_shape(net, l, n);
        dev->ops->conv2d_forward(dev, &p, x, w, b, y);
    } else if (l->kind == NET_CONV_TRANSPOSE2D) {
        struct det_conv_transpose2d p = net_deconv_shape(net, l, n);
        dev->ops->conv_transpose2d_forward(dev, &p, x, w, b, y);
    } else {
        struct det_linear p = net_linear_shape(net, l, n);
        dev->ops->linear_forward(dev, &p, x, w, b, y);
    }
}

static void forward_layer(const struct det_net *net, struct det_device *dev,
                          const struct net_layer *l, int n)
{
    const struct net_tensor *out = &net->tensors[l->out];
    const float *x = net->tensors[l->in].value;
    switch (l->kind) {
    case NET_CONV2D:
    case NET_CONV_TRANSPOSE2D:
    case NET_LINEAR:
        forward_weighted(net, dev, l, n, x, out->value);
        break;
    case NET_GROUP_NORM:
    case NET_FROZEN_BN:
        forward_norm(net, dev, l, n, x, out->value);
        break;
    case NET_ADD:
        dev->ops->add_forward(dev, (size_t)n * (size_t)out->c * (size_t)out->h * (size_t)out->w,
                              l->relu, x, net->tensors[l->in2].value, out->value);
        break;
    case NET_MAX_POOL2D: {
        struct det_pool2d p = net_pool_shape(net, l, n);
        dev->ops->max_pool2d_forward(dev, &p, x, out->value, l->saved);
        break;
    }
    case NET_UPSAMPLE: {
        struct det_upsample p = net_upsample_shape(net, l, n);
        dev->ops->upsample_forward(dev, &p, x, out->value);
        break;
    }
    }
    round_if_mixed(net, dev, out->value, out, n);
}

void net_forward(struct det_net *net, struct det_device *dev, int n)
{
    const struct net_tensor *input = &net->tensors[net->input];
    round_if_mixed(net, dev, input->value, input, n);
    for (int i = 0; i < net->n_layers; i++)
        forward_layer(net, dev, &net->layers[i], n);
}

/* The gradient to write to for an input, and whether something stands there already. */
static float *claim(struct net_tensor *t, int *accumulate)
{
    *accumulate = t->written;
    t->written = 1;
    return t->wants_grad ? t->grad : NULL;
}

static void backward_weighted(const struct det_net *net, struct det_device *dev,
                              const struct net_layer *l, int n, float *dx, int accumulate)
{
    const struct net_tensor *in = &net->tensors[l->in];
    const struct net_tensor *out = &net->tensors[l->out];
    const float *w = weight(net, l->weight);
    float *dw = weight_grad(net, l->weight);
    float *db = weight_grad(net, l->bias);
    if (l->kind == NET_CONV2D) {
        struct det_conv2d p = net_conv2d_shape(net, l, n);
        dev->ops->conv2d_backward(dev, &p, in->value, w, out->value, out->grad, dx, accumulate, dw,
                                  db);
    } else if (l->kind == NET_CONV_TRANSPOSE2D) {
        struct det_conv_transpose2d p = net_deconv_shape(net, l, n);
        dev->ops->conv_transpose2d_backward(dev, &p, in->value, w, out->value, out->grad, dx,
                                            accumulate, dw, db);
    } else {
        struct det_linear p = net_linear_shape(net, l, n);
        dev->ops->linear_backward(dev, &p, in->value, w, out->value, out->grad, dx, accumulate, dw,
                                  db);
    }
}

static void backward_norm(const struct det_net *net, struct det_device *dev,
                          const struct net_layer *l, int n, float *dx, int accumulate)
{
    struct det_norm p = net_norm_shape(net, l, n);
    const struct net_tensor *out = &net->tensors[l->out];
    if (l->kind == NET_GROUP_NORM)
        dev->ops->group_norm_backward(dev, &p, net->tensors[l->in].value, weight(net, l->weight),
                                      out->value, l->saved, out->grad, dx, accumulate,
                                      weight_grad(net, l->weight), weight_grad(net, l->bias));
    else
        dev->ops->frozen_bn_backward(dev, &p, weight(net, l->weight), weight(net, l->var),
                                     out->value, out->grad, dx, accumulate);
}

static void backward_add(struct det_net *net, struct det_device *dev, const struct net_layer *l,
                         int n, float *da, int accumulate_a)
{
    const struct net_tensor *out = &net->tensors[l->out];
    int accumulate_b;
    float *db = claim(&net->tensors[l->in2], &accumulate_b);
    dev->ops->add_backward(dev, (size_t)n * (size_t)out->c * (size_t)out->h * (size_t)out->w,
                           l->relu, out->value, out->grad, da, accumulate_a, db, accumulate_b);
}

static void backward_layer(struct det_net *net, struct det_device *dev, const struct net_layer *l,
                           int n)
{
    struct net_tensor *in = &net->tensors[l->in];
    const struct net_tensor *out = &net->tensors[l->out];
    int accumulate;
    round_if_mixed(net, dev, out->grad, out, n);
    float *dx = claim(in, &accumulate);
    switch (l->kind) {
    case NET_CONV2D:
    case NET_CONV_TRANSPOSE2D:
    case NET_LINEAR:
        backward_weighted(net, dev, l, n, dx, accumulate);
        break;
    case NET_GROUP_NORM:
    case NET_FROZEN_BN:
        backward_norm(net, dev, l, n, dx, accumulate);
        break;
    case NET_ADD:
        backward_add(net, dev, l, n, dx, accumulate);
        break;
    case NET_MAX_POOL2D: {
        struct det_pool2d p = net_pool_shape(net, l, n);
        dev->ops->max_pool2d_backward(dev, &p, l->saved, out->grad, dx, accumulate);
        break;
    }
    case NET_UPSAMPLE: {
        struct det_upsample p = net_upsample_shape(net, l, n);
        dev->ops->upsample_backward(dev, &p, out->grad, dx, accumulate);
        break;
    }
    }
}

void net_zero_external(struct det_net *net, struct det_device *dev)
{
    for (int i = 0; i < net->n_tensors; i++) {
        const struct net_tensor *t = &net->tensors[i];
        size_t row = (size_t)t->c * (size_t)t->h * (size_t)t->w;
        if (t->external_grad == NET_GRAD_ADDED && t->wants_grad)
            dev->ops->zero(dev, t->grad, (size_t)net->train_rows * row * sizeof(float));
    }
}

void net_backward(struct det_net *net, struct det_device *dev, int n)
{
    for (int i = 0; i < net->n_tensors; i++)
        net->tensors[i].written = net->tensors[i].external_grad != NET_GRAD_INSIDE;
    for (int i = net->n_layers - 1; i >= 0; i--)
        if (net->tensors[net->layers[i].out].wants_grad)
            backward_layer(net, dev, &net->layers[i], n);
}
