/* From configuration keys to what the operations are told: every key reaches its own field and no
 * other, and both ends of a code (anchors to deltas and back) are told the same. */
#include "detector/bodies/box_coder.h"
#include "detector/bodies/philox.h"
#include "detector/model/model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* A model of which only the configuration is there, with `settings` (ends with NULL) in it. */
static struct det_model *configured(const char *const *settings)
{
    static struct det_model model;
    struct det_error err = {0};
    memset(&model, 0, sizeof model);
    model.n_classes = 7;
    det_config_defaults(&model.config);
    for (; *settings; settings += 2)
        cr_assert_eq(det_config_set(&model.config, settings[0], settings[1], &err), DET_OK, "%s",
                     err.message);
    return &model;
}

static void expect_number(const char *what, double got, double want)
{
    cr_expect(fabs(got - want) <= 1e-6 * fmax(1.0, fabs(want)), "%s: got %g, want %g", what, got,
              want);
}

/* No two keys have the same number, so that one in the place of another shows. */
static const char *const distinct[] = {
    "rpn.fg_iou", "0.71", "rpn.bg_iou", "0.31", "rpn.batch_per_image", "101",
    "rpn.positive_fraction", "0.41", "rpn.pre_nms_train", "201", "rpn.post_nms_train", "202",
    "rpn.pre_nms_test", "203", "rpn.post_nms_test", "204", "rpn.nms_iou", "0.72",
    "rpn.min_size", "0.125", "roi.fg_iou", "0.53", "roi.bg_iou", "0.52",
    "roi.batch_per_image", "102", "roi.positive_fraction", "0.26", "infer.score_threshold", "0.06",
    "infer.nms_iou", "0.54", "infer.detections_per_image", "103", "seed", "1234567890123",
    "rpn_cls_pos_weight", "5.5", "roi_cls_pos_weight", "3.5", "focal_alpha", "0.27",
    "focal_gamma", "2.5", "ohem_neg_pos_ratio", "3.25", "ohem_min_positives", "11", NULL,
};

Test(settings, rpn)
{
    const struct det_model *m = configured(distinct);
    struct det_rpn_assign assign = det_model_rpn_assign(m);
    expect_number("fg_iou", (double)assign.matcher.high, 0.71);
    expect_number("bg_iou", (double)assign.matcher.low, 0.31);
    cr_expect(assign.matcher.allow_low_quality, "an object below fg_iou needs its best anchor");
    cr_expect_eq(assign.sampler.batch_per_image, 101);
    expect_number("positive_fraction", (double)assign.sampler.positive_fraction, 0.41);
    cr_expect_eq(assign.sampler.seed, 1234567890123u);
    cr_expect_eq(assign.sampler.positive_purpose, DET_PURPOSE_RPN_POSITIVE);
    cr_expect_eq(assign.sampler.negative_purpose, DET_PURPOSE_RPN_NEGATIVE);
    for (int training = 0; training < 2; training++) {
        struct det_proposal_filter filter = det_model_proposal_filter(m, training);
        cr_expect_eq(filter.pre_nms, training ? 201 : 203);
        cr_expect_eq(filter.post_nms, training ? 202 : 204);
        expect_number("nms_iou", (double)filter.nms_iou, 0.72);
        expect_number("min_size", (double)filter.min_size, 0.125);
        cr_expect_eq(filter.score_threshold, 0.0f, "proposals are ranked, not cut by score");
    }
}

