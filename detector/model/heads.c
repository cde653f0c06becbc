#include "detector/model/parts.h"

#include <stdio.h>

static int rpn_conv(struct det_net *net, const char *name, int level, int in, int c_out, int kernel,
                    int relu)
{
    return net_conv2d(net, name, in,
                      &(struct net_conv){.c_out = c_out, .kernel = kernel, .stride = 1,
                                         .pad = kernel / 2, .bias = 1, .relu = relu, .trainable = 1,
                                         .init = DET_INIT_NORMAL_001, .bias_init = DET_INIT_ZERO,
                                         .share = level ? name : NULL});
}

void det_build_rpn_head(struct det_net *net, const struct det_config *config,
                        const int levels[DET_MAX_LEVELS], int logits[DET_MAX_LEVELS],
                        int deltas[DET_MAX_LEVELS])
{
    int anchors = config->model_aspect_ratios.n; /* at each cell: one size a level */
    int channels = (int)config->model_fpn_channels;
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        int x = rpn_conv(net, "rpn.head.conv.0.0", l, levels[l], channels, 3, 1);
        logits[l] = rpn_conv(net, "rpn.head.cls_logits", l, x, anchors, 1, 0);
        deltas[l] = rpn_conv(net, "rpn.head.bbox_pred", l, x, 4 * anchors, 1, 0);
        net_mark_output(net, logits[l]);
        net_mark_output(net, deltas[l]);
    }
}

void det_build_box_head(struct det_net *net, const struct det_config *config, int n_classes,
                        int features, int *logits, int *deltas)
{
    int width = (int)config->model_fc_dim;
    int x = net_linear(net, "roi_heads.box_head.fc6", features, width, 1);
    x = net_linear(net, "roi_heads.box_head.fc7", x, width, 1);
    *logits = net_linear(net, "roi_heads.box_predictor.cls_score", x, n_classes + 1, 0);
    *deltas = net_linear(net, "roi_heads.box_predictor.bbox_pred", x, 4 * (n_classes + 1), 0);
    net_mark_output(net, *logits);
    net_mark_output(net, *deltas);
}

void det_build_mask_head(struct det_net *net, const struct det_config *config, int n_classes,
                         int features, int *logits)
{
    int channels = (int)config->model_mask_channels;
    struct net_conv conv = {.c_out = channels, .kernel = 3, .stride = 1, .pad = 1, .bias = 1,
                            .relu = 1, .trainable = 1, .init = DET_INIT_KAIMING_NORMAL_FAN_OUT,
                            .bias_init = DET_INIT_ZERO};
    int x = features;
    for (int i = 0; i < (int)config->model_mask_convs; i++) {
        char name[64];
        snprintf(name, sizeof name, "roi_heads.mask_head.%d.0", i);
        x = net_conv2d(net, name, x, &conv);
    }
    x = net_conv_transpose2d(net, "roi_heads.mask_predictor.conv5_mask", x, channels, 1);
    conv = (struct net_conv){.c_out = n_classes + 1, .kernel = 1, .stride = 1, .bias = 1,
                             .trainable = 1, .init = DET_INIT_KAIMING_NORMAL_FAN_OUT,
                             .bias_init = DET_INIT_FAN_IN_UNIFORM};
    *logits = net_conv2d(net, "roi_heads.mask_predictor.mask_fcn_logits", x, &conv);
    net_mark_output(net, *logits);
}
