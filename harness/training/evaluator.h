/* Evaluation of a model in training: inference on validation images, COCO's numbers, and what tells
 * a collapse. Everything but the detections themselves is laid out once, at the start. */
#ifndef HARNESS_TRAINING_EVALUATOR_H
#define HARNESS_TRAINING_EVALUATOR_H

#include "detector/evaluation/coco_eval.h"
#include "harness/log/run_log.h"
#include "harness/training/loader.h"

struct evaluator {
    const struct det_config *config; /* borrowed */
    const struct det_dataset *data;  /* borrowed */
    struct det_pool *pool;           /* borrowed */
    struct loader loader;
    int64_t images;
    struct det_coco_eval *boxes, *masks; /* owned; masks NULL where not evaluated */
    int has_truth;                       /* ground truth has been added to them */
    struct det_image_detections *found;  /* [eval.batch_size], owned with what they point to */
    float (*proposals)[4];               /* [rpn.post_nms_test] */
    float *truth_boxes, *truth_scores;   /* of one batch, for det_model_score_boxes */
    int32_t *truth_labels, *truth_first;
    uint8_t *mask;                       /* one pasted mask */
    int64_t *detections_per_class, *objects_per_class;
    int64_t (*ladder_per_class)[RUN_LOG_THRESHOLDS];
    double *ap_per_class;
    void *block;                         /* owns the arrays from truth_boxes on */
};

/* config.eval_images images of data (all of a smaller dataset). Safe to close after a failure. */
enum det_code evaluator_open(struct evaluator *evaluator, const struct det_config *config,
                             const struct det_dataset *data, struct det_pool *pool,
                             struct det_error *err);

/* Evaluate the model as it stands after `step` optimiser steps. *line borrows arrays of the
 * evaluator, valid until the next call. */
enum det_code evaluator_run(struct evaluator *evaluator, struct det_model *model, int64_t step,
                            struct run_log_eval *line, struct det_error *err);

void evaluator_close(struct evaluator *evaluator);

#endif
