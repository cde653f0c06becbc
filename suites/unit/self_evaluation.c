/* A model judged by its own detections: the evaluator must find nothing wrong. The mask's threshold
 * and place, the class's number, which image a row belongs to, the last and smaller batch: each of
 * them lowers that one number. */
#include "detector/inference/mask_paste.h"
#include "harness/training/evaluator.h"
#include "suites/model_suite.h"

enum { IMAGES = 5, MOST = 12, PIXELS = SMALL_CANVAS * SMALL_CANVAS };

/* Images whose ground truth is what the model found in them. */
static struct det_sample found[IMAGES];
static int label_shift; /* 1: every object is of the other class */

static enum det_code load_found(const struct det_dataset *self, int64_t index,
                                struct det_sample *sample, struct det_error *err)
{
    const struct det_sample *from = &found[index];
    size_t n = (size_t)from->truth.n;
    (void)self;
    enum det_code code = det_sample_reserve(sample, from->truth.n, PIXELS, err);
    if (code != DET_OK)
        return code;
    memcpy(sample->image, from->image, 3 * PIXELS * sizeof *sample->image);
    sample->id = from->id;
    sample->height = sample->width = SMALL_CANVAS;
    sample->truth.n = from->truth.n;
    memcpy(sample->truth.boxes, from->truth.boxes, n * sizeof *sample->truth.boxes);
    memcpy(sample->truth.masks, from->truth.masks, n * PIXELS);
    memcpy(sample->truth.areas, from->truth.areas, n * sizeof *sample->truth.areas);
    memset(sample->truth.crowd, 0, n);
    memset(sample->truth.annotated, 1, n);
    for (size_t i = 0; i < n; i++)
        sample->truth.labels[i] = 1 + (from->truth.labels[i] - 1 + label_shift) % SMALL_CLASSES;
    return DET_OK;
}

static const struct det_dataset dataset = {.name = "found", .size = IMAGES,
                                           .n_classes = SMALL_CLASSES, .canvas_h = SMALL_CANVAS,
                                           .canvas_w = SMALL_CANVAS, .max_objects = MOST,
                                           .load = load_found};

/* Detections become ground truth; a mask covers the pixels where its probability is above 0.5. */
static void take_detections(struct small *s, int image)
{
    static float logits[MOST * DET_MASK_SIZE * DET_MASK_SIZE];
    const size_t cells = DET_MASK_SIZE * DET_MASK_SIZE;
    struct det_detection at[MOST];
    struct det_image_detections out = {.at = at, .mask_logits = logits};
    struct det_infer_stats stats;
    struct det_sample *sample = &found[image];
    *sample = image_with(image, 0);
    cr_assert_eq(det_model_infer(s->model, sample, 1, &out, &stats, NULL), DET_OK);
    cr_assert_eq(det_sample_reserve(sample, out.n, PIXELS, NULL), DET_OK);
    sample->truth.n = out.n;
    for (int i = 0; i < out.n; i++) {
        float *mask = logits + (size_t)i * cells;
        uint8_t *pasted = sample->truth.masks + (size_t)i * PIXELS;
        memcpy(sample->truth.boxes[i], at[i].box, sizeof at[i].box);
        sample->truth.labels[i] = at[i].label;
        det_mask_probabilities(cells, mask, mask);
        det_mask_paste_binary(mask, DET_MASK_SIZE, at[i].box, SMALL_CANVAS, SMALL_CANVAS, 0.5f,
                              pasted);
        sample->truth.areas[i] = 0.0;
        for (int p = 0; p < PIXELS; p++)
            sample->truth.areas[i] += pasted[p];
    }
}

/* Untrained masks have probabilities of about one half, each class its own: a little more, so that
 * none is empty. */
static struct small open_model(void)
{
    struct det_config config = small_config();
    config.eval_images = IMAGES;
    config.eval_batch_size = 3;
    config.infer_detections_per_image = MOST;
    struct small s = small_open(&config, 2);
    struct det_parameter *bias =
        det_model_find(s.model, "roi_heads.mask_predictor.mask_fcn_logits.bias");
    for (size_t k = 0; k < bias->size; k++)
        bias->value[k] = 0.1f;
    return s;
}

static struct run_log_eval evaluated(struct small *s, struct det_pool *pool)
{
    struct evaluator e;
    struct run_log_eval line;
    struct det_error err = {0};
    cr_assert_eq(evaluator_open(&e, &s->config, &dataset, pool, &err), DET_OK, "%s", err.message);
    cr_assert_eq(evaluator_run(&e, s->model, 0, &line, &err), DET_OK, "%s", err.message);
    evaluator_close(&e);
    return line;
}

Test(self_evaluation, scores_one)
{
    struct det_pool *pool;
    struct small s = open_model();
    int objects = 0;
    cr_assert_eq(det_pool_create(1, &pool, NULL), DET_OK);
    for (int i = 0; i < IMAGES; i++) {
        take_detections(&s, i);
        objects += found[i].truth.n;
    }
    cr_assert_gt(objects, 2 * IMAGES, "%d detections are too few for this test", objects);
    struct run_log_eval line = evaluated(&s, pool);
    cr_expect_eq(line.objects, objects);
    cr_expect(fabs(line.box_ap - 1.0) <= 1e-12, "box AP %.17g", line.box_ap);
    cr_expect(fabs(line.mask_ap - 1.0) <= 1e-12, "mask AP %.17g", line.mask_ap);
    label_shift = 1;
    line = evaluated(&s, pool);
    cr_expect_lt(line.box_ap, 0.9, "classes swapped: box AP %g", line.box_ap);
    drop_images(found, IMAGES);
    det_pool_destroy(pool);
    small_close(&s);
}

/* What the model gets wrong its own detections do not show: the mask head predicts a mask for every
 * class, and a detection must get that of its own. Here every pixel of class k's masks is k. */
Test(self_evaluation, masks_are_those_of_their_class)
{
    static float logits[MOST][DET_MASK_SIZE * DET_MASK_SIZE];
    struct det_detection at[MOST];
    struct det_image_detections out = {.at = at, .mask_logits = logits[0]};
    struct det_infer_stats stats;
    struct det_sample sample = image_with(3, 2);
    struct small s = open_model();
    struct det_parameter *weight =
        det_model_find(s.model, "roi_heads.mask_predictor.mask_fcn_logits.weight");
    struct det_parameter *bias =
        det_model_find(s.model, "roi_heads.mask_predictor.mask_fcn_logits.bias");
    int of_class[SMALL_CLASSES + 1] = {0};
    memset(weight->value, 0, weight->size * sizeof *weight->value);
    for (size_t k = 0; k < bias->size; k++)
        bias->value[k] = (float)k;
    cr_assert_eq(det_model_infer(s.model, &sample, 1, &out, &stats, NULL), DET_OK);
    for (int i = 0; i < out.n; i++) {
        of_class[at[i].label]++;
        for (int p = 0; p < DET_MASK_SIZE * DET_MASK_SIZE; p++)
            cr_assert_eq(logits[i][p], (float)at[i].label,
                         "detection %d of class %d has the mask of another class", i, at[i].label);
    }
    cr_expect(of_class[1] > 0 && of_class[2] > 0, "%d and %d detections", of_class[1], of_class[2]);
    drop_images(&sample, 1);
    small_close(&s);
}
