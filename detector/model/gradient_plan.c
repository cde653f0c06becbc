/* Where activation gradients live. In the backward pass a gradient is alive from its first writer
 * (a loss, RoIAlign, or the last layer that read the tensor) to the layer that made the tensor;
 * gradients that are never alive together share memory (first fit, largest tensors first). A sum hands
 * its gradient on as it is: a summand that nothing else reads takes it over where it lies. */
#include "detector/model/net.h"

#include <stdlib.h>

struct span { /* of the backward pass: layer l runs at time n_layers - 1 - l */
    int tensor, first, last;
    size_t floats, offset;
};

static size_t gradient_floats(const struct det_net *net, const struct net_tensor *t)
{
    size_t floats = (size_t)net->train_rows * (size_t)t->c * (size_t)t->h * (size_t)t->w;
    return (floats + 15) / 16 * 16;
}

static struct span lifetime(const struct det_net *net, int tensor)
{
    struct span s = {.tensor = tensor, .first = net->n_layers, .last = net->n_layers};
    for (int l = 0; l < net->n_layers; l++) {
        int time = net->n_layers - 1 - l;
        if (net->layers[l].in == tensor || net->layers[l].in2 == tensor)
            s.first = time < s.first ? time : s.first;
        if (net->layers[l].out == tensor)
            s.last = time;
    }
    if (net->tensors[tensor].external_grad != NET_GRAD_INSIDE)
        s.first = -1;
    s.floats = gradient_floats(net, &net->tensors[tensor]);
    return s;
}

static int readers(const struct det_net *net, int tensor)
{
    int count = 0;
    for (int l = 0; l < net->n_layers; l++)
        count += (net->layers[l].in == tensor) + (net->layers[l].in2 == tensor);
    return count;
}

/* The sum whose gradient becomes this tensor's, or -1. */
static int sum_of(const struct det_net *net, int tensor)
{
    const struct net_tensor *t = &net->tensors[tensor];
    for (int l = 0; l < net->n_layers; l++) {
        const struct net_layer *layer = &net->layers[l];
        if (layer->kind == NET_ADD && layer->in == tensor && readers(net, tensor) == 1 &&
            t->external_grad == NET_GRAD_INSIDE && net->tensors[layer->out].wants_grad)
            return layer->out;
    }
    return -1;
}

/* The tensor itself, or the sum that it has the gradient of in the end. */
static int owner(const struct det_net *net, int tensor)
{
    for (int sum; (sum = sum_of(net, tensor)) >= 0;)
        tensor = sum;
    return tensor;
}

static int larger_first(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    if (x->floats != y->floats)
        return x->floats < y->floats ? 1 : -1;
    return x->tensor - y->tensor;
}

static int meet(const struct span *a, const struct span *b)
{
    return a->first <= b->last && b->first <= a->last && a->offset < b->offset + b->floats &&
           b->offset < a->offset + a->floats;
}

/* The lowest offset at which s collides with none of the spans placed before it. */
static void place(struct span *s, const struct span *placed, int n)
{
    s->offset = 0;
    for (int i = 0; i < n; i++) {
        if (!meet(s, &placed[i]))
            continue;
        s->offset = placed[i].offset + placed[i].floats;
        i = -1; /* start over from the new offset */
    }
}

/* A gradient that is handed over lives on until its last owner's layer has run. */
static void extend(const struct det_net *net, struct span *spans, int n, int tensor)
{
    int first_owner = owner(net, tensor);
    int last = lifetime(net, tensor).last;
    for (int i = 0; i < n; i++)
        if (spans[i].tensor == first_owner && spans[i].last < last)
            spans[i].last = last;
}

size_t net_plan_gradients(struct det_net *net)
{
    struct span *spans = calloc((size_t)net->n_tensors + 1, sizeof *spans);
    if (!spans) {
        net->code = det_fail(net->err, DET_NO_MEMORY, "gradient plan of %d", net->n_tensors);
        return 0;
    }
    int n = 0;
    for (int t = 0; t < net->n_tensors; t++)
        if (net->tensors[t].wants_grad && owner(net, t) == t)
            spans[n++] = lifetime(net, t);
    for (int t = 0; t < net->n_tensors; t++)
        if (net->tensors[t].wants_grad)
            extend(net, spans, n, t);
    qsort(spans, (size_t)n, sizeof *spans, larger_first);
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        place(&spans[i], spans, i);
        net->tensors[spans[i].tensor].grad_offset = spans[i].offset;
        if (spans[i].offset + spans[i].floats > total)
            total = spans[i].offset + spans[i].floats;
    }
    for (int t = 0; t < net->n_tensors; t++)
        net->tensors[t].grad_offset = net->tensors[owner(net, t)].grad_offset;
    free(spans);
    return total;
}
