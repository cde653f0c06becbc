/* The evaluator: its numbers are those of COCO's evaluation fed by hand with the model's
 * detections, its counts add up, and it neither disturbs training nor depends on how it is cut into
 * batches. */
#include "harness/training/evaluator.h"

#include "fixtures/fixture.h"
#include "suites/model_suite.h"

static struct det_pool *pool;
static struct det_dataset *data;

static void set_up(void)
{
    struct det_error err = {0};
    struct fixture_options options = {.seed = 5};
    cr_assert_eq(det_pool_create(2, &pool, &err), DET_OK);
    cr_assert_eq(fixture_open("per_class", FIXTURE_VAL, &options, &data, &err), DET_OK, "%s",
                 err.message);
}

static void tear_down(void)
{
    data->close(data);
    det_pool_destroy(pool);
}

TestSuite(evaluator, .init = set_up, .fini = tear_down);

enum { IMAGES = 7 };

static struct det_config eval_config(void)
{
    struct det_config config = small_config();
    config.eval_images = IMAGES;
    config.eval_batch_size = 3;
    set(&config, "infer.score_threshold", "0.05");
    set(&config, "infer.detections_per_image", "30");
    return config;
}

/* A model for the recipe; a few steps make its scores differ. */
static struct small open_model(const struct det_config *config, int steps)
{
    struct small s = {.config = *config, .canvas = data->canvas_w, .dev = guarded_open(2)};
    struct det_error err = {0};
    struct loader loader;
    struct det_model_options options = {.config = config,
                                        .n_classes = data->n_classes,
                                        .canvas_h = data->canvas_h,
                                        .canvas_w = data->canvas_w,
                                        .max_objects = data->max_objects,
                                        .batch_size = 2,
                                        .infer_batch_size = (int)config->eval_batch_size};
    cr_assert_eq(det_model_create(s.dev, &options, &s.model, &err), DET_OK, "%s", err.message);
    cr_assert_eq(loader_open(&loader, data, pool, 2, 1, 0, &err), DET_OK);
    for (int step = 0; step < steps; step++) {
        cr_assert_eq(loader_load(&loader, 100 + 2 * step, 2, &err), DET_OK);
        train_step(&s, loader.samples, 2, (uint32_t)step);
    }
    loader_close(&loader);
    return s;
}

/* The evaluation by hand, in the same batches: a product's last bits depend on its rows. */
struct by_hand {
    struct det_coco_eval *coco;
    int64_t detections[RUN_LOG_THRESHOLDS], per_class[8], objects;
    float best;
};

static void add_row(struct by_hand *h, int64_t image, int label, const float *b, const float *score)
{
    struct det_coco_row row = {.image_id = image,
                               .category_id = label,
                               .box = {(double)b[0], (double)b[1], (double)b[2] - (double)b[0],
                                       (double)b[3] - (double)b[1]},
                               .area = (double)NAN,
                               .score = score ? (double)*score : 0.0};
    cr_assert_eq(
        (score ? det_coco_eval_add_detection : det_coco_eval_add_truth)(h->coco, &row, NULL),
        DET_OK);
}

static void add_batch(struct by_hand *h, struct small *s, const struct det_sample *samples, int n,
                      int64_t first)
{
    static struct det_detection at[IMAGES][64];
    struct det_image_detections found[IMAGES];
    struct det_infer_stats stats;
    for (int i = 0; i < n; i++)
        found[i] = (struct det_image_detections){.at = at[i]};
    cr_assert_eq(det_model_infer(s->model, samples, n, found, &stats, NULL), DET_OK);
    h->best = fmaxf(h->best, stats.max_score);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < samples[i].truth.n; k++)
            add_row(h, first + i, samples[i].truth.labels[k], samples[i].truth.boxes[k], NULL);
        h->objects += samples[i].truth.n;
        for (int d = 0; d < found[i].n; d++) {
            add_row(h, first + i, at[i][d].label, at[i][d].box, &at[i][d].score);
            for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
                h->detections[t] += (double)at[i][d].score >= run_log_thresholds[t];
            h->per_class[at[i][d].label - 1] += (double)at[i][d].score >= 0.5;
        }
    }
}

