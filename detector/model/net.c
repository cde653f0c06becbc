/* Declaring a net's layers. */
#include "detector/model/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void net_begin(struct det_net *net, struct det_parameters *params, int rows, int train_rows,
               struct det_error *err)
{
    memset(net, 0, sizeof *net);
    net->params = params;
    net->rows = rows;
    net->train_rows = train_rows;
    net->err = err;
}

static void *grow(struct det_net *net, void *old, int n, int *capacity, size_t size)
{
    if (n < *capacity)
        return old;
    int wanted = *capacity ? 2 * *capacity : 64;
    void *block = realloc(old, (size_t)wanted * size);
    if (!block) {
        net->code = det_fail(net->err, DET_NO_MEMORY, "layer table of %d", wanted);
        return old;
    }
    *capacity = wanted;
    return block;
}

static int add_tensor(struct det_net *net, int c, int h, int w, int wants_grad)
{
    net->tensors =
        grow(net, net->tensors, net->n_tensors, &net->tensor_capacity, sizeof *net->tensors);
    if (net->code != DET_OK)
        return 0;
    net->tensors[net->n_tensors] = (struct net_tensor){
        .n = net->rows, .c = c, .h = h, .w = w, .wants_grad = wants_grad, .value_of = -1};
    return net->n_tensors++;
}

static struct net_layer *add_layer(struct det_net *net, enum net_layer_kind kind, int in)
{
    static struct net_layer nowhere; /* what a failed net writes to */
    if (net->code == DET_OK)
        net->layers =
            grow(net, net->layers, net->n_layers, &net->layer_capacity, sizeof *net->layers);
    if (net->code != DET_OK)
        return &nowhere;
    struct net_layer *l = &net->layers[net->n_layers++];
    *l = (struct net_layer){
        .kind = kind, .in = in, .in2 = -1, .weight = -1, .bias = -1, .mean = -1, .var = -1};
    return l;
}

static int add_parameter(struct det_net *net, const char *prefix, const char *suffix, int n_dims,
                         const int *dims, enum det_init init, int fan_in, int trainable, int buffer)
{
    if (net->code != DET_OK)
        return 0;
    char name[96];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    int index = det_parameters_add(net->params, name, n_dims, dims, init, fan_in, trainable, buffer,
                                   net->err);
    if (index < 0)
        net->code = DET_NO_MEMORY;
    return index;
}

static int find_parameter(const struct det_net *net, const char *prefix, const char *suffix)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    for (size_t i = 0; i < net->params->n; i++)
        if (strcmp(net->params->slots[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int trainable(const struct det_net *net, int parameter)
{
    return parameter >= 0 && net->params->slots[parameter].parameter.trainable;
}

/* The layer's output; it wants a gradient if its input or its weights do. */
static int finish(struct det_net *net, struct net_layer *l, int c, int h, int w)
{
    if (net->code != DET_OK)
        return 0;
    int wants = net->tensors[l->in].wants_grad || trainable(net, l->weight) ||
                trainable(net, l->bias) || (l->in2 >= 0 && net->tensors[l->in2].wants_grad);
    l->out = add_tensor(net, c, h, w, wants);
    return l->out;
}

static struct net_tensor tensor_at(const struct det_net *net, int i)
{
    return net->code == DET_OK ? net->tensors[i] : (struct net_tensor){.n = 1, .c = 1, .h = 1, .w = 1};
}

int net_input(struct det_net *net, int c, int h, int w, int wants_grad)
{
    return net->input = add_tensor(net, c, h, w, wants_grad);
}

static int convolved(int size, int kernel, int stride, int pad)
{
    return (size + 2 * pad - kernel) / stride + 1;
}

static void conv_weights(struct det_net *net, struct net_layer *l, const char *prefix, int c_in,
                         const struct net_conv *conv)
{
    if (conv->share) {
        l->weight = find_parameter(net, conv->share, "weight");
        l->bias = find_parameter(net, conv->share, "bias");
        return;
    }
    int dims[4] = {conv->c_out, c_in, conv->kernel, conv->kernel};
    int fan_in = c_in * conv->kernel * conv->kernel;
    l->weight = add_parameter(net, prefix, "weight", 4, dims, conv->init, 0, conv->trainable, 0);
    if (conv->bias)
        l->bias = add_parameter(net, prefix, "bias", 1, dims, conv->bias_init, fan_in,
                                conv->trainable, 0);
}

int net_conv2d(struct det_net *net, const char *prefix, int in, const struct net_conv *conv)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_CONV2D, in);
    l->kernel = conv->kernel;
    l->stride = conv->stride;
    l->pad = conv->pad;
    l->relu = conv->relu;
    conv_weights(net, l, prefix, x.c, conv);
    return finish(net, l, conv->c_out, convolved(x.h, conv->kernel, conv->stride, conv->pad),
                  convolved(x.w, conv->kernel, conv->stride, conv->pad));
}

int net_conv_transpose2d(struct det_net *net, const char *prefix, int in, int c_out, int relu)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_CONV_TRANSPOSE2D, in);
    l->relu = relu;
    int dims[4] = {x.c, c_out, 2, 2};
    /* torch's fan-in of a transposed convolution is that of dimension 1, its outputs. */
    l->weight = add_parameter(net, prefix, "weight", 4, dims, DET_INIT_KAIMING_NORMAL_FAN_OUT, 0, 1, 0);
    l->bias = add_parameter(net, prefix, "bias", 1, &c_out, DET_INIT_FAN_IN_UNIFORM, 4 * c_out, 1, 0);
    return finish(net, l, c_out, 2 * x.h, 2 * x.w);
}

