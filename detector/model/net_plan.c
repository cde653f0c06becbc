/* Planning a net: device memory for values, gradients and what backward needs saved; scratch. */
#include "detector/layers/conv2d.h"
#include "detector/layers/conv_transpose2d.h"
#include "detector/layers/linear.h"
#include "detector/layers/norms.h"
#include "detector/model/net.h"

#include <stdlib.h>
#include <string.h>

struct det_conv2d net_conv2d_shape(const struct det_net *net, const struct net_layer *l, int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    const struct net_tensor *y = &net->tensors[l->out];
    return (struct det_conv2d){.n = n, .c_in = x->c, .h_in = x->h, .w_in = x->w, .c_out = y->c,
                               .kernel = l->kernel, .stride = l->stride, .pad = l->pad,
                               .h_out = y->h, .w_out = y->w, .relu = l->relu, .count = net->count};
}

struct det_conv_transpose2d net_deconv_shape(const struct det_net *net, const struct net_layer *l,
                                             int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    return (struct det_conv_transpose2d){.n = n, .c_in = x->c, .h_in = x->h, .w_in = x->w,
                                         .c_out = net->tensors[l->out].c, .relu = l->relu,
                                         .count = net->count};
}

struct det_linear net_linear_shape(const struct det_net *net, const struct net_layer *l, int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    return (struct det_linear){.n = n, .in = x->c * x->h * x->w, .out = net->tensors[l->out].c,
                               .relu = l->relu, .count = net->count};
}

struct det_norm net_norm_shape(const struct det_net *net, const struct net_layer *l, int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    return (struct det_norm){.n = n, .c = x->c, .h = x->h, .w = x->w,
                             .groups = l->kind == NET_GROUP_NORM ? l->groups : 0, .eps = 1e-5f,
                             .relu = l->relu};
}

struct det_pool2d net_pool_shape(const struct det_net *net, const struct net_layer *l, int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    const struct net_tensor *y = &net->tensors[l->out];
    return (struct det_pool2d){.n = n, .c = x->c, .h_in = x->h, .w_in = x->w, .kernel = l->kernel,
                               .stride = l->stride, .pad = l->pad, .h_out = y->h, .w_out = y->w};
}

struct det_upsample net_upsample_shape(const struct det_net *net, const struct net_layer *l, int n)
{
    const struct net_tensor *x = &net->tensors[l->in];
    const struct net_tensor *y = &net->tensors[l->out];
    return (struct det_upsample){.n = n, .c = x->c, .h_in = x->h, .w_in = x->w, .h_out = y->h,
                                 .w_out = y->w};
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t elements(const struct net_tensor *t)
{
    return (size_t)t->n * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

static size_t plan_values(struct det_net *net)
{
    size_t bytes = 0;
    for (int i = 0; i < net->n_tensors; i++) {
        struct net_tensor *t = &net->tensors[i];
        if (t->value_of >= 0)
            continue;
        t->value_offset = bytes;
        bytes += round_up(elements(t) * sizeof(float));
    }
    return bytes;
}

/* Group norm keeps [n, groups, 2] statistics, max pooling its arg-max. */
static size_t saved_bytes(const struct det_net *net, const struct net_layer *l)
{
    if (l->kind == NET_GROUP_NORM)
        return (size_t)net->rows * (size_t)l->groups * 2 * sizeof(float);
    if (l->kind == NET_MAX_POOL2D)
        return elements(&net->tensors[l->out]) * sizeof(int32_t);
    return 0;
}

static size_t plan_saved(struct det_net *net, size_t bytes)
{
    for (int i = 0; i < net->n_layers; i++) {
        net->layers[i].saved_offset = bytes;
        bytes += round_up(saved_bytes(net, &net->layers[i]));
    }
    return bytes;
}

static void point_into_memory(struct det_net *net, size_t gradients)
{
    char *base = net->memory;
    for (int i = 0; i < net->n_tensors; i++) {
        struct net_tensor *t = &net->tensors[i];
        /* In-place layers come after the tensor whose value they share. */
        t->value = t->value_of >= 0 ? net->tensors[t->value_of].value
                                    : (float *)(void *)(base + t->value_offset);
        if (t->wants_grad)
            t->grad = (float *)(void *)(base + gradients) + t->grad_offset;
    }
    for (int i = 0; i < net->n_layers; i++)
        net->layers[i].saved = base + net->layers[i].saved_offset;
}

static void layer_scratch(const struct det_net *net, const struct net_layer *l, size_t *per_worker,
                          size_t *shared)
{
    *per_worker = 0;
    *shared = 0;
    if (l->kind == NET_CONV2D) {
        struct det_conv2d p = net_conv2d_shape(net, l, net->rows);
        det_conv2d_scratch(&p, per_worker, shared);
    } else if (l->kind == NET_CONV_TRANSPOSE2D) {
        struct det_conv_transpose2d p = net_deconv_shape(net, l, net->rows);
        det_conv_transpose2d_scratch(&p, per_worker, shared);
    } else if (l->kind == NET_LINEAR) {
        struct det_linear p = net_linear_shape(net, l, net->rows);
        det_linear_scratch(&p, per_worker, shared);
    } else if (l->kind == NET_GROUP_NORM) {
        struct det_norm p = net_norm_shape(net, l, net->rows);
        det_group_norm_scratch(&p, per_worker, shared);
    }
}

static enum det_code reserve_scratch(const struct det_net *net, struct det_device *dev,
                                     struct det_error *err)
{
    size_t worker = 0;
    size_t shared = 0;
    for (int i = 0; i < net->n_layers; i++) {
        size_t w;
        size_t s;
        layer_scratch(net, &net->layers[i], &w, &s);
        worker = w > worker ? w : worker;
        shared = s > shared ? s : shared;
    }
    return dev->ops->reserve_scratch(dev, worker, shared, err);
}

enum det_code net_plan(struct det_net *net, struct det_device *dev, struct det_error *err)
{
    if (net->code != DET_OK)
        return net->code;
    size_t values = plan_saved(net, plan_values(net));
    size_t gradients = net_plan_gradients(net);
    if (net->code != DET_OK)
        return net->code;
    net->bytes = values + gradients * sizeof(float);
    enum det_code code = dev->ops->alloc(dev, net->bytes, "activations", &net->memory, err);
    if (code != DET_OK)
        return code;
    point_into_memory(net, values);
    return reserve_scratch(net, dev, err);
}

void net_release(struct det_net *net, struct det_device *dev)
{
    if (net->memory)
        dev->ops->release(dev, net->memory);
    free(net->tensors);
    free(net->layers);
    memset(net, 0, sizeof *net);
}
