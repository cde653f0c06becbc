#include "detector/model/parts.h"

#include <stdio.h>

struct resnet {
    struct det_net *net;
    const struct det_config *config;
    int trainable; /* of the stage being declared */
};

static int conv_norm(struct resnet *r, const char *block, const char *conv, const char *norm, int in,
                     struct net_conv shape, int relu)
{
    char name[96];
    shape.trainable = r->trainable;
    shape.init = DET_INIT_KAIMING_NORMAL_FAN_OUT;
    snprintf(name, sizeof name, "%s.%s", block, conv);
    int y = net_conv2d(r->net, name, in, &shape);
    snprintf(name, sizeof name, "%s.%s", block, norm);
    if (r->config->model_norm == DET_NORM_FROZEN_BN)
        return net_frozen_bn(r->net, name, y, relu);
    return net_group_norm(r->net, name, y, (int)r->config->model_groups, relu, r->trainable);
}

/* torchvision lists a block's shortcut after its main path; the state_dict keeps that order. */
static int shortcut(struct resnet *r, const char *block, int in, int c_out, int stride, int needed)
{
    if (!needed)
        return in;
    return conv_norm(r, block, "downsample.0", "downsample.1", in,
                     (struct net_conv){.c_out = c_out, .kernel = 1, .stride = stride}, 0);
}

static int basic_block(struct resnet *r, const char *name, int in, int width, int stride,
                       int changes)
{
    int y = conv_norm(r, name, "conv1", "bn1", in,
                      (struct net_conv){.c_out = width, .kernel = 3, .stride = stride, .pad = 1}, 1);
    y = conv_norm(r, name, "conv2", "bn2", y,
                  (struct net_conv){.c_out = width, .kernel = 3, .stride = 1, .pad = 1}, 0);
    return net_add(r->net, y, shortcut(r, name, in, width, stride, changes), 1);
}

static int bottleneck_block(struct resnet *r, const char *name, int in, int width, int stride,
                            int changes)
{
    int y = conv_norm(r, name, "conv1", "bn1", in,
                      (struct net_conv){.c_out = width, .kernel = 1, .stride = 1}, 1);
    y = conv_norm(r, name, "conv2", "bn2", y,
                  (struct net_conv){.c_out = width, .kernel = 3, .stride = stride, .pad = 1}, 1);
    y = conv_norm(r, name, "conv3", "bn3", y,
                  (struct net_conv){.c_out = 4 * width, .kernel = 1, .stride = 1}, 0);
    return net_add(r->net, y, shortcut(r, name, in, 4 * width, stride, changes), 1);
}

static int stage(struct resnet *r, int index, int in, int *channels)
{
    int bottleneck = r->config->model_block == DET_BLOCK_BOTTLENECK;
    int width = (int)r->config->model_width << index;
    int c_out = bottleneck ? 4 * width : width;
    for (int b = 0; b < (int)r->config->model_layers.at[index]; b++) {
        char name[64];
        snprintf(name, sizeof name, "backbone.body.layer%d.%d", index + 1, b);
        int stride = b == 0 && index > 0 ? 2 : 1;
        int changes = stride != 1 || *channels != c_out;
        in = bottleneck ? bottleneck_block(r, name, in, width, stride, changes)
                        : basic_block(r, name, in, width, stride, changes);
        *channels = c_out;
    }
    return in;
}

void det_build_resnet(struct det_net *net, const struct det_config *config, int images,
                      int stage_outputs[DET_BODY_STAGES])
{
    struct resnet r = {net, config, config->train_freeze_stages < 1};
    int channels = (int)config->model_width;
    int x = conv_norm(&r, "backbone.body", "conv1", "bn1", images,
                      (struct net_conv){.c_out = channels, .kernel = 7, .stride = 2, .pad = 3}, 1);
    x = net_max_pool2d(net, x, 3, 2, 1);
    for (int i = 0; i < DET_BODY_STAGES; i++) {
        r.trainable = config->train_freeze_stages < i + 2;
        x = stage(&r, i, x, &channels);
        stage_outputs[i] = x;
    }
}
