/* The configuration's keys: defaults, parsing, ranges, presets, contradictions, printing. */
#include "detector/training/training_config.h"

#include <criterion/criterion.h>
#include <string.h>

static struct det_config defaults(void)
{
    struct det_config config;
    det_config_defaults(&config);
    return config;
}

static const char *print(const struct det_config *config, const char *name)
{
    static char text[DET_CONFIG_TEXT_MAX];
    det_config_print(config, det_config_find(name), text, sizeof text);
    return text;
}

Test(training_config, every_default_parses)
{
    struct det_config config = defaults();
    struct det_error err;
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);

    cr_assert_gt(n, 70);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(det_config_set(&config, keys[i].name, keys[i].def, &err), DET_OK, "%s: %s",
                     keys[i].name, err.message);
    cr_expect_eq(det_config_validate(&config, &err), DET_OK, "%s", err.message);
}

Test(training_config, the_fixes_are_the_defaults)
{
    struct det_config config = defaults();
    cr_expect_eq(config.rpn_cls_pos_weight, 5.0);
    cr_expect_eq(config.roi_cls_pos_weight, 3.0);
    cr_expect_eq(config.clip_grad_norm, 10.0);
    cr_expect_eq(config.roi_cls_reduction, DET_CONFIG_MEAN);
    cr_expect_eq(config.roi_cls_avg_factor, DET_ROI_AVG_WEIGHTS);
    cr_expect_eq(config.rpn_avg_factor, DET_RPN_AVG_SAMPLED);
}

/* What a training stands or falls with, as one table: a default that moves on the way through
 * another change (a rate for another batch, a decay of another optimiser) is a silent regression.
 * Where torchvision has such a constant it is the same; the schedule is the project's own. */
Test(training_config, rates_and_thresholds_are_the_recorded_ones)
{
    static const struct {
        const char *key, *value;
    } rows[] = {
        {"optimizer.kind", "sgd"},
        {"optimizer.lr", "0.02"},
        {"optimizer.momentum", "0.9"},
        {"optimizer.weight_decay", "0.0001"},
        {"train.batch_size", "4"},
        {"train.accumulate", "1"},
        {"schedule.warmup_steps", "20"},
        {"schedule.warmup_factor", "0.1"},
        {"schedule.decay", "multi_step"},
        {"schedule.milestones", "[0.75]"},
        {"schedule.gamma", "0.1"},
        {"rpn.fg_iou", "0.7"},
        {"rpn.bg_iou", "0.3"},
        {"rpn.positive_fraction", "0.5"},
        {"rpn.nms_iou", "0.7"},
        {"roi.fg_iou", "0.5"},
        {"roi.bg_iou", "0.5"},
        {"roi.positive_fraction", "0.25"},
        {"infer.score_threshold", "0.05"},
        {"infer.nms_iou", "0.5"},
        {"rpn.smooth_l1_beta", "0.1111111111111111"},
        {"roi.smooth_l1_beta", "0.1111111111111111"},
    };
    struct det_config config = defaults();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DET_CONFIG_TEXT_MAX];
        det_config_print(&config, det_config_find(rows[i].key), text, sizeof text);
        cr_expect_str_eq(text, rows[i].value, "%s: default %s, recorded %s", rows[i].key, text,
                         rows[i].value);
    }
}