int net_linear(struct det_net *net, const char *prefix, int in, int out, int relu)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_LINEAR, in);
    l->relu = relu;
    int dims[2] = {out, x.c * x.h * x.w};
    l->weight = add_parameter(net, prefix, "weight", 2, dims, DET_INIT_FAN_IN_UNIFORM, 0, 1, 0);
    l->bias = add_parameter(net, prefix, "bias", 1, dims, DET_INIT_FAN_IN_UNIFORM, dims[1], 1, 0);
    return finish(net, l, out, 1, 1);
}

int net_group_norm(struct det_net *net, const char *prefix, int in, int groups, int relu,
                   int is_trainable)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_GROUP_NORM, in);
    l->groups = groups < x.c ? groups : x.c;
    l->relu = relu;
    l->weight = add_parameter(net, prefix, "weight", 1, &x.c, DET_INIT_ONE, 0, is_trainable, 0);
    l->bias = add_parameter(net, prefix, "bias", 1, &x.c, DET_INIT_ZERO, 0, is_trainable, 0);
    return finish(net, l, x.c, x.h, x.w);
}

int net_frozen_bn(struct det_net *net, const char *prefix, int in, int relu)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_FROZEN_BN, in);
    l->relu = relu;
    l->weight = add_parameter(net, prefix, "weight", 1, &x.c, DET_INIT_ONE, 0, 0, 1);
    l->bias = add_parameter(net, prefix, "bias", 1, &x.c, DET_INIT_ZERO, 0, 0, 1);
    l->mean = add_parameter(net, prefix, "running_mean", 1, &x.c, DET_INIT_ZERO, 0, 0, 1);
    l->var = add_parameter(net, prefix, "running_var", 1, &x.c, DET_INIT_ONE, 0, 0, 1);
    int out = finish(net, l, x.c, x.h, x.w);
    if (net->code == DET_OK)
        net->tensors[out].value_of = in; /* in place: backward needs the output only */
    return out;
}

int net_add(struct det_net *net, int a, int b, int relu)
{
    struct net_tensor x = tensor_at(net, a);
    struct net_layer *l = add_layer(net, NET_ADD, a);
    l->in2 = b;
    l->relu = relu;
    return finish(net, l, x.c, x.h, x.w);
}

int net_max_pool2d(struct det_net *net, int in, int kernel, int stride, int pad)
{
    struct net_tensor x = tensor_at(net, in);
    struct net_layer *l = add_layer(net, NET_MAX_POOL2D, in);
    l->kernel = kernel;
    l->stride = stride;
    l->pad = pad;
    return finish(net, l, x.c, convolved(x.h, kernel, stride, pad),
                  convolved(x.w, kernel, stride, pad));
}

int net_upsample(struct det_net *net, int in, int h, int w)
{
    struct net_tensor x = tensor_at(net, in);
    return finish(net, add_layer(net, NET_UPSAMPLE, in), x.c, h, w);
}

void net_mark_external(struct det_net *net, int tensor)
{
    if (net->code == DET_OK)
        net->tensors[tensor].external_grad = NET_GRAD_ADDED;
}

void net_mark_output(struct det_net *net, int tensor)
{
    if (net->code == DET_OK)
        net->tensors[tensor].external_grad = NET_GRAD_WRITTEN;
}
