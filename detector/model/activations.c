/* What a pass's gradients turn on: which side of a ReLU each unit fell, which element each maximum
 * is. */
#include "detector/model/model.h"

/* The i-th layer of the net with a ReLU or a maximum, *i counted down; NULL where there are fewer. */
static const struct net_layer *find(const struct det_net *net, size_t *i, const char **name)
{
    *name = "";
    for (int k = 0; k < net->n_layers; k++) {
        const struct net_layer *l = &net->layers[k];
        if (l->weight >= 0)
            *name = net->params->slots[l->weight].name;
        if (!l->relu && l->kind != NET_MAX_POOL2D)
            continue;
        if ((*i)-- == 0)
            return l;
    }
    return NULL;
}

static void fill(const struct det_net *net, const struct net_layer *l, int rows,
                 struct det_activation *out)
{
    const struct net_tensor *in = &net->tensors[l->in], *y = &net->tensors[l->out];
    out->rows = rows;
    out->planes = y->c;
    out->plane = y->h * y->w;
    out->value = y->value;
    if (l->kind != NET_MAX_POOL2D)
        return;
    out->argmax = l->saved;
    out->input = in->value;
    out->input_plane = in->h * in->w;
}

int det_model_activation(struct det_model *m, size_t i, struct det_activation *out)
{
    const struct {
        const struct det_net *net;
        enum det_pass_stage stage;
        int rows;
        const int32_t *count;
    } nets[] = {
        {&m->trunk, DET_PASS_TRUNK, m->last_images, NULL},
        {&m->box_head, DET_PASS_BOX_HEAD, m->max.train_rois, m->d.rois.count},
        {&m->mask_head, DET_PASS_MASK_HEAD, m->max.train_masks, m->d.mask_rois.count},
    };
    size_t n_nets = sizeof nets / sizeof *nets - (m->config.mask_enabled ? 0 : 1);
    for (size_t n = 0; n < n_nets; n++) {
        *out = (struct det_activation){.stage = nets[n].stage, .count = nets[n].count};
        const struct net_layer *l = find(nets[n].net, &i, &out->name);
        if (!l)
            continue;
        fill(nets[n].net, l, nets[n].rows, out);
        return 1;
    }
    return 0;
}