/* Each enumeration must stand in the order of its choices text. */
Test(training_config, choices_match_their_enumerations)
{
    static const struct {
        const char *key, *choice;
        int value;
    } rows[] = {
        {"roi_cls_reduction", "sum", DET_CONFIG_SUM},
        {"roi_cls_avg_factor", "rois", DET_ROI_AVG_ROIS},
        {"roi_cls_avg_factor", "positives", DET_ROI_AVG_POSITIVES},
        {"roi_cls_avg_factor", "none", DET_ROI_AVG_NONE},
        {"rpn_cls_reduction", "sum", DET_CONFIG_SUM},
        {"rpn_avg_factor", "positives", DET_RPN_AVG_POSITIVES},
        {"rpn_avg_factor", "none", DET_RPN_AVG_NONE},
        {"rpn_cls_loss", "focal", DET_CONFIG_LOSS_FOCAL},
        {"roi_cls_loss", "ohem", DET_CONFIG_LOSS_OHEM},
        {"model.preset", "r18", DET_PRESET_R18},
        {"model.preset", "r50", DET_PRESET_R50},
        {"model.preset", "custom", DET_PRESET_CUSTOM},
        {"model.block", "bottleneck", DET_BLOCK_BOTTLENECK},
        {"model.norm", "frozen_bn", DET_NORM_FROZEN_BN},
        {"model.precision", "bf16", DET_PRECISION_BF16},
        {"optimizer.kind", "adamw", DET_CONFIG_ADAMW},
        {"schedule.decay", "cosine", DET_DECAY_COSINE},
        {"schedule.decay", "none", DET_DECAY_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct det_config config = defaults();
        struct det_error err;
        cr_expect_eq(det_config_set(&config, rows[i].key, rows[i].choice, &err), DET_OK);
        int got = *(int *)((char *)&config + det_config_find(rows[i].key)->offset);
        cr_expect_eq(got, rows[i].value, "%s=%s: got %d, want %d", rows[i].key, rows[i].choice, got,
                     rows[i].value);
    }
}

Test(training_config, bad_values_are_refused_and_change_nothing)
{
    static const struct {
        const char *key, *value, *said;
    } rows[] = {
        {"optimizr.lr", "1", "optimizr.lr: unknown key; nearest is optimizer.lr"},
        {"lr", "1", "nearest is optimizer.lr"},
        {"rpn_pos_weight", "1", "nearest is rpn_cls_pos_weight"},
        {"milestone", "1", "nearest is schedule.milestones"},
        {"", "1", "unknown key"},
        {"optimizer.lr", "fast", "expected a number"},
        {"optimizer.lr", "", "expected a number"},
        {"optimizer.lr", "0.1 ", "expected a number"},
        {"optimizer.lr", "0x10", "expected a number"},
        {"optimizer.lr", "nan", "expected a number"},
        {"optimizer.lr", "inf", "expected a number"},
        {"optimizer.lr", "1e999", "out of range"},
        {"optimizer.lr", "-0.1", "out of range; allowed are 0 to 1000"},
        {"optimizer.lr", "[0.1]", "expected a number"},
        {"schedule.steps", "0", "out of range"},
        {"schedule.steps", "10.5", "expected a whole number"},
        {"schedule.steps", "1e3", "expected a whole number"},
        {"schedule.steps", " 5", "expected a whole number"},
        {"seed", "99999999999999999999999", "out of range"},
        {"seed", "-99999999999999999999999", "out of range"},
        {"seed", "9007199254740992", "out of range"},
        {"mask.enabled", "yes", "expected true or false"},
        {"model.norm", "bn", "`bn` is none of gn|frozen_bn"},
        {"model.norm", "", "is none of"},
        {"model.norm", "gn|frozen_bn", "is none of"},
        {"model.layers", "3", "expected a list"},
        {"model.layers", "[1, 1", "expected a list"},
        {"model.layers", "[1 1]", "expected a list"},
        {"model.layers", "[1,, 1]", "expected a list"},
        {"model.layers", "[1, ]", "expected a list"},
        {"model.layers", "[1] 2", "expected a list"},
        {"model.layers", "[1, 0]", "out of range"},
        {"model.layers", "[1,1,1,1,1,1,1,1,1]", "more than 8"},
        {"data", "a\nb", "control characters"},
    };
    struct det_config before = defaults();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct det_config config = defaults();
        struct det_error err = {DET_OK, ""};
        cr_expect_eq(det_config_set(&config, rows[i].key, rows[i].value, &err), DET_INVALID,
                     "%s=%s was taken", rows[i].key, rows[i].value);
        cr_expect(strstr(err.message, rows[i].said), "%s=%s: got \"%s\", want \"%s\"", rows[i].key,
                  rows[i].value, err.message, rows[i].said);
        cr_expect_eq(memcmp(&config, &before, sizeof config), 0, "%s=%s changed something",
                     rows[i].key, rows[i].value);
    }
}

