/* The model's inside, shared by the files that create it, train it and infer with it. Nobody outside
 * detector/ includes this. */
#ifndef DET_MODEL_MODEL_H
#define DET_MODEL_MODEL_H

#include "detector/detector.h"
#include "detector/model/buffers.h"
#include "detector/model/net.h"
#include "detector/model/parameters.h"
#include "detector/model/parts.h"
#include "detector/training/loss_scaler.h"

#define DET_ROI_LEVELS 4  /* RoIs are pooled from the four finest maps */
#define DET_BOX_CELLS 7   /* RoIAlign's output for the box head */
#define DET_MASK_CELLS 14 /* and for the mask head */
#define DET_MASK_SIZE 28  /* predicted masks */

struct det_model_limits { /* rows planned for */
    int train_images, infer_images, images; /* the last: the larger of the two */
    int max_objects;                        /* of one image */
    int proposals;                          /* of one image, training or inference */
    int train_rois, rois;                   /* of a batch: training; the larger of both */
    int train_masks, masks;
    int detections;                         /* of one image */
    int passes;                             /* of one optimiser step */
};

struct det_batch {      /* what is known of a batch beside its images, side by side (batch.c) */
    int64_t *ids;       /* [images] */
    float *heights, *widths;
    int32_t *first;     /* [images + 1] of the ground truth's rows; from here on only in training */
    int32_t *labels;    /* [max_objects of each image] */
    float *boxes;       /* [likewise, 4] */
    uint8_t *masks;     /* [likewise, canvas]; without a mask head none */
    size_t truth;       /* where `first` stands */
};

struct det_model_device { /* device memory, planned in model_buffers.c */
    float *anchors;       /* [A, 4] */
    float *logits;        /* [images, A] objectness, rows in anchor order */
    float *deltas;        /* [images, A, 4] */
    float *dlogits, *ddeltas;
    void *batch_block;    /* what `batch` points into */
    struct det_batch batch;
    struct det_rpn_sampled rpn_sampled;
    struct det_proposals proposals;
    struct det_rois rois, mask_rois;
    int32_t *mask_index;
    float *mask_targets;
    struct det_detections detections;
    double *losses;       /* [DET_LOSSES]; from here to proposals.count: a pass's results */
    struct det_cls_stats *rpn_stats, *roi_stats;
    double *sum;          /* squared gradient norm */
    struct det_step_control *control;
    int32_t *flag;        /* something is not finite */
    void *results;        /* [passes] of the step under way, model.results_bytes each */
};

/* A way for batches: the images, then the facts of struct det_batch. Training and inference have one
 * each, so that a batch brought ahead outlasts an evaluation. */
struct det_model_way {
    struct det_staging *staging; /* owned */
    int most;                    /* images that there is room for */
    size_t facts;                /* where they begin */
    size_t bytes;                /* used by the batch on its way; at first, all there are */
    int n, objects;              /* images of that batch, 0: none is on its way; its ground-truth rows */
};

struct det_model_host { /* owned (malloc) */
    unsigned char *results; /* as on the device */
    float *rows;          /* what the monitors and inference read back: see det_model_host_rows */
};

enum det_loss_index {
    DET_LOSS_RPN_CLS,
    DET_LOSS_RPN_BBOX,
    DET_LOSS_CLS,
    DET_LOSS_BBOX,
    DET_LOSS_MASK,
    DET_LOSSES
};

/* A sequence of operations that the device may have recorded (training/recording.c). */
struct det_model_recording {
    struct det_recording *at; /* owned; NULL: none */
    int ran;                  /* once, operation by operation, with this n */
    int n;
};

struct det_model_step { /* the optimiser step under way */
    int64_t step;
    double weight; /* of a pass */
    int passes;    /* made so far */
    int objects;   /* in them */
    double lr;
};

struct det_model {
    struct det_device *dev;
    struct det_config config;
    int n_classes; /* K */
    int canvas_h, canvas_w;
    struct det_model_limits max;

    struct det_parameters params;
    struct det_net trunk; /* ResNet, FPN, RPN head */
    struct det_net box_head, mask_head;
    int images;           /* trunk's input */
    int levels[DET_MAX_LEVELS], rpn_logits[DET_MAX_LEVELS], rpn_deltas[DET_MAX_LEVELS];
    int box_features, box_logits, box_deltas;
    int mask_features, mask_logits;

