/* A net: a list of layers over tensors, run forwards and, in reverse, backwards.
 *
 * The parts of the detector (trunk, box head, mask head) declare their layers once, at set-up; the
 * net then plans its memory: values live as long as the net, gradients only as long as the backward
 * pass needs them. Running it calls the backend's table and allocates nothing. */
#ifndef DET_MODEL_NET_H
#define DET_MODEL_NET_H

#include "detector/backend/backend.h"
#include "detector/model/parameters.h"

enum net_layer_kind {
    NET_CONV2D,
    NET_CONV_TRANSPOSE2D,
    NET_LINEAR,
    NET_GROUP_NORM,
    NET_FROZEN_BN,
    NET_ADD,
    NET_MAX_POOL2D,
    NET_UPSAMPLE,
};

/* Who writes a gradient before the backward pass starts. */
enum net_grad_source {
    NET_GRAD_INSIDE,   /* nobody: the tensor's consumers do, while it runs */
    NET_GRAD_ADDED,    /* RoIAlign adds to it: net_mark_external */
    NET_GRAD_WRITTEN,  /* a loss writes it: net_mark_output */
};

struct net_tensor {
    int n, c, h, w;       /* n: rows in training or inference, whichever is more */
    float *value, *grad;  /* grad: NULL where none is wanted */
    size_t value_offset, grad_offset;
    int value_of;         /* shares the value of that tensor (in-place layer), or -1 */
    int wants_grad;
    enum net_grad_source external_grad;
    int written;          /* backward: grad holds something */
};

struct net_layer {
    enum net_layer_kind kind;
    int in, in2, out;           /* tensors; in2 only of NET_ADD */
    int weight, bias, mean, var; /* parameters, -1 where absent */
    int relu;
    int kernel, stride, pad, groups;
    void *saved;                /* group norm: statistics; max pool: arg-max */
    size_t saved_offset;
};

struct det_net {
    struct net_tensor *tensors; /* owned */
    int n_tensors, tensor_capacity;
    int input;                  /* the tensor that comes from outside */
    struct net_layer *layers; /* owned */
    int n_layers, layer_capacity;
    struct det_parameters *params; /* shared with the model's other nets */
    int rows;                      /* n of every tensor */
    int train_rows;                /* rows of the gradients */
    const int32_t *count;          /* live rows on the device; NULL: as the caller of forward says */
    det_round *round;              /* mixed precision: of activations and their gradients, or NULL */
    void *memory;                  /* device block, owned */
    size_t bytes;
    enum det_code code;            /* first failure while declaring */
    struct det_error *err;
};

/* ---- declaring. Each returns the index of the output tensor; after a failure (net->code) all of
 * them do nothing and return 0. Weight names are torchvision's, `prefix` + ".weight" and ".bias". */
void net_begin(struct det_net *net, struct det_parameters *params, int rows, int train_rows,
               struct det_error *err);
/* The one tensor that comes from outside; mixed precision rounds it before the layers read it. */
int net_input(struct det_net *net, int c, int h, int w, int wants_grad);
struct net_conv {
    int c_out, kernel, stride, pad;
    int bias, relu, trainable;
    enum det_init init, bias_init;
    const char *share; /* NULL, or the prefix of an earlier convolution whose weights this one uses */
};
int net_conv2d(struct det_net *net, const char *prefix, int in, const struct net_conv *conv);
int net_conv_transpose2d(struct det_net *net, const char *prefix, int in, int c_out, int relu);
int net_linear(struct det_net *net, const char *prefix, int in, int out, int relu);
int net_group_norm(struct det_net *net, const char *prefix, int in, int groups, int relu,
                   int trainable);
int net_frozen_bn(struct det_net *net, const char *prefix, int in, int relu);
int net_add(struct det_net *net, int a, int b, int relu);
int net_max_pool2d(struct det_net *net, int in, int kernel, int stride, int pad);
int net_upsample(struct det_net *net, int in, int h, int w);

/* The tensor's gradient is added to from outside before backward runs (RoIAlign): it must be zeroed
 * with net_zero_external, and backward accumulates onto it. */
void net_mark_external(struct det_net *net, int tensor);
/* The tensor's gradient is written from outside before backward runs (a loss). */
void net_mark_output(struct det_net *net, int tensor);

/* ---- planning: takes the device memory, reserves scratch. */
enum det_code net_plan(struct det_net *net, struct det_device *dev, struct det_error *err);
void net_release(struct det_net *net, struct det_device *dev);

/* ---- running. n: live rows (where net->count is NULL). */
void net_forward(struct det_net *net, struct det_device *dev, int n);
void net_zero_external(struct det_net *net, struct det_device *dev);
void net_backward(struct det_net *net, struct det_device *dev, int n);

/* ---- the backend's descriptions of a layer, for n rows (also used to plan scratch). */
struct det_conv2d net_conv2d_shape(const struct det_net *net, const struct net_layer *l, int n);
struct det_conv_transpose2d net_deconv_shape(const struct det_net *net, const struct net_layer *l,
                                             int n);
struct det_linear net_linear_shape(const struct det_net *net, const struct net_layer *l, int n);
struct det_norm net_norm_shape(const struct det_net *net, const struct net_layer *l, int n);
struct det_pool2d net_pool_shape(const struct det_net *net, const struct net_layer *l, int n);
struct det_upsample net_upsample_shape(const struct det_net *net, const struct net_layer *l, int n);

/* Offsets for gradients by lifetime in the backward pass; returns the floats needed. */
size_t net_plan_gradients(struct det_net *net);

#endif
