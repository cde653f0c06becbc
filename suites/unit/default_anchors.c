/* The default anchors against the data that is shipped: an object that no anchor fits is learnt
 * from nothing but the one anchor that is forced on it. And they are the anchors that a model
 * makes. */
#include "detector/boxes/anchors.h"
#include "detector/model/model.h"
#include "fixtures/imbalance.h"
#include "suites/unit/dataset_helper.h"

#include <string.h>

enum { RECIPE_IMAGES = 25 };

static struct imbalance measured(const char *recipe, const struct det_config *config)
{
    struct det_dataset *dataset = open_recipe(recipe, FIXTURE_TRAIN, 1, 3);
    struct imbalance m;
    struct det_error err = {0};
    cr_assert_eq(imbalance_measure(dataset, config, RECIPE_IMAGES, &m, &err), DET_OK, "%s: %s",
                 recipe, err.message);
    dataset->close(dataset);
    return m;
}

/* Every object has an anchor at IoU 0.3 or above (below it the anchor would be background) and
 * every image with an annotated object has a positive one. */
Test(default_anchors, cover_the_objects_of_every_recipe)
{
    struct fixture_names names;
    struct det_config config;
    det_config_defaults(&config);
    cr_assert_eq(fixture_list(NULL, &names, NULL), DET_OK);
    cr_assert_geq(names.n, 9);
    for (int i = 0; i < names.n; i++) {
        struct imbalance m = measured(names.at[i], &config);
        cr_expect_gt(m.annotated, 0, "%s", names.at[i]);
        cr_expect_eq(m.ious[0], 0, "%s: %d of %d objects below IoU %g", names.at[i], (int)m.ious[0],
                     (int)m.annotated, (double)imbalance_iou_ends[0]);
        cr_expect_eq(m.without_positives, m.empty,
                     "%s: %d images without a positive anchor, %d "
                     "without an object",
                     names.at[i], (int)m.without_positives, (int)m.empty);
        imbalance_release(&m);
    }
}

/* The same measure with anchors four times too large: it does show. */
Test(default_anchors, too_large_ones_would_show)
{
    struct det_config config;
    det_config_defaults(&config);
    for (int l = 0; l < config.model_anchor_sizes.n; l++)
        config.model_anchor_sizes.at[l] *= 4.0;
    struct imbalance m = measured("balanced", &config);
    cr_expect_gt(2 * m.ious[0], m.annotated, "only %d of %d objects are uncovered", (int)m.ious[0],
                 (int)m.annotated);
    imbalance_release(&m);
}

static struct det_model *new_model(struct det_device *dev, const struct det_config *config, int h,
                                   int w)
{
    struct det_model_options options = {.config = config,
                                        .n_classes = 2,
                                        .canvas_h = h,
                                        .canvas_w = w,
                                        .max_objects = 2,
                                        .batch_size = 1,
                                        .infer_batch_size = 1};
    struct det_model *model;
    struct det_error err = {0};
    cr_assert_eq(det_model_create(dev, &options, &model, &err), DET_OK, "%s", err.message);
    return model;
}

/* Whatever the options, a model's anchors are those of its pyramid: sides of 1/4 to 1/32 of the
 * canvas, and half of the last, rounded up. */
static void expect_pyramid_anchors(struct det_device *dev, const struct det_config *config, int h,
                                   int w)
{
    struct det_model *model = new_model(dev, config, h, w);
    struct det_anchor_level levels[DET_MAX_LEVELS];
    float ratios[DET_CONFIG_LIST_MAX];
    struct det_tap tap;
    for (int l = 0; l < DET_MAX_LEVELS; l++) {
        int rows = l < 4 ? h / (4 << l) : (h / 32 + 1) / 2,
            columns = l < 4 ? w / (4 << l) : (w / 32 + 1) / 2;
        levels[l] = (struct det_anchor_level){rows, columns, h / rows, w / columns,
                                              (float)config->model_anchor_sizes.at[l]};
    }
    for (int i = 0; i < config->model_aspect_ratios.n; i++)
        ratios[i] = (float)config->model_aspect_ratios.at[i];
    int n = (int)det_anchor_count(DET_MAX_LEVELS, levels, config->model_aspect_ratios.n);
    float *want = malloc((size_t)n * 4 * sizeof *want);
    det_anchors(DET_MAX_LEVELS, levels, config->model_aspect_ratios.n, ratios, want);
    cr_assert(det_model_tap(model, "anchors", &tap));
    cr_assert_eq(tap.rows, n, "%d x %d: %d anchors, want %d", h, w, tap.rows, n);
    cr_expect_eq(memcmp(tap.data, want, (size_t)n * 4 * sizeof *want), 0, "%d x %d", h, w);
    free(want);
    det_model_destroy(model);
}

Test(default_anchors, are_those_of_a_model)
{
    static const char *const settings[][2] = {
        {"mask.enabled", "false"},
        {"train.freeze_stages", "5"},
        {"model.norm", "frozen_bn"},
        {"model.block", "bottleneck"},
        {"model.precision", "bf16"},
        {"model.aspect_ratios", "[1.0]"},
        {"model.anchor_sizes", "[9, 17, 33, 70, 120]"},
    };
    struct det_device *dev;
    cr_assert_eq(det_cpu_backend()->open(1, &dev, NULL), DET_OK);
    for (size_t i = 0; i <= sizeof settings / sizeof *settings; i++) {
        struct det_config config;
        det_config_defaults(&config);
        if (i > 0)
            cr_assert_eq(det_config_set(&config, settings[i - 1][0], settings[i - 1][1], NULL),
                         DET_OK);
        expect_pyramid_anchors(dev, &config, 64, 64);
        expect_pyramid_anchors(dev, &config, 96, 160);
    }
    dev->ops->close(dev);
}
