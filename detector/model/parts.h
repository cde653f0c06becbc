/* The parts of the detector, each declaring its layers into a net. Parameter names and structure are
 * torchvision's (maskrcnn_resnet50_fpn, resnet18), its Bottleneck v1.5: stride on the 3x3. */
#ifndef DET_MODEL_PARTS_H
#define DET_MODEL_PARTS_H

#include "detector/model/net.h"

#define DET_BODY_STAGES 4

/* ResNet (He et al., CVPR 2016) without its classifier: input [n, 3, h, w] to the outputs of its
 * four stages, strides 4, 8, 16, 32. Norm and frozen stages as the configuration says. */
void det_build_resnet(struct det_net *net, const struct det_config *config, int images,
                      int stage_outputs[DET_BODY_STAGES]);

/* Feature pyramid (Lin et al., CVPR 2017): four stages to DET_MAX_LEVELS maps of fpn_channels, the
 * last one max-pooled from the fourth. */
void det_build_fpn(struct det_net *net, const struct det_config *config,
                   const int stages[DET_BODY_STAGES], int levels[DET_MAX_LEVELS]);

/* RPN head: a shared 3x3 convolution, objectness [n, A, h, w] and deltas [n, 4 A, h, w] a level. */
void det_build_rpn_head(struct det_net *net, const struct det_config *config,
                        const int levels[DET_MAX_LEVELS], int logits[DET_MAX_LEVELS],
                        int deltas[DET_MAX_LEVELS]);

/* Box head: RoI features [rows, C, 7, 7] to class logits [rows, K + 1] and deltas [rows, 4 (K + 1)]. */
void det_build_box_head(struct det_net *net, const struct det_config *config, int n_classes,
                        int features, int *logits, int *deltas);

/* Mask head: RoI features [rows, C, 14, 14] to logits [rows, K + 1, 28, 28]. */
void det_build_mask_head(struct det_net *net, const struct det_config *config, int n_classes,
                         int features, int *logits);

#endif