Test(settings, rois_and_detections)
{
    const struct det_model *m = configured(distinct);
    struct det_roi_assign assign = det_model_roi_assign(m);
    struct det_detect detect = det_model_detect(m);
    expect_number("fg_iou", (double)assign.matcher.high, 0.53);
    expect_number("bg_iou", (double)assign.matcher.low, 0.52);
    cr_expect_not(assign.matcher.allow_low_quality, "a poor RoI is no foreground");
    cr_expect_eq(assign.sampler.batch_per_image, 102);
    expect_number("positive_fraction", (double)assign.sampler.positive_fraction, 0.26);
    cr_expect_eq(assign.sampler.seed, 1234567890123u);
    cr_expect_eq(assign.sampler.positive_purpose, DET_PURPOSE_ROI_POSITIVE);
    cr_expect_eq(assign.sampler.negative_purpose, DET_PURPOSE_ROI_NEGATIVE);
    cr_expect_eq(detect.n_classes, 8, "7 classes and the background");
    expect_number("score_threshold", (double)detect.score_threshold, 0.06);
    expect_number("nms_iou", (double)detect.nms_iou, 0.54);
    expect_number("min_size", (double)detect.min_size, 1e-2);
    cr_expect_eq(detect.max_per_image, 103);
    for (int append = 0; append < 2; append++) {
        static const char *const words[] = {"false", "true"};
        m = configured((const char *const[]){"roi.append_ground_truth", words[append], NULL});
        cr_expect_eq(det_model_roi_assign(m).append_ground_truth, append);
    }
}

/* What encodes the targets and what decodes the predictions agree, and both are torchvision's. */
Test(settings, boxes_are_coded_as_they_are_decoded)
{
    static const float unit[4] = {1, 1, 1, 1}, heads[4] = {10, 10, 5, 5};
    const struct det_model *m = configured(distinct);
    struct det_rpn_assign rpn = det_model_rpn_assign(m);
    struct det_roi_assign roi = det_model_roi_assign(m);
    struct det_detect detect = det_model_detect(m);
    struct det_proposal_filter filter = det_model_proposal_filter(m, 1);
    const struct {
        const char *name;
        const float *got, *want;
    } all[] = {{"RPN targets", rpn.coder_weights, unit},
               {"proposals", filter.coder_weights, unit},
               {"RoI targets", roi.coder_weights, heads},
               {"detections", detect.coder_weights, heads}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int k = 0; k < 4; k++)
            cr_expect_eq(all[i].got[k], all[i].want[k], "%s, weight %d: %g", all[i].name, k,
                         (double)all[i].got[k]);
    cr_expect_eq(filter.delta_clip, DET_DELTA_CLIP);
    cr_expect_eq(detect.delta_clip, DET_DELTA_CLIP);
    expect_number("log(1000 / 16)", (double)DET_DELTA_CLIP, log(1000.0 / 16.0));
}

static void expect_loss(const char *what, const struct det_cls_loss *loss, double pos_weight)
{
    cr_expect_eq(loss->pos_weight, (float)pos_weight, "%s: weight %g", what,
                 (double)loss->pos_weight);
    expect_number("focal_alpha", (double)loss->focal_alpha, 0.27);
    expect_number("focal_gamma", (double)loss->focal_gamma, 2.5);
    expect_number("ohem_neg_pos_ratio", (double)loss->ohem_ratio, 3.25);
    cr_expect_eq(loss->ohem_min_positives, 11, "%s", what);
}

Test(settings, each_loss_has_its_own_weight)
{
    const struct det_model *m = configured(distinct);
    struct det_cls_loss rpn = det_model_rpn_cls_loss(m);
    struct det_cls_loss roi = det_model_roi_cls_loss(m);
    expect_loss("loss_rpn_cls", &rpn, 5.5);
    expect_loss("loss_cls", &roi, 3.5);
}