Test(training_config, a_text_of_any_length_is_kept_or_refused)
{
    struct det_config config = defaults();
    char text[DET_CONFIG_TEXT_MAX + 1];
    memset(text, 'a', sizeof text);
    text[DET_CONFIG_TEXT_MAX] = '\0';
    cr_expect_eq(det_config_set(&config, "data", text, NULL), DET_INVALID, "%d bytes were taken",
                 DET_CONFIG_TEXT_MAX);
    text[DET_CONFIG_TEXT_MAX - 1] = '\0';
    cr_expect_eq(det_config_set(&config, "data", text, NULL), DET_OK);
    cr_expect_str_eq(config.data, text);
}

Test(training_config, lists_may_be_written_loosely)
{
    static const char *const forms[] = {"[1,2.5,3]", " [ 1 , 2.5 , 3 ] ", "[1.0, 25e-1, 3]"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct det_config config = defaults();
        cr_assert_eq(det_config_set(&config, "model.aspect_ratios", forms[i], NULL), DET_OK, "%s",
                     forms[i]);
        cr_expect_str_eq(print(&config, "model.aspect_ratios"), "[1, 2.5, 3]", "%s", forms[i]);
    }
    struct det_config config = defaults();
    cr_expect_eq(det_config_set(&config, "schedule.milestones", "[]", NULL), DET_OK);
    cr_expect_eq(config.schedule_milestones.n, 0);
}

/* print, then set, gives the same bits for awkward numbers and for every default. */
Test(training_config, printing_round_trips)
{
    static const double numbers[] = {
        0.1,    1.0 / 9, 1e-8,        5,      1e-300, 0.30000000000000004,
        5e-324, 123.456, 1 - 1.2e-16, 0.0625, 0};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct det_config config = defaults(), again = defaults();
        config.optimizer_lr = numbers[i];
        cr_expect_eq(det_config_set(&again, "optimizer.lr", print(&config, "optimizer.lr"), NULL),
                     DET_OK);
        cr_expect_eq(memcmp(&again.optimizer_lr, &numbers[i], sizeof numbers[i]), 0,
                     "%.17g was printed as %s", numbers[i], print(&config, "optimizer.lr"));
    }
    struct det_config config = defaults(), again = {0};
    size_t n;
    const struct det_config_key *keys = det_config_keys(&n);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(det_config_set(&again, keys[i].name, print(&config, keys[i].name), NULL),
                     DET_OK, "%s", keys[i].name);
    cr_expect_eq(memcmp(&config, &again, sizeof config), 0);
}

Test(training_config, printing_stays_inside_its_buffer)
{
    struct det_config config = defaults();
    char out[8] = "#######";
    det_config_print(&config, det_config_find("model.anchor_sizes"), out, 5);
    cr_expect_str_eq(out, "[8, ");
    cr_expect_eq(out[5], '#');
}

static struct det_config preset(const char *name)
{
    struct det_config config = defaults();
    cr_assert_eq(det_config_set(&config, "model.preset", name, NULL), DET_OK);
    det_config_apply_preset(&config);
    return config;
}

Test(training_config, presets)
{
    struct det_config tiny = preset("tiny"), fresh = defaults();
    cr_expect_eq(memcmp(&tiny, &fresh, sizeof tiny), 0, "tiny must be the defaults");

    struct det_config r18 = preset("r18");
    cr_expect_eq(r18.model_block, DET_BLOCK_BASIC);
    cr_expect_str_eq(print(&r18, "model.layers"), "[2, 2, 2, 2]");
    cr_expect_eq(r18.model_norm, DET_NORM_GN);

    struct det_config r50 = preset("r50");
    cr_expect_eq(r50.model_block, DET_BLOCK_BOTTLENECK);
    cr_expect_str_eq(print(&r50, "model.layers"), "[3, 4, 6, 3]");
    cr_expect_eq(r50.model_norm, DET_NORM_FROZEN_BN);
    cr_expect_eq(r50.model_width, 64);
    cr_expect_eq(r50.model_fpn_channels, 256);
    cr_expect_eq(r50.model_fc_dim, 1024);
    cr_expect_eq(r50.model_mask_convs, 4);
    cr_expect_str_eq(print(&r50, "model.anchor_sizes"), "[32, 64, 128, 256, 512]");
    cr_expect_eq(r50.rpn_batch_per_image, 256);
    cr_expect_eq(r50.roi_batch_per_image, 512);
    cr_expect_eq(r50.roi_append_ground_truth, 1);
    cr_expect_eq(r50.rpn_post_nms_train, 2000);
    cr_expect_eq(r50.rpn_post_nms_test, 1000);

    static const char *const names[] = {"tiny", "r18", "r50", "custom"};
    for (size_t i = 0; i < 4; i++) {
        struct det_config config = preset(names[i]);
        struct det_error err;
        cr_expect_eq(det_config_validate(&config, &err), DET_OK, "%s: %s", names[i], err.message);
    }
}

