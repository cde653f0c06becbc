#include "detector/model/parts.h"

#include <stdio.h>

static int fpn_conv(struct det_net *net, const char *kind, int level, int in, int channels,
                    int kernel)
{
    char name[64];
    snprintf(name, sizeof name, "backbone.fpn.%s.%d.0", kind, level);
    return net_conv2d(net, name, in,
                      &(struct net_conv){.c_out = channels, .kernel = kernel, .stride = 1,
                                         .pad = kernel / 2, .bias = 1, .trainable = 1,
                                         .init = DET_INIT_KAIMING_UNIFORM_A1,
                                         .bias_init = DET_INIT_ZERO});
}

void det_build_fpn(struct det_net *net, const struct det_config *config,
                   const int stages[DET_BODY_STAGES], int levels[DET_MAX_LEVELS])
{
    int channels = (int)config->model_fpn_channels;
    int inner[DET_BODY_STAGES];
    for (int i = 0; i < DET_BODY_STAGES; i++) /* in this order: that of torchvision's names */
        inner[i] = fpn_conv(net, "inner_blocks", i, stages[i], channels, 1);
    for (int i = DET_BODY_STAGES - 2; i >= 0 && net->code == DET_OK; i--) {
        int h = net->tensors[inner[i]].h;
        int w = net->tensors[inner[i]].w;
        inner[i] = net_add(net, inner[i], net_upsample(net, inner[i + 1], h, w), 0);
    }
    for (int i = 0; i < DET_BODY_STAGES; i++) {
        levels[i] = fpn_conv(net, "layer_blocks", i, inner[i], channels, 3);
        net_mark_external(net, levels[i]);
    }
    levels[DET_BODY_STAGES] = net_max_pool2d(net, levels[DET_BODY_STAGES - 1], 1, 2, 0);
}