static struct det_coco_result *evaluate_by_hand(struct by_hand *h, struct small *s)
{
    int64_t ids[8], images[IMAGES];
    struct loader loader;
    struct det_coco_result *result;
    memset(h, 0, sizeof *h);
    for (int k = 0; k < data->n_classes; k++)
        ids[k] = k + 1;
    for (int i = 0; i < IMAGES; i++)
        images[i] = i;
    cr_assert_eq(det_coco_eval_create(DET_IOU_BBOX, ids, (size_t)data->n_classes, images, IMAGES,
                                      &h->coco, NULL),
                 DET_OK);
    int batch = (int)s->config.eval_batch_size;
    cr_assert_eq(loader_open(&loader, data, pool, batch, 1, 0, NULL), DET_OK);
    for (int64_t i = 0; i < IMAGES; i += batch) {
        int n = i + batch < IMAGES ? batch : (int)(IMAGES - i);
        cr_assert_eq(loader_load(&loader, i, n, NULL), DET_OK);
        add_batch(h, s, loader.samples, n, i);
    }
    loader_close(&loader);
    cr_assert_eq(det_coco_eval_run(h->coco, NULL, &result, NULL), DET_OK);
    return result;
}

/* False detections must cost precision: rows that say a wrong area are not counted as such. */
Test(evaluator, numbers_are_those_of_coco_by_hand)
{
    struct det_config config = eval_config();
    struct small s = open_model(&config, 12);
    struct evaluator e;
    struct run_log_eval line;
    struct by_hand hand;
    struct det_error err = {0};
    cr_assert_eq(evaluator_open(&e, &config, data, pool, &err), DET_OK, "%s", err.message);
    for (int again = 0; again < 2;
         again++) { /* the second time the ground truth is there already */
        cr_assert_eq(evaluator_run(&e, s.model, 12, &line, &err), DET_OK, "%s", err.message);
        struct det_coco_result *want = evaluate_by_hand(&hand, &s);
        cr_expect_gt(hand.detections[0], hand.objects, "too few detections to tell anything");
        cr_expect_eq(line.box_ap, want->stats[DET_COCO_AP], "AP %g, by hand %g", line.box_ap,
                     want->stats[DET_COCO_AP]);
        cr_expect_eq(line.box_ap50, want->stats[DET_COCO_AP50], "AP50 %g, by hand %g",
                     line.box_ap50, want->stats[DET_COCO_AP50]);
        for (int k = 0; k < data->n_classes; k++) {
            cr_expect_eq(line.box_ap_per_class[k], want->category_ap[k]);
            cr_expect_eq(line.detections_per_class[k], hand.per_class[k]);
        }
        for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
            int64_t ladder = 0;
            for (int k = 0; k < data->n_classes; k++)
                ladder += line.ladder_per_class[k][t];
            cr_expect_eq(line.detections[t], hand.detections[t], "at %g", run_log_thresholds[t]);
            cr_expect_eq(ladder, line.detections[t], "classes do not add up at %g",
                         run_log_thresholds[t]);
            cr_expect_eq(line.objects_found[t],
                         (int64_t)det_coco_found(want, -1, run_log_thresholds[t]));
        }
        cr_expect_eq(line.objects, hand.objects);
        cr_expect_eq(line.images, IMAGES);
        cr_expect_eq((float)line.max_score, hand.best);
        cr_expect(line.mask_ap >= 0.0 && line.mask_ap <= 1.0, "mask AP %g", line.mask_ap);
        cr_expect(line.mean_object_score > 0.0 && line.mean_object_score < 1.0);
        cr_expect(line.proposal_recall >= 0.0 && line.proposal_recall <= 1.0);
        det_coco_result_destroy(want);
        det_coco_eval_destroy(hand.coco);
    }
    evaluator_close(&e);
    small_close(&s);
}