/* From any preset to any other: nothing of the first may stay. */
Test(training_config, a_preset_leaves_nothing_of_the_last_one)
{
    struct det_config config = preset("r50"), fresh = defaults();
    config.model_preset = DET_PRESET_TINY;
    det_config_apply_preset(&config);
    cr_expect_eq(memcmp(&config, &fresh, sizeof config), 0);
}

Test(training_config, contradictions_are_named)
{
    static const struct {
        const char *set[3][2];
        const char *said; /* NULL: allowed */
    } rows[] = {
        {{{"roi_cls_reduction", "sum"}}, "roi_cls_avg_factor to none"},
        {{{"roi_cls_reduction", "sum"}, {"roi_cls_avg_factor", "none"}}, NULL},
        {{{"roi_cls_avg_factor", "none"}}, "roi_cls_avg_factor"},
        {{{"rpn_cls_reduction", "sum"}}, "rpn_avg_factor to none"},
        {{{"rpn_cls_reduction", "sum"}, {"rpn_avg_factor", "none"}}, NULL},
        {{{"rpn_avg_factor", "none"}}, NULL}, /* the ablation: mean over every anchor */
        {{{"schedule.steps", "10"}}, "schedule.warmup_steps: 20 is longer"},
        {{{"schedule.steps", "20"}}, NULL},
        {{{"schedule.milestones", "[0.5, 0.5]"}}, "must ascend"},
        {{{"schedule.milestones", "[0.9, 0.5]"}}, "must ascend"},
        {{{"schedule.milestones", "[]"}}, NULL},
        {{{"rpn.fg_iou", "0.2"}}, "rpn.fg_iou"},
        {{{"roi.bg_iou", "0.6"}}, "roi.fg_iou"},
        {{{"model.layers", "[1, 1, 1]"}}, "3 stages"},
        {{{"model.layers", "[1, 1, 1, 1.5]"}}, "whole numbers"},
        {{{"model.anchor_sizes", "[8]"}}, "one for each of 5 levels"},
        {{{"model.aspect_ratios", "[]"}}, "at least one"},
        {{{"model.width", "12"}}, "model.groups"},
        {{{"model.width", "6"}}, "model.groups"}, /* 6 of 6 goes, 8 of 12 does not */
        {{{"model.width", "12"}, {"model.norm", "frozen_bn"}}, NULL},
        {{{"model.width", "4"}}, NULL}, /* 4 groups of 4, 8 of 8, ... */
        {{{"optimizer.beta1", "1"}}, NULL},
        {{{"optimizer.beta1", "1"}, {"optimizer.kind", "adamw"}}, "below 1"},
        {{{"data", ""}}, "data: empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct det_config config = defaults();
        struct det_error err = {DET_OK, ""};
        for (size_t j = 0; rows[i].set[j][0]; j++)
            cr_assert_eq(det_config_set(&config, rows[i].set[j][0], rows[i].set[j][1], &err),
                         DET_OK, "%s", err.message);
        enum det_code code = det_config_validate(&config, &err);
        cr_expect_eq(code, rows[i].said ? DET_INVALID : DET_OK, "row %zu: %s", i, err.message);
        if (rows[i].said)
            cr_expect(strstr(err.message, rows[i].said), "row %zu: got \"%s\", want \"%s\"", i,
                      err.message, rows[i].said);
    }
}
