/* The reference detector: Mask R-CNN (He et al., ICCV 2017) with FPN (Lin et al., CVPR 2017), with
 * torchvision's semantics and parameter names. This is the library's one public header.
 *
 * The way of the data: det_model_create plans all memory; det_model_bring_batch takes images and
 * ground truth; a step's passes compute the five losses and every gradient, its update clips and
 * updates; det_model_infer gives detections. */
#ifndef DET_DETECTOR_H
#define DET_DETECTOR_H

#include "detector/backend/backend.h"
#include "detector/base/status.h"
#include "detector/training/dataset.h"
#include "detector/training/training_config.h"

struct det_model; /* opaque */

struct det_model_options {
    const struct det_config *config; /* read at creation only */
    int n_classes;                   /* K, background not counted */
    int canvas_h, canvas_w;          /* multiples of 32 */
    int max_objects;                 /* most ground-truth rows of one image */
    int batch_size;                  /* most images of one training pass */
    int infer_batch_size;            /* most images of one inference pass */
};

/* Plan and take all memory on dev (which must outlive the model), parameters initialised as in
 * torchvision from config->seed. *out is owned by the caller. */
enum det_code det_model_create(struct det_device *dev, const struct det_model_options *options,
                               struct det_model **out, struct det_error *err);
void det_model_destroy(struct det_model *model);
size_t det_model_memory(const struct det_model *model); /* bytes planned on the device */

/* ---- parameters (torchvision's state_dict names and shapes) ---- */
struct det_parameter {
    const char *name;
    int n_dims;
    int dims[4];
    size_t size;     /* elements */
    int trainable;   /* 0: a buffer (running statistics) or a frozen weight */
    int buffer;      /* 1: running statistics */
    float *value;    /* device; owned by the model */
    float *grad;     /* device; NULL unless trainable */
    float *state1, *state2; /* optimiser state; state2 NULL for SGD */
};
size_t det_model_parameter_count(const struct det_model *model);
struct det_parameter *det_model_parameter(struct det_model *model, size_t i);
struct det_parameter *det_model_find(struct det_model *model, const char *name); /* or NULL */
uint64_t det_model_hash(struct det_model *model); /* of all values' bits, in order */
int det_model_all_finite(struct det_model *model);

/* ---- training ---- */
struct det_losses {
    double rpn_cls, rpn_bbox, cls, bbox, mask, total;
};

struct det_step_stats {
    struct det_losses losses;
    struct det_cls_stats rpn, roi;
    int objects;         /* ground-truth rows of the step */
    int proposals;       /* of all images */
    int not_finite;      /* dropped boxes or scores */
    double grad_norm;    /* before clipping */
    int clipped;
    int skipped;         /* the loss scaler found an overflow: nothing was updated */
    double loss_scale;
    double lr;
};

/* One pass: n samples (canvas images; crowd rows are left out) to losses and gradients, which are
 * added to the parameters' grad, times 1 / accumulate. `step` keys the samplers. Fills losses,
 * rpn, roi, objects, proposals, not_finite of *stats. */
enum det_code det_model_forward_backward(struct det_model *model, const struct det_sample *samples,
                                         int n, uint32_t step, double gradient_weight,
                                         struct det_step_stats *stats, struct det_error *err);
void det_model_zero_grad(struct det_model *model);
/* Unscale, norm, clip, update with the learning rate of `step` (0-based); fills grad_norm, clipped,
 * skipped, loss_scale, lr. DET_NOT_FINITE where the norm is not finite (fp32: no update made). */
enum det_code det_model_update(struct det_model *model, int64_t step, struct det_step_stats *stats,
                               struct det_error *err);
/* A whole optimiser step, for which the host waits once: the same bits as zero_grad, a
 * forward_backward for each pass, and update. begin_step uploads what changes from step to step and
 * zeroes the gradients; add_pass (at most train.accumulate times) launches a pass over the batch that
 * was brought last, with gradients times gradient_weight; end_step launches the update. wait then
 * fills all of *stats, losses averaged and counts added over the passes, and returns what
 * det_model_update would.
 * bring_batch sends a pass's samples to the device; they may be overwritten when it returns. On a GPU
 * they travel while it computes: the batch of the next pass is best brought once a pass is launched.
 * Inference in between leaves it where it is. */
enum det_code det_model_bring_batch(struct det_model *model, const struct det_sample *samples, int n,
                                    struct det_error *err);
void det_model_begin_step(struct det_model *model, int64_t step, double gradient_weight);
enum det_code det_model_add_pass(struct det_model *model, struct det_error *err);
void det_model_end_step(struct det_model *model);
enum det_code det_model_wait(struct det_model *model, struct det_step_stats *stats,
                             struct det_error *err);
/* The learning rate of optimiser step `step`. */
double det_learning_rate(const struct det_config *config, int64_t step);

