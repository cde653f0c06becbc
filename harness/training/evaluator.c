#include "harness/training/evaluator.h"

#include "detector/bodies/iou.h"
#include "detector/inference/mask_paste.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MASK_SIZE = 28 };

/* ---- set-up ---- */

static enum det_code make_coco(struct evaluator *e, enum det_iou_type type,
                               struct det_coco_eval **out, struct det_error *err)
{
    size_t classes = (size_t)e->data->n_classes;
    size_t images = (size_t)e->images;
    int64_t *ids = malloc((classes + images) * sizeof *ids);
    if (!ids)
        return det_fail(err, DET_NO_MEMORY, "evaluation of %zu images", images);
    for (size_t i = 0; i < classes; i++)
        ids[i] = (int64_t)i + 1;
    for (size_t i = 0; i < images; i++)
        ids[classes + i] = (int64_t)i;
    enum det_code code = det_coco_eval_create(type, ids, classes, ids + classes, images, out, err);
    free(ids);
    return code;
}

static enum det_code make_detections(struct evaluator *e, int with_masks, struct det_error *err)
{
    size_t batch = (size_t)e->config->eval_batch_size;
    size_t most = (size_t)e->config->infer_detections_per_image;
    e->found = calloc(batch, sizeof *e->found);
    for (size_t i = 0; e->found && i < batch; i++) {
        e->found[i].at = calloc(most, sizeof *e->found[i].at);
        if (with_masks)
            e->found[i].mask_logits = calloc(most * MASK_SIZE * MASK_SIZE, sizeof(float));
        if (!e->found[i].at || (with_masks && !e->found[i].mask_logits))
            return det_fail(err, DET_NO_MEMORY, "evaluation: detections of %zu images", batch);
    }
    return e->found ? DET_OK : det_fail(err, DET_NO_MEMORY, "evaluation of %zu images", batch);
}

/* One block for the small arrays; the widest types come first. */
static enum det_code make_arrays(struct evaluator *e, struct det_error *err)
{
    size_t classes = (size_t)e->data->n_classes;
    size_t batch = (size_t)e->config->eval_batch_size;
    size_t objects = batch * (size_t)e->data->max_objects;
    size_t pixels = (size_t)e->data->canvas_h * (size_t)e->data->canvas_w;
    size_t proposals = (size_t)e->config->rpn_post_nms_test;
    size_t bytes = classes * (2 * sizeof(int64_t) + sizeof *e->ladder_per_class + sizeof(double)) +
                   objects * (5 * sizeof(float) + sizeof(int32_t)) +
                   proposals * sizeof *e->proposals + (batch + 1) * sizeof(int32_t) + pixels;
    e->block = calloc(1, bytes);
    if (!e->block)
        return det_fail(err, DET_NO_MEMORY, "evaluation: %zu bytes", bytes);
    e->detections_per_class = e->block;
    e->objects_per_class = e->detections_per_class + classes;
    e->ladder_per_class = (int64_t(*)[RUN_LOG_THRESHOLDS])(e->objects_per_class + classes);
    e->ap_per_class = (double *)(e->ladder_per_class + classes);
    e->truth_boxes = (float *)(e->ap_per_class + classes);
    e->truth_scores = e->truth_boxes + 4 * objects;
    e->proposals = (float(*)[4])(e->truth_scores + objects);
    e->truth_labels = (int32_t *)(e->proposals + proposals);
    e->truth_first = e->truth_labels + objects;
    e->mask = (uint8_t *)(e->truth_first + batch + 1);
    return DET_OK;
}

enum det_code evaluator_open(struct evaluator *e, const struct det_config *config,
                             const struct det_dataset *data, struct det_pool *pool,
                             struct det_error *err)
{
    *e = (struct evaluator){.config = config, .data = data, .pool = pool};
    e->images = config->eval_images < data->size ? config->eval_images : data->size;
    int masks = config->mask_enabled && config->eval_masks;
    enum det_code code = loader_open(&e->loader, data, pool, (int)config->eval_batch_size,
                                     (uint64_t)config->seed, 0, err);
    if (code != DET_OK || (code = make_arrays(e, err)) != DET_OK ||
        (code = make_detections(e, masks, err)) != DET_OK ||
        (code = make_coco(e, DET_IOU_BBOX, &e->boxes, err)) != DET_OK)
        return code;
    return masks ? make_coco(e, DET_IOU_SEGM, &e->masks, err) : DET_OK;
}

void evaluator_close(struct evaluator *e)
{
    for (int64_t i = 0; e->found && i < e->config->eval_batch_size; i++) {
        free(e->found[i].at);
        free(e->found[i].mask_logits);
    }
    free(e->found);
    free(e->block);
    det_coco_eval_destroy(e->boxes);
    det_coco_eval_destroy(e->masks);
    loader_close(&e->loader);
    memset(e, 0, sizeof *e);
}

/* ---- rows for COCO ---- */

