/* Nets: gradients that share memory never meet, shared weights add up, what is not wanted is not
 * made, and a device without memory is an error that leaves nothing behind. */
#include "suites/model_suite.h"

/* ---- the plan of gradients ---- */

/* Who owns each float of the gradients' memory, played through the backward pass. */
struct play {
    const struct det_net *net;
    int *owner; /* [floats], tensor or -1 */
    float *base;
    int shared; /* a float had two owners in the course of it */
    int handed; /* sums that left their gradient to a summand */
};

static size_t floats_of(const struct det_net *net, const struct net_tensor *t)
{
    return (size_t)net->train_rows * (size_t)t->c * (size_t)t->h * (size_t)t->w;
}

static void write_gradient(struct play *p, int tensor)
{
    const struct net_tensor *t = &p->net->tensors[tensor];
    size_t at = (size_t)(t->grad - p->base);
    for (size_t k = at; k < at + floats_of(p->net, t); k++) {
        p->shared |= p->owner[k] >= 0 && p->owner[k] != tensor;
        p->owner[k] = tensor;
    }
}

static void read_gradient(struct play *p, int tensor, const char *what)
{
    const struct net_tensor *t = &p->net->tensors[tensor];
    size_t at = (size_t)(t->grad - p->base);
    for (size_t k = at; k < at + floats_of(p->net, t); k++)
        cr_assert_eq(p->owner[k], tensor, "%s: gradient of tensor %d was overwritten by %d", what,
                     tensor, p->owner[k]);
}

/* A sum that leaves its gradient where it lies to a summand that nobody has written to. */
static int hands_over(const struct play *p, const struct net_layer *layer, const int *written)
{
    const struct net_tensor *in = &p->net->tensors[layer->in];
    return layer->kind == NET_ADD && in->wants_grad && !written[layer->in] &&
           in->grad == p->net->tensors[layer->out].grad;
}

static void play_backward(struct play *p, const char *what)
{
    int *written = calloc((size_t)p->net->n_tensors, sizeof *written);
    for (int t = 0; t < p->net->n_tensors; t++)
        if (p->net->tensors[t].external_grad != NET_GRAD_INSIDE && p->net->tensors[t].wants_grad) {
            write_gradient(p, t);
            written[t] = 1;
        }
    for (int l = p->net->n_layers - 1; l >= 0; l--) {
        const struct net_layer *layer = &p->net->layers[l];
        const int ins[2] = {layer->in, layer->in2};
        if (!p->net->tensors[layer->out].wants_grad)
            continue;
        cr_assert(written[layer->out], "%s: layer %d reads a gradient that nobody wrote", what, l);
        read_gradient(p, layer->out, what);
        int handed = hands_over(p, layer, written);
        for (int k = handed; k < 2; k++) {
            if (ins[k] < 0 || !p->net->tensors[ins[k]].wants_grad)
                continue;
            if (written[ins[k]])
                read_gradient(p, ins[k], what); /* it accumulates */
            write_gradient(p, ins[k]);
            written[ins[k]] = 1;
            /* it must not have been written over what this layer is reading */
            read_gradient(p, layer->out, what);
        }
        if (handed) {
            write_gradient(p, layer->in);
            written[layer->in] = 1;
            p->handed++;
        }
    }
    free(written);
}

static void check_plan(const struct det_net *net, const char *what, int must_share)
{
    struct play p = {.net = net};
    size_t end = 0;
    for (int t = 0; t < net->n_tensors; t++)
        if (net->tensors[t].wants_grad && (!p.base || net->tensors[t].grad < p.base))
            p.base = net->tensors[t].grad;
    for (int t = 0; t < net->n_tensors; t++) {
        const struct net_tensor *x = &net->tensors[t];
        size_t to = x->wants_grad ? (size_t)(x->grad - p.base) + floats_of(net, x) : 0;
        end = to > end ? to : end;
    }
    cr_assert_leq((size_t)((char *)(p.base + end) - (char *)net->memory), net->bytes, "%s", what);
    p.owner = malloc(end * sizeof *p.owner);
    for (size_t k = 0; k < end; k++)
        p.owner[k] = -1;
    play_backward(&p, what);
    if (must_share)
        cr_expect(p.shared && p.handed > 0, "%s: no memory is shared, or by no sum", what);
    free(p.owner);
}

Test(net, gradients_that_share_memory_never_meet)
{
    static const char *const variants[][6] = {
        {NULL},
        {"model.block", "bottleneck", "model.layers", "[2, 1, 2, 1]", NULL},
        {"model.norm", "frozen_bn", "train.freeze_stages", "3", NULL},
        {"train.freeze_stages", "5", "model.mask_convs", "4", NULL},
    };
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        struct det_config config = small_config();
        for (int i = 0; variants[v][i]; i += 2)
            set(&config, variants[v][i], variants[v][i + 1]);
        struct small s = small_open(&config, 1);
        check_plan(&s.model->trunk, "trunk", 1);
        check_plan(&s.model->box_head, "box head", 0);
        check_plan(&s.model->mask_head, "mask head", 0);
        small_close(&s);
    }
}

/* ---- a net of our own ---- */

struct own {
    struct det_device *dev;
    struct det_parameters params;
    struct det_net net;
    int x, y1, y2;
};