    int n_anchors;
    int level_first[DET_MAX_LEVELS + 1];
    struct det_model_device d;
    struct det_model_host h;
    struct det_model_way to_train, to_infer;
    size_t ways_bytes;    /* of both, on the device */
    struct det_buffers buffers;
    struct det_loss_scaler scaler;
    int64_t updates;      /* optimiser steps made: AdamW's bias correction */
    int last_images;      /* of the last pass */
    det_pass_hook *hook;  /* called after each decision of a training pass; NULL: none */
    void *hook_arg;
    size_t results_bytes; /* of a pass */
    struct det_model_step under_way;
    int records;          /* the device is asked to record: backend.graph, until it says no */
    struct det_model_recording pass, update;
};

/* What the operations are told, from the configuration; RoIAlign also of the last pass's images. The
 * losses' loss_scale is left to the pass. */
struct det_rpn_assign det_model_rpn_assign(const struct det_model *m);
struct det_proposal_filter det_model_proposal_filter(const struct det_model *m, int training);
struct det_roi_assign det_model_roi_assign(const struct det_model *m);
struct det_detect det_model_detect(const struct det_model *m);
struct det_cls_loss det_model_rpn_cls_loss(const struct det_model *m);
struct det_cls_loss det_model_roi_cls_loss(const struct det_model *m);
struct det_roi_align det_model_roi_align(const struct det_model *m, int output_size, int max_rois,
                                         const int32_t *count);

/* Floats of h.rows: objectness of a batch, or the RoIs' class logits, or the detections. */
size_t det_model_host_rows(const struct det_model *m);

/* Device buffers and host staging: plan and take, release. */
enum det_code det_model_take_buffers(struct det_model *m, struct det_error *err);
void det_model_release_buffers(struct det_model *m);

/* Scratch for proposals, targets, pooling and losses; the nets reserve their own. */
enum det_code det_model_reserve_scratch(struct det_model *m, struct det_error *err);

/* Bytes of a batch's facts (struct det_batch); d.batch pointed into the block taken for it. */
size_t det_batch_bytes(const struct det_model *m);
void det_batch_place(struct det_model *m);

/* Memory for batches on their way, at set-up, once d.batch is placed. */
enum det_code det_model_open_ways(struct det_model *m, struct det_error *err);
void det_model_close_ways(struct det_model *m);

/* The batch on its way to the operations' places: normalised images, ids, sizes, and in training
 * ground truth without crowds. load: brought (det_model_bring_batch) and received at once. */
void det_model_receive_batch(struct det_model *m, struct det_model_way *way);
enum det_code det_model_load_batch(struct det_model *m, struct det_model_way *way,
                                   const struct det_sample *samples, int n, struct det_error *err);

/* Scratch of a device that measures it: every sequence that will run is gone through once. */
enum det_code det_model_settle_scratch(struct det_model *m, struct det_error *err);

/* Sequences of operations on what was loaded, launched and not waited for: a training pass over n images,
 * the optimiser's update, inference. */
void det_model_launch_pass(struct det_model *m, int n);
void det_model_launch_update(struct det_model *m);
void det_model_launch_inference(struct det_model *m, int n, int masks);

/* A launched sequence: directly, or, from the second time on with the same arguments, from the
 * device's recording. */
void det_model_run_pass(struct det_model *m, int n);
void det_model_run_update(struct det_model *m);
void det_model_release_recordings(struct det_model *m);

/* The scalars of optimiser step `step` to the device, its learning rate into under_way. weight: of a
 * pass's gradients. */
void det_model_upload_control(struct det_model *m, int64_t step, double weight);
/* What the device decided on the gradients (grad_norm, clipped, skipped; the scaler goes on).
 * DET_NOT_FINITE where an fp32 norm is not finite. */
enum det_code det_model_settle_update(struct det_model *m, int64_t step,
                                      struct det_step_stats *stats, struct det_error *err);

/* What the operations need to know of the n images that were loaded last. */
struct det_images det_model_images(const struct det_model *m, int n);

/* Backbone, FPN, RPN head, rows gathered: what training and inference share. */
void det_model_trunk_forward(struct det_model *m, int n);
/* RoI features of the box or mask head, and their gradients back onto the pyramid. */
void det_model_pool_rois(struct det_model *m, const struct det_roi_align *p,
                         const struct det_rois *rois, float *features);
void det_model_pool_rois_backward(struct det_model *m, const struct det_roi_align *p,
                                  const struct det_rois *rois, const float *dfeatures);

#endif