static struct det_coco_row coco_row(int64_t image, int label, const float box[4])
{
    return (struct det_coco_row){
        .image_id = image,
        .category_id = label,
        .box = {(double)box[0], (double)box[1], (double)box[2] - (double)box[0],
                (double)box[3] - (double)box[1]},
        .area = (double)NAN, /* that of the box, or of the mask */
    };
}

static enum det_code encode(const struct evaluator *e, const uint8_t *mask, struct det_rle *out,
                            struct det_error *err)
{
    return det_rle_encode(mask, e->data->canvas_h, e->data->canvas_w, out, err);
}

static enum det_code add_truth(struct evaluator *e, int64_t image, const struct det_sample *s,
                               struct det_error *err)
{
    size_t pixels = (size_t)e->data->canvas_h * (size_t)e->data->canvas_w;
    enum det_code code = DET_OK;
    for (int i = 0; i < s->truth.n && code == DET_OK; i++) {
        struct det_coco_row row = coco_row(image, s->truth.labels[i], s->truth.boxes[i]);
        struct det_rle mask = {0};
        row.crowd = s->truth.crowd[i];
        row.area = s->truth.areas[i];
        code = det_coco_eval_add_truth(e->boxes, &row, err);
        if (code != DET_OK || !e->masks)
            continue;
        row.mask = &mask;
        if ((code = encode(e, s->truth.masks + (size_t)i * pixels, &mask, err)) == DET_OK)
            code = det_coco_eval_add_truth(e->masks, &row, err);
        det_rle_release(&mask);
    }
    return code;
}

static enum det_code add_detection(struct evaluator *e, int64_t image,
                                   const struct det_image_detections *found, int i,
                                   struct det_error *err)
{
    const struct det_detection *d = &found->at[i];
    struct det_coco_row row = coco_row(image, d->label, d->box);
    row.score = (double)d->score;
    enum det_code code = det_coco_eval_add_detection(e->boxes, &row, err);
    if (code != DET_OK || !e->masks)
        return code;
    float *mask = found->mask_logits + (size_t)i * MASK_SIZE * MASK_SIZE;
    struct det_rle rle = {0};
    det_mask_probabilities(MASK_SIZE * MASK_SIZE, mask, mask);
    det_mask_paste_binary(mask, MASK_SIZE, d->box, e->data->canvas_h, e->data->canvas_w, 0.5f,
                          e->mask);
    row.mask = &rle;
    if ((code = encode(e, e->mask, &rle, err)) == DET_OK)
        code = det_coco_eval_add_detection(e->masks, &row, err);
    det_rle_release(&rle);
    return code;
}

/* ---- monitors ---- */

struct tally { /* sums over the evaluation, for means */
    double object_score;
    int64_t objects_proposed;
    int64_t rpn_foreground, rpn_background, roi_foreground, roi_background;
};

static void count_detection(struct evaluator *e, const struct det_detection *d,
                            struct run_log_eval *line)
{
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        int counts = (double)d->score >= run_log_thresholds[t];
        line->detections[t] += counts;
        e->ladder_per_class[d->label - 1][t] += counts;
    }
    e->detections_per_class[d->label - 1] += (double)d->score >= e->config->judge_score;
}

static int proposed(const float *box, float (*proposals)[4], int n)
{
    for (int i = 0; i < n; i++)
        if (det_box_iou(box, proposals[i]) >= 0.5f)
            return 1;
    return 0;
}

/* Pack image i's objects for det_model_score_boxes and see which of them the RPN proposed. */
static void visit_objects(struct evaluator *e, struct det_model *model, int i,
                          const struct det_sample *s, struct tally *tally)
{
    int n_proposals = det_model_proposals(model, i, e->proposals, NULL);
    int at = e->truth_first[i];
    for (int k = 0; k < s->truth.n; k++) {
        if (s->truth.crowd[k])
            continue;
        memcpy(e->truth_boxes + 4 * at, s->truth.boxes[k], sizeof s->truth.boxes[k]);
        e->truth_labels[at++] = s->truth.labels[k];
        e->objects_per_class[s->truth.labels[k] - 1]++;
        tally->objects_proposed += proposed(s->truth.boxes[k], e->proposals, n_proposals);
    }
    e->truth_first[i + 1] = at;
}

static enum det_code score_objects(struct evaluator *e, struct det_model *model, int n,
                                   struct run_log_eval *line, struct tally *tally,
                                   struct det_error *err)
{
    enum det_code code = det_model_score_boxes(model, n, e->truth_first, e->truth_boxes,
                                               e->truth_labels, e->truth_scores, err);
    for (int i = 0; i < e->truth_first[n] && code == DET_OK; i++)
        tally->object_score += (double)e->truth_scores[i];
    line->objects += e->truth_first[n];
    return code;
}

static void add_pass(const struct det_infer_stats *stats, struct run_log_eval *line,
                     struct tally *tally)
{
    line->not_finite += stats->not_finite;
    if (!((double)stats->max_score <= line->max_score))
        line->max_score = (double)stats->max_score;
    if (!((double)stats->max_objectness <= line->max_objectness))
        line->max_objectness = (double)stats->max_objectness;
    tally->rpn_foreground += stats->rpn_foreground;
    tally->rpn_background += stats->rpn_background;
    tally->roi_foreground += stats->roi_foreground;
    tally->roi_background += stats->roi_background;
}