/* ---- inference ---- */
struct det_detection {
    float box[4]; /* canvas pixels */
    float score;
    int label;    /* 1..K */
};
struct det_image_detections { /* owned by the caller; room as det_model_options says */
    int n;
    struct det_detection *at; /* [infer.detections_per_image], best score first */
    float *mask_logits;       /* [detections, 28, 28] logits of each one's class; NULL: no masks */
};
struct det_infer_stats {
    int not_finite;
    float max_objectness, max_score; /* over proposals; over RoIs' foreground classes */
    int64_t rpn_foreground, rpn_background; /* anchors with objectness >= 0.5, and below */
    int64_t roi_foreground, roi_background; /* RoIs by arg-max */
};
enum det_code det_model_infer(struct det_model *model, const struct det_sample *samples, int n,
                              struct det_image_detections *out, struct det_infer_stats *stats,
                              struct det_error *err);
/* Proposals of image i of the last pass: [count, 4] into boxes (room for post_nms); returns count. */
int det_model_proposals(struct det_model *model, int i, float (*boxes)[4], float *scores);

/* The box head's probability of each given box's class: rows first[i] .. first[i + 1] - 1 of boxes
 * [*, 4] and labels belong to image i of the n images of the last inference pass. At ground-truth
 * boxes this is what the closed form s = w p / (w p + 1 - p) speaks of. Writes scores [first[n]].
 * Any number of boxes; rpn.post_nms_test of each image go through the box head at a time. Changes
 * what det_model_proposals and the taps return. DET_INVALID where n is not the last pass's. */
enum det_code det_model_score_boxes(struct det_model *model, int n, const int32_t *first,
                                    const float *boxes, const int32_t *labels, float *scores,
                                    struct det_error *err);

/* The intermediate results of the last training pass, for comparison with the oracle: a name
 * ("rpn_logits", "rpn_deltas", "roi_logits", "roi_deltas", "roi_boxes", "roi_labels",
 * "roi_matched", "rpn_sampled", ...) to device memory. Returns 0 for an unknown name, else 1. roi_* rows from
 * roi_count on are undefined; roi_matched are rows of the packed batch truth, -1 for background. */
struct det_tap {
    void *data; /* written to only from a det_pass_hook */
    enum { DET_TAP_FLOAT, DET_TAP_INT32, DET_TAP_INT8 } type;
    int rows, columns;
};
int det_model_tap(struct det_model *model, const char *name, struct det_tap *out);
/* first[l] .. first[l + 1] - 1 are the anchors of pyramid level l. */
void det_model_anchor_levels(const struct det_model *model, int first[DET_MAX_LEVELS + 1]);

/* Teacher forcing: a hook that is called in the middle of every training pass, right after each of
 * its discrete decisions and before anything is computed from them. It may read the decision
 * through the taps and activations, and write another in its place. NULL: no hook. A backend that
 * captures its steps runs them launch by launch while there is one. */
enum det_pass_stage {
    DET_PASS_TRUNK,     /* the activations of backbone, FPN and RPN head */
    DET_PASS_ANCHORS,   /* rpn_sampled, rpn_targets */
    DET_PASS_PROPOSALS, /* proposal_count, proposal_boxes, proposal_scores */
    DET_PASS_ROIS,      /* roi_count, roi_boxes, roi_image, roi_level, roi_labels, roi_matched, ... */
    DET_PASS_BOX_HEAD,  /* the box head's activations */
    DET_PASS_MASK_HEAD, /* the mask head's */
};
typedef void det_pass_hook(void *arg, enum det_pass_stage stage);
void det_model_set_hook(struct det_model *model, det_pass_hook *hook, void *arg);

/* What a training pass's gradients turn on: the i-th layer with a ReLU, whose backward asks for
 * y > 0, or with a maximum. Device memory; written to only from a hook. Returns 0 where there are
 * fewer. Before the first pass the trunk has no rows. */
struct det_activation {
    const char *name;          /* the last weight's before it */
    enum det_pass_stage stage; /* complete from there on */
    int rows, planes, plane;   /* value: [rows, planes, plane]; rows are the maximum */
    const int32_t *count;      /* live rows, on the device; NULL: all */
    float *value;
    int32_t *argmax;    /* of a maximum: element of the input's plane, as value; NULL: a ReLU */
    const float *input; /* of a maximum: [rows, planes, input_plane] */
    int input_plane;
};
int det_model_activation(struct det_model *model, size_t i, struct det_activation *out);

/* What a model's state is beside its parameters and their optimiser state. */
struct det_counters {
    int64_t updates;          /* optimiser steps made: AdamW's bias correction */
    double loss_scale;        /* of the dynamic loss scaler; 1 in fp32 */
    int64_t loss_scale_clean; /* clean steps since it last changed */
};
struct det_counters det_model_counters(const struct det_model *model);
/* Also makes the layers see parameters that were uploaded: mixed precision keeps rounded copies. */
void det_model_set_counters(struct det_model *model, const struct det_counters *counters);

/* ---- checkpoints (safetensors, torchvision's names; optimiser state under "optimizer.*") ---- */
enum det_code det_checkpoint_save(struct det_model *model, const char *path, int64_t step,
                                  struct det_error *err);
/* Strict: every tensor present with its shape, none superfluous; nothing is changed on failure.
 * with_optimizer: also the optimiser's state and the step (a file without them is DET_INVALID). */
enum det_code det_checkpoint_load(struct det_model *model, const char *path, int with_optimizer,
                                  int64_t *step, struct det_error *err);

#endif