/* Every choice of kind, reduction and denominator; the other loss stays as it was. */
Test(settings, each_choice_reaches_its_loss)
{
    static const struct {
        const char *settings[5];
        int of_rpn;
        enum det_cls_loss_kind kind;
        enum det_reduction reduction;
        enum det_avg_factor avg_factor;
    } cases[] = {
        {{NULL}, 1, DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_SAMPLED},
        {{"rpn_cls_loss", "focal"}, 1, DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_SAMPLED},
        {{"rpn_cls_loss", "ohem"}, 1, DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_SAMPLED},
        {{"rpn_avg_factor", "positives"}, 1, DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_POSITIVES},
        {{"rpn_avg_factor", "none"}, 1, DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_ALL},
        {{"rpn_avg_factor", "none", "rpn_cls_reduction", "sum"}, 1, DET_CLS_PLAIN,
         DET_REDUCTION_SUM, DET_AVG_ALL},
        {{NULL}, 0, DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS},
        {{"roi_cls_loss", "focal"}, 0, DET_CLS_FOCAL, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS},
        {{"roi_cls_loss", "ohem"}, 0, DET_CLS_OHEM, DET_REDUCTION_MEAN, DET_AVG_WEIGHTS},
        {{"roi_cls_avg_factor", "rois"}, 0, DET_CLS_PLAIN, DET_REDUCTION_MEAN, DET_AVG_SAMPLED},
        {{"roi_cls_avg_factor", "positives"}, 0, DET_CLS_PLAIN, DET_REDUCTION_MEAN,
         DET_AVG_POSITIVES},
        {{"roi_cls_avg_factor", "none", "roi_cls_reduction", "sum"}, 0, DET_CLS_PLAIN,
         DET_REDUCTION_SUM, DET_AVG_ALL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct det_model *m = configured(cases[i].settings);
        struct det_cls_loss loss[2] = {det_model_roi_cls_loss(m), det_model_rpn_cls_loss(m)};
        const struct det_cls_loss *got = &loss[cases[i].of_rpn];
        const struct det_cls_loss *other = &loss[!cases[i].of_rpn];
        cr_expect_eq(got->kind, cases[i].kind, "case %zu: kind %d", i, (int)got->kind);
        cr_expect_eq(got->reduction, cases[i].reduction, "case %zu: reduction %d", i,
                     (int)got->reduction);
        cr_expect_eq(got->avg_factor, cases[i].avg_factor, "case %zu: avg_factor %d", i,
                     (int)got->avg_factor);
        cr_expect(other->kind == DET_CLS_PLAIN && other->reduction == DET_REDUCTION_MEAN,
                  "case %zu: the other loss changed too", i);
    }
}

/* What the defaults must not have: RoIs that are neither foreground nor background, a filter that
 * removes small objects' proposals, a threshold above what a young head scores. */
Test(settings, defaults_leave_no_gap)
{
    const struct det_model *m = configured((const char *const[]){NULL});
    struct det_roi_assign assign = det_model_roi_assign(m);
    cr_expect_eq(assign.matcher.high, assign.matcher.low);
    cr_expect_lt(det_model_proposal_filter(m, 1).min_size, 1.0f);
    cr_expect_lt(det_model_proposal_filter(m, 0).min_size, 1.0f);
    cr_expect_leq(det_model_detect(m).score_threshold, 0.05f);
}

/* RoIAlign on the four finest maps, strides 4 to 32; torchvision's sampling. */
Test(settings, roi_align)
{
    static struct net_tensor maps[DET_ROI_LEVELS];
    struct det_model *m = configured((const char *const[]){"model.fpn_channels", "24", NULL});
    m->trunk.tensors = maps;
    for (int l = 0; l < DET_ROI_LEVELS; l++) {
        m->levels[l] = l;
        maps[l].h = 40 >> l;
        maps[l].w = 48 >> l;
    }
    int32_t count = 5;
    struct det_roi_align p = det_model_roi_align(m, DET_BOX_CELLS, 9, &count);
    cr_expect(p.n_levels == 4 && p.channels == 24 && p.output_size == 7 && p.max_rois == 9);
    cr_expect(p.sampling_ratio == 2 && p.aligned == 0 && p.count == &count);
    for (int l = 0; l < DET_ROI_LEVELS; l++)
        cr_expect(p.h[l] == 40 >> l && p.w[l] == 48 >> l && p.scale[l] == 0.25f / (float)(1 << l),
                  "level %d: %d x %d, scale %g", l, p.h[l], p.w[l], (double)p.scale[l]);
    struct det_roi_assign assign = det_model_roi_assign(m);
    cr_expect(assign.n_levels == 4 && assign.finest == 2, "level 0 has stride 2^2");
}