/* ---- a whole evaluation ---- */

static enum det_code run_batch(struct evaluator *e, struct det_model *model, int64_t first, int n,
                               struct run_log_eval *line, struct tally *tally,
                               struct det_error *err)
{
    struct det_infer_stats stats;
    enum det_code code = loader_load(&e->loader, first, n, err);
    if (code == DET_OK)
        code = det_model_infer(model, e->loader.samples, n, e->found, &stats, err);
    if (code != DET_OK)
        return code;
    add_pass(&stats, line, tally);
    for (int i = 0; i < n && code == DET_OK; i++) {
        const struct det_sample *s = &e->loader.samples[i];
        visit_objects(e, model, i, s, tally);
        if (!e->has_truth)
            code = add_truth(e, first + i, s, err);
        for (int d = 0; d < e->found[i].n && code == DET_OK; d++) {
            count_detection(e, &e->found[i].at[d], line);
            code = add_detection(e, first + i, &e->found[i], d, err);
        }
    }
    return code == DET_OK ? score_objects(e, model, n, line, tally, err) : code;
}

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : RUN_LOG_NONE;
}

static enum det_code box_numbers(struct evaluator *e, struct run_log_eval *line,
                                 struct det_error *err)
{
    struct det_coco_result *result;
    enum det_code code = det_coco_eval_run(e->boxes, e->pool, &result, err);
    if (code != DET_OK)
        return code;
    line->box_ap = result->stats[DET_COCO_AP];
    line->box_ap50 = result->stats[DET_COCO_AP50];
    for (int k = 0; k < e->data->n_classes; k++)
        e->ap_per_class[k] = result->category_ap[k];
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
        line->objects_found[t] = (int64_t)det_coco_found(result, -1, run_log_thresholds[t]);
    det_coco_result_destroy(result);
    return DET_OK;
}

static enum det_code mask_numbers(struct evaluator *e, struct run_log_eval *line,
                                  struct det_error *err)
{
    struct det_coco_result *result;
    line->mask_ap = line->mask_ap50 = RUN_LOG_NONE;
    if (!e->masks)
        return DET_OK;
    enum det_code code = det_coco_eval_run(e->masks, e->pool, &result, err);
    if (code != DET_OK)
        return code;
    line->mask_ap = result->stats[DET_COCO_AP];
    line->mask_ap50 = result->stats[DET_COCO_AP50];
    det_coco_result_destroy(result);
    return DET_OK;
}

static void start(struct evaluator *e, int64_t step, struct run_log_eval *line)
{
    size_t classes = (size_t)e->data->n_classes;
    memset(line, 0, sizeof *line);
    memset(e->detections_per_class, 0, classes * sizeof *e->detections_per_class);
    memset(e->objects_per_class, 0, classes * sizeof *e->objects_per_class);
    memset(e->ladder_per_class, 0, classes * sizeof *e->ladder_per_class);
    line->step = step;
    line->images = e->images;
    line->n_classes = e->data->n_classes;
    line->detections_per_class = e->detections_per_class;
    line->objects_per_class = e->objects_per_class;
    line->ladder_per_class = (const int64_t(*)[RUN_LOG_THRESHOLDS])e->ladder_per_class;
    line->box_ap_per_class = e->ap_per_class;
    det_coco_eval_clear_detections(e->boxes);
    if (e->masks)
        det_coco_eval_clear_detections(e->masks);
}

static void finish(struct det_model *model, const struct tally *tally, struct run_log_eval *line)
{
    line->mean_object_score =
        line->objects > 0 ? tally->object_score / (double)line->objects : RUN_LOG_NONE;
    line->proposal_recall = ratio(tally->objects_proposed, line->objects);
    line->rpn_fg_bg_ratio = ratio(tally->rpn_foreground, tally->rpn_background);
    line->roi_fg_bg_ratio = ratio(tally->roi_foreground, tally->roi_background);
    line->weights_hash = det_model_hash(model);
    line->weights_finite = det_model_all_finite(model);
}

enum det_code evaluator_run(struct evaluator *e, struct det_model *model, int64_t step,
                            struct run_log_eval *line, struct det_error *err)
{
    struct tally tally = {0};
    enum det_code code = DET_OK;
    int batch = (int)e->config->eval_batch_size;
    start(e, step, line);
    for (int64_t first = 0; first < e->images && code == DET_OK; first += batch) {
        int n = e->images - first < batch ? (int)(e->images - first) : batch;
        code = run_batch(e, model, first, n, line, &tally, err);
    }
    e->has_truth = 1;
    if (code != DET_OK || (code = box_numbers(e, line, err)) != DET_OK)
        return code;
    finish(model, &tally, line);
    return mask_numbers(e, line, err);
}