/* x to two 1x1 convolutions with one weight; both outputs get gradients from outside. */
static void own_open(struct own *o, int wants_input_gradient, int trainable)
{
    struct det_error err = {0};
    *o = (struct own){.dev = guarded_open(1)};
    struct net_conv conv = {.c_out = 1,
                            .kernel = 1,
                            .stride = 1,
                            .bias = 1,
                            .trainable = trainable,
                            .init = DET_INIT_NORMAL_001,
                            .bias_init = DET_INIT_ZERO};
    net_begin(&o->net, &o->params, 1, 1, &err);
    o->x = net_input(&o->net, 1, 4, 4, wants_input_gradient);
    o->y1 = net_conv2d(&o->net, "shared", o->x, &conv);
    conv.share = "shared";
    o->y2 = net_conv2d(&o->net, "shared", net_max_pool2d(&o->net, o->x, 2, 2, 0), &conv);
    net_mark_output(&o->net, o->y1);
    net_mark_output(&o->net, o->y2);
    cr_assert_eq(det_parameters_plan(&o->params, o->dev, 1, 0, &err), DET_OK, "%s", err.message);
    cr_assert_eq(net_plan(&o->net, o->dev, &err), DET_OK, "%s", err.message);
}

static void own_close(struct own *o)
{
    expect_guards();
    net_release(&o->net, o->dev);
    det_parameters_release(&o->params, o->dev);
    o->dev->ops->close(o->dev);
}

/* x = 0 .. 15, w = 2, b = 1: y1 = 2 x + 1; the pooled maxima are 5 7 13 15, y2 = 11 15 27 31. With
 * all gradients 1: dw = sum of x + sum of maxima = 120 + 40, db = 16 + 4, dx = 2, and 4 where x is
 * a maximum. */
Test(net, shared_weights_by_hand)
{
    struct own o;
    own_open(&o, 1, 1);
    struct det_parameter *w = &o.params.slots[0].parameter, *b = &o.params.slots[1].parameter;
    cr_expect_eq(o.params.n, 2, "%zu tensors: shared ones count once", o.params.n);
    w->value[0] = 2;
    b->value[0] = 1;
    w->grad[0] = b->grad[0] = 0;
    for (int i = 0; i < 16; i++)
        o.net.tensors[o.x].value[i] = (float)i;
    net_forward(&o.net, o.dev, 1);
    static const float want[4] = {11, 15, 27, 31};
    for (int i = 0; i < 16; i++)
        cr_expect_eq(o.net.tensors[o.y1].value[i], 2.0f * (float)i + 1.0f);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(o.net.tensors[o.y2].value[i], want[i]);
    for (int again = 1; again <= 2; again++) { /* weights' gradients add up, inputs' do not */
        for (int i = 0; i < 16; i++)
            o.net.tensors[o.y1].grad[i] = 1;
        for (int i = 0; i < 4; i++)
            o.net.tensors[o.y2].grad[i] = 1;
        net_backward(&o.net, o.dev, 1);
        cr_expect_eq(w->grad[0], 160.0f * (float)again, "dw %g", (double)w->grad[0]);
        cr_expect_eq(b->grad[0], 20.0f * (float)again, "db %g", (double)b->grad[0]);
        for (int i = 0; i < 16; i++) {
            int maximum = i == 5 || i == 7 || i == 13 || i == 15;
            cr_expect_eq(o.net.tensors[o.x].grad[i], maximum ? 4.0f : 2.0f, "dx[%d] %g", i,
                         (double)o.net.tensors[o.x].grad[i]);
        }
    }
    own_close(&o);
}

Test(net, what_is_not_wanted_is_not_made)
{
    struct own image, frozen;
    own_open(&image, 0, 1);
    cr_expect_null(image.net.tensors[image.x].grad);
    cr_expect_not_null(image.net.tensors[image.y1].grad);
    own_close(&image);
    own_open(&frozen, 0, 0);
    cr_expect_null(frozen.net.tensors[frozen.y1].grad, "a gradient that leads nowhere");
    cr_expect_null(frozen.params.slots[0].parameter.grad);
    own_close(&frozen);
}

/* ---- no memory ---- */

Test(net, failing_allocations_leave_nothing_behind)
{
    struct det_config config = small_config();
    struct det_model_options options = {.config = &config,
                                        .n_classes = 1,
                                        .canvas_h = SMALL_CANVAS,
                                        .canvas_w = SMALL_CANVAS,
                                        .max_objects = 1,
                                        .batch_size = 1,
                                        .infer_batch_size = 1};
    set(&config, "model.precision", "bf16");
    enum det_code code = DET_NO_MEMORY;
    for (int good = 0; code != DET_OK; good++) {
        struct det_device *dev = guarded_open(1);
        struct det_model *model;
        struct det_error err = {0};
        allocations_left = good;
        code = det_model_create(dev, &options, &model, &err);
        allocations_left = -1;
        cr_assert_lt(good, 20);
        if (code == DET_OK) {
            cr_expect_geq(good, 5, "only %d blocks are taken", good);
            det_model_destroy(model);
        } else {
            cr_expect_eq(code, DET_NO_MEMORY);
            cr_expect_null(model);
            cr_expect_neq(err.message[0], '\0');
        }
        for (int i = 0; i < BLOCKS_MAX; i++)
            cr_expect_null(guarded[i].base, "%d good: %s was not released", good, guarded[i].what);
        dev->ops->close(dev);
    }
}
