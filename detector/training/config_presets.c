/* What model.preset stands for. `tiny` is the defaults themselves. */
#include "detector/training/training_config.h"

#include <stddef.h>

static const struct {
    const char *key, *r18, *r50;
} preset_values[] = {
    {"model.block", "basic", "bottleneck"},
    {"model.layers", "[2, 2, 2, 2]", "[3, 4, 6, 3]"},
    {"model.width", "64", "64"},
    {"model.norm", "gn", "frozen_bn"},
    {"model.groups", "8", "8"},
    {"model.fpn_channels", "256", "256"},
    {"model.fc_dim", "1024", "1024"},
    {"model.mask_convs", "4", "4"},
    {"model.mask_channels", "256", "256"},
    {"model.anchor_sizes", "[32, 64, 128, 256, 512]", "[32, 64, 128, 256, 512]"},
    {"model.aspect_ratios", "[0.5, 1.0, 2.0]", "[0.5, 1.0, 2.0]"},
    {"rpn.batch_per_image", "256", "256"},
    {"rpn.pre_nms_train", "2000", "2000"},
    {"rpn.post_nms_train", "2000", "2000"},
    {"rpn.pre_nms_test", "1000", "1000"},
    {"rpn.post_nms_test", "1000", "1000"},
    {"roi.batch_per_image", "512", "512"},
    {"roi.append_ground_truth", "true", "true"},
};

#define VALUE_COUNT (sizeof preset_values / sizeof preset_values[0])

static const char *value_of(size_t i, int preset)
{
    switch (preset) {
    case DET_PRESET_R18:
        return preset_values[i].r18;
    case DET_PRESET_R50:
        return preset_values[i].r50;
    default:
        return det_config_find(preset_values[i].key)->def;
    }
}

void det_config_apply_preset(struct det_config *config)
{
    if (config->model_preset == DET_PRESET_CUSTOM)
        return;
    for (size_t i = 0; i < VALUE_COUNT; i++)
        det_config_set(config, preset_values[i].key, value_of(i, config->model_preset), NULL);
}

int det_config_is_preset_key(const struct det_config_key *key)
{
    for (size_t i = 0; i < VALUE_COUNT; i++)
        if (det_config_find(preset_values[i].key) == key)
            return 1;
    return 0;
}