Test(evaluator, batches_do_not_matter)
{
    struct run_log_eval lines[3];
    for (int b = 0; b < 3; b++) {
        struct det_config config = eval_config();
        struct evaluator e;
        config.eval_batch_size = 1 + 3 * b; /* 1, 4, 7 */
        struct small s = open_model(&config, 4);
        cr_assert_eq(evaluator_open(&e, &config, data, pool, NULL), DET_OK);
        cr_assert_eq(evaluator_run(&e, s.model, 4, &lines[b], NULL), DET_OK);
        cr_expect_eq(lines[b].weights_hash, lines[0].weights_hash);
        cr_expect(fabs(lines[b].box_ap - lines[0].box_ap) <= 1e-6, "batch of %d", 1 + 3 * b);
        cr_expect(fabs(lines[b].mask_ap - lines[0].mask_ap) <= 1e-2);
        cr_expect(fabs(lines[b].max_score - lines[0].max_score) <= 1e-6);
        cr_expect(fabs(lines[b].max_objectness - lines[0].max_objectness) <= 1e-6);
        /* a matrix product's last bits depend on how many rows it has */
        cr_expect(fabs(lines[b].mean_object_score - lines[0].mean_object_score) <= 1e-6,
                  "batch of %d: score %.9g, want %.9g", 1 + 3 * b, lines[b].mean_object_score,
                  lines[0].mean_object_score);
        cr_expect_eq(lines[b].proposal_recall, lines[0].proposal_recall);
        cr_expect_eq(lines[b].rpn_fg_bg_ratio, lines[0].rpn_fg_bg_ratio);
        cr_expect_eq(lines[b].roi_fg_bg_ratio, lines[0].roi_fg_bg_ratio);
        cr_expect_eq(memcmp(lines[b].detections, lines[0].detections, sizeof lines->detections), 0);
        evaluator_close(&e);
        small_close(&s);
    }
}

/* A detector that finds nothing, and one whose weights are gone: 0, and counted; never nothing. */
Test(evaluator, empty_and_broken_detectors)
{
    struct det_config config = eval_config();
    struct small s = open_model(&config, 0);
    struct evaluator e;
    struct run_log_eval line;
    struct det_parameter *score = det_model_find(s.model, "roi_heads.box_predictor.cls_score.bias");
    cr_assert_eq(evaluator_open(&e, &config, data, pool, NULL), DET_OK);
    score->value[0] = 50.0f;
    cr_assert_eq(evaluator_run(&e, s.model, 0, &line, NULL), DET_OK);
    cr_expect_eq(line.detections[0], 0);
    cr_expect_eq(line.box_ap, 0.0);
    cr_expect_eq(line.mask_ap, 0.0);
    cr_expect_eq(line.not_finite, 0);
    cr_expect(line.weights_finite);
    cr_expect_eq(line.roi_fg_bg_ratio, 0.0);
    score->value[0] = NAN;
    cr_assert_eq(evaluator_run(&e, s.model, 0, &line, NULL), DET_OK);
    cr_expect_gt(line.not_finite, 0, "dropped scores are not counted");
    cr_expect_not(line.weights_finite);
    cr_expect(isnan(line.mean_object_score), "a NaN at the objects became %g",
              line.mean_object_score);
    evaluator_close(&e);
    small_close(&s);
}

Test(evaluator, without_masks)
{
    struct det_config config = eval_config();
    struct evaluator e;
    struct run_log_eval line;
    config.eval_masks = 0;
    struct small s = open_model(&config, 2);
    cr_assert_eq(evaluator_open(&e, &config, data, pool, NULL), DET_OK);
    cr_assert_eq(evaluator_run(&e, s.model, 2, &line, NULL), DET_OK);
    cr_expect_eq(line.mask_ap, RUN_LOG_NONE);
    cr_expect_neq(line.box_ap, RUN_LOG_NONE);
    evaluator_close(&e);
    small_close(&s);
}
