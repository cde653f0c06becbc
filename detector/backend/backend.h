/* The seam between what is computed and where: one table of operations, `struct det_backend`.
 *
 * detector/layers, boxes, losses and training hold the CPU implementation of every entry;
 * cpu_backend.c puts them into a table. cuda_stub.c answers where CUDA was not built in.
 *
 * Conventions, for every entry:
 *  - float32, contiguous, NCHW; boxes are x1 y1 x2 y2 in pixels of the padded input; RoI and anchor
 *    matrices are row-major.
 *  - Pointers are memory of the device (`alloc`), except where a comment says host.
 *  - Shapes are maxima, fixed at set-up. Where fewer rows are live, `count` points to the number on
 *    the device; NULL means all. Rows from *count on are neither read nor written.
 *  - Gradients of weights accumulate (+=). Gradients of activations overwrite, or accumulate when
 *    `accumulate` is set. A NULL gradient pointer means that it is not wanted.
 *  - An operation cannot fail on valid arguments; scratch is sized at set-up (`reserve_scratch`).
 *    A device's asynchronous errors surface in `synchronize`.
 *  - What changes from step to step is read from device memory, never passed by value (step, loss_scale,
 *    terms, factor, skip): a recorded step can be run again without the host.
 *  - Same inputs, same bits: for any number of threads. Reductions run in a fixed order, in double.
 */
#ifndef DET_BACKEND_BACKEND_H
#define DET_BACKEND_BACKEND_H

#include "detector/base/status.h"
#include "detector/bodies/clip.h"
#include "detector/bodies/update.h"

#include <stddef.h>
#include <stdint.h>

#define DET_MAX_LEVELS 5

struct det_backend;

/* A device in use: made by `open`, embedded at the head of the backend's own state. */
struct det_device {
    const struct det_backend *ops;
};

/* ---- layers ---------------------------------------------------------------------------------- */

struct det_conv2d { /* square kernel, one stride, one padding, no dilation, no groups */
    int n, c_in, h_in, w_in;
    int c_out, kernel, stride, pad;
    int h_out, w_out; /* (h_in + 2 pad - kernel) / stride + 1 */
    int relu;         /* y = max(0, conv): fused */
    const int32_t *count; /* live images of n; NULL = n */
};

struct det_conv_transpose2d { /* kernel 2, stride 2, no padding: h_out = 2 h_in (the mask predictor) */
    int n, c_in, h_in, w_in, c_out;
    int relu;
    const int32_t *count;
};

struct det_linear { /* y[n, out] = x[n, in] w[out, in]^T + b[out] */
    int n, in, out;
    int relu;
    const int32_t *count;
};

struct det_norm { /* group norm, or frozen batch norm (groups 0, running statistics, never updated) */
    int n, c, h, w;
    int groups;
    float eps;
    int relu;
};

struct det_pool2d {
    int n, c, h_in, w_in, kernel, stride, pad, h_out, w_out;
};

struct det_upsample { /* nearest, as torch's F.interpolate(size=): src = floor(dst * in / out) */
    int n, c, h_in, w_in, h_out, w_out;
};

struct det_roi_align { /* torchvision semantics; over one or more pyramid levels */
    int n_levels;
    int n_images, channels;
    int h[DET_MAX_LEVELS], w[DET_MAX_LEVELS];
    float scale[DET_MAX_LEVELS]; /* feature cells per pixel: 1 / stride */
    int output_size;             /* 7 or 14: output is [rois, channels, output_size, output_size] */
    int sampling_ratio;          /* samples per cell and side; 0 = adaptive, ceil(roi side / cells) */
    int aligned;                 /* 1: half-pixel shift and no minimum size; 0: legacy, sides >= 1 */
    int max_rois;
    const int32_t *count; /* live RoIs */
};

/* ---- boxes, matching, sampling ---------------------------------------------------------------- */

/* Ground truth of a batch, packed: rows first[i] .. first[i + 1] - 1 belong to image i. */
struct det_truth {
    const float *boxes;    /* [total, 4] */
    const int32_t *labels; /* [total] 1..K */
    const uint8_t *masks;  /* [total, mask_h, mask_w] 0/1, in padded input pixels; may be NULL */
    const int32_t *first;  /* [n_images + 1] */
    int mask_h, mask_w;
    int max_rows; /* rows there is room for: total is at most that */
};

struct det_images { /* what the operations need to know of the batch's images (device arrays) */
    int n;
    const int64_t *ids;     /* image id: a sampler key, stable over the run */
    const float *heights;   /* unpadded, for clipping */
    const float *widths;
};

struct det_matcher {
    float high, low; /* IoU >= high: matched; < low: background (-1); between: ignored (-2) */
    int allow_low_quality;
};

struct det_sampler {
    int batch_per_image;
    float positive_fraction;
    uint64_t seed;
    uint32_t positive_purpose, negative_purpose; /* enum det_philox_purpose */
};

struct det_rpn_assign {
    int n_anchors;
    struct det_matcher matcher;  /* 0.7 / 0.3, low-quality matches restored */
    struct det_sampler sampler;
    float coder_weights[4];      /* 1 1 1 1 */
};

struct det_rpn_sampled {  /* device arrays, written by rpn_assign */
    int8_t *labels;       /* [n_images, A] 1 sampled positive, 0 sampled negative, -1 not sampled */
    float *targets;       /* [n_images, A, 4] encoded deltas; zero unless label is 1 */
    int32_t *n_positive;  /* [n_images] sampled */
    int32_t *n_negative;  /* [n_images] sampled */
    int32_t *n_candidates; /* [n_images, 2] positives and negatives before sampling */
};

struct det_proposal_filter {
    int n_anchors;
    int n_levels;
    int level_first[DET_MAX_LEVELS + 1]; /* anchors of level l: level_first[l] .. level_first[l+1] */
    int pre_nms, post_nms;  /* per level and image; per image */
    float nms_iou, min_size;
    float score_threshold;  /* 0 */
    float coder_weights[4];
    float delta_clip;       /* log(1000 / 16) */
};

struct det_proposals {     /* device arrays */
    float *boxes;          /* [n_images, max_per_image, 4], best score first */
    float *scores;         /* [n_images, max_per_image] sigmoid(objectness) */
    int32_t *count;        /* [n_images] */
    int32_t *n_not_finite; /* [1] boxes or scores dropped for being NaN or infinite: never hidden */
    int max_per_image;
};

struct det_roi_assign {
    struct det_matcher matcher;  /* 0.5 / 0.5, no low-quality matches */
    struct det_sampler sampler;
    float coder_weights[4];      /* 10 10 5 5 */
    int append_ground_truth;
    int n_levels;                /* RoI pyramid levels, finest has log2 stride `finest` */
    int finest;                  /* 2 */
};

/* RoIs of a batch, compact: image by image, within an image in ascending proposal index. */
struct det_rois {
    int max_rois;
    int32_t *count;       /* [1] */
    float *boxes;         /* [max, 4] */
    int32_t *image;       /* [max] index in the batch */
    int32_t *level;       /* [max] 0 = finest */
    int32_t *labels;      /* [max] 0 background, 1..K; (assignment only) */
    int32_t *matched;     /* [max] row in det_truth; -1 where background (assignment only) */
    float *targets;       /* [max, 4] encoded deltas, zero where background (assignment only) */
    int32_t *index;       /* [max] candidate index within its image (assignment only) */
    int32_t *n_positive;  /* [1] (assignment only) */
};

struct det_detect { /* box head output to detections, torchvision's postprocess_detections */
    int n_classes;          /* K + 1 */
    float score_threshold, nms_iou, min_size; /* 0.05, 0.5, 1e-2 */
    int max_per_image;
    float coder_weights[4];
    float delta_clip;
};

struct det_detections { /* device arrays */
    int max_per_image;
    float *boxes;     /* [n_images, max, 4] */
    float *scores;    /* [n_images, max] */
    int32_t *labels;  /* [n_images, max] */
    int32_t *count;   /* [n_images] */
    int32_t *n_not_finite; /* [1] candidates dropped for a non-finite score or box */
};

/* ---- losses ------------------------------------------------------------------------------------ */

enum det_reduction { DET_REDUCTION_MEAN, DET_REDUCTION_SUM, DET_REDUCTION_NONE };

/* What a summed classification loss is divided by (reduction mean only). */
enum det_avg_factor {
    DET_AVG_WEIGHTS,   /* sum of the rows' class weights: PyTorch's weighted mean */
    DET_AVG_SAMPLED,   /* max(1, rows that count): labels >= 0 */
    DET_AVG_POSITIVES, /* max(1, positives) */
    DET_AVG_ALL,       /* all rows, also those not sampled: what `mean` is without an avg_factor */
    DET_AVG_FIXED,     /* max(1, fixed_factor) given by the caller */
};

enum det_cls_loss_kind { DET_CLS_PLAIN, DET_CLS_FOCAL, DET_CLS_OHEM };

struct det_cls_loss {  /* both classification losses */
    enum det_cls_loss_kind kind;
    float pos_weight;      /* weight of a foreground row, in every kind */
    enum det_reduction reduction;
    enum det_avg_factor avg_factor;
    double fixed_factor;
    float focal_alpha, focal_gamma;  /* alpha < 0: no alpha balancing */
    float ohem_ratio;                /* negatives kept per positive */
    int ohem_min_positives;
    const float *loss_scale;         /* device: gradients are multiplied by it, losses are not; NULL: 1 */
};

struct det_box_loss {
    float beta;            /* smooth L1; 0 = L1 */
    enum det_reduction reduction;   /* MEAN (divided by avg_factor) or SUM */
    enum det_avg_factor avg_factor; /* SAMPLED (RPN: sampled anchors; RoI: all live RoIs), POSITIVES,
                                       ALL or FIXED; WEIGHTS means SAMPLED: rows have no weights */
    double fixed_factor;
    const float *loss_scale; /* as above */
};

/* What the monitors need; device memory. Counts are over live rows. */
struct det_cls_stats {
    int32_t positives, negatives;
    int32_t positives_right;   /* foreground whose arg-max is its class (RPN: logit > 0) */
    int32_t positives_missed;  /* foreground predicted as background: false negatives */
    int32_t predicted_positive; /* rows whose arg-max is foreground (RPN: logit > 0) */
    int32_t rows_right;
    float max_foreground;       /* highest foreground probability over all live rows */
    float mean_foreground_at_positives;
};

/* ---- optimiser ---------------------------------------------------------------------------------- */

enum det_optimizer_kind { DET_SGD, DET_ADAMW };

struct det_update {  /* an update, PyTorch semantics; det_update_terms_of makes the terms of it */
    enum det_optimizer_kind kind;
    double lr, momentum, weight_decay; /* double: 1 - beta2 and the like are taken before rounding */
    double beta1, beta2, eps;
    int64_t step; /* 1 for the first update made: AdamW's bias correction, SGD's first momentum */
};

/* A step's scalars in device memory. The host writes what it knows with one upload before the step;
 * `clip` adds the rest, and the host reads it with the losses once the step is over. */
struct det_step_control {
    uint32_t step;                 /* the samplers' key */
    float loss_scale;              /* gradients are made times this: the scaler's, times a pass's weight */
    float unscale;                 /* 1 / loss scale: gradients times this are the true ones */
    struct det_update_terms terms; /* of the step's update */
    struct det_clip clip;
};

/* How matrix products (convolutions, linear layers) are computed. The last two: their operands have been
 * rounded to that type already, so nothing is lost but in the sums, which are float32 everywhere. */
enum det_products { DET_PRODUCTS_FP32, DET_PRODUCTS_TF32, DET_PRODUCTS_BF16, DET_PRODUCTS_FP16 };

struct det_recording; /* a device's */

/* Memory through which batches come to the device while it computes: made by `staging_open`, embedded
 * at the head of the backend's own. */
struct det_staging {
    void *host;         /* to be written between staging_write and staging_send */
    const void *device; /* to be read by what is launched between staging_receive and staging_done */
};

/* ---- the table ---------------------------------------------------------------------------------- */

struct det_backend {
    const char *name; /* "cpu", "cuda" */

    /* threads: CPU workers. *out is owned by the caller, who calls close. */
    enum det_code (*open)(int threads, struct det_device **out, struct det_error *err);
    void (*close)(struct det_device *dev);
    const char *(*describe)(const struct det_device *dev); /* for logs; valid until close */

    enum det_code (*alloc)(struct det_device *dev, size_t bytes, const char *what, void **out,
                           struct det_error *err); /* zeroed */
    void (*release)(struct det_device *dev, void *block);
    /* from_host is free again when upload returns. download waits for what was launched; where that
     * failed it gives zeros, and `synchronize` tells: ask it before believing them. */
    void (*upload)(struct det_device *dev, void *to, const void *from_host, size_t bytes);
    void (*download)(struct det_device *dev, void *to_host, const void *from, size_t bytes);
    void (*zero)(struct det_device *dev, void *block, size_t bytes);
    void (*copy)(struct det_device *dev, void *to, const void *from, size_t bytes); /* on the device */
    enum det_code (*synchronize)(struct det_device *dev, struct det_error *err);

    /* A way of its own for `bytes` from host to device. staging_write waits until the host's memory may
     * be written: what was sent before has left it. staging_send starts to copy its first `bytes` and
     * returns; they arrive beside what the device computes, but never before what was launched up to
     * the last staging_done has read what lay there. What is launched after staging_receive finds what
     * was sent last; staging_done ends that. None of it can be recorded; failures surface in
     * `synchronize`. *out is the caller's, who calls staging_close. (CPU: both sides are one memory,
     * and nothing waits.) */
    enum det_code (*staging_open)(struct det_device *dev, size_t bytes, const char *what,
                                  struct det_staging **out, struct det_error *err);
    void (*staging_close)(struct det_device *dev, struct det_staging *staging); /* NULL allowed */
    void (*staging_write)(struct det_device *dev, struct det_staging *staging);
    void (*staging_send)(struct det_device *dev, struct det_staging *staging, size_t bytes);
    void (*staging_receive)(struct det_device *dev, struct det_staging *staging);
    void (*staging_done)(struct det_device *dev, struct det_staging *staging);

    /* Grow the device's scratch to at least `per_worker` bytes for each worker and `shared` bytes
     * for all of them together. Set-up only; the operations' headers say what each one needs. */
    enum det_code (*reserve_scratch)(struct det_device *dev, size_t per_worker, size_t shared,
                                     struct det_error *err);

    /* How the following products are computed; DET_UNAVAILABLE where the device cannot. */
    enum det_code (*set_products)(struct det_device *dev, enum det_products products,
                                  struct det_error *err);
    /* Where scratch is not reserved: between measure_begin and measure_end operations compute
     * nothing and note what scratch they need, which measure_end then takes. measure_begin returns
     * 0 where reserve_scratch has settled it (CPU): then nothing is to be measured. */
    int (*measure_begin)(struct det_device *dev);
    enum det_code (*measure_end)(struct det_device *dev, struct det_error *err);
    /* Between record_begin and record_end operations are noted, not run; `replay` starts them all,
     * with the same arguments. Copies between host and device cannot be recorded. DET_UNAVAILABLE
     * where the device has no such thing (CPU). *out is the caller's, until recording_release. */
    enum det_code (*record_begin)(struct det_device *dev, struct det_error *err);
    enum det_code (*record_end)(struct det_device *dev, struct det_recording **out,
                                struct det_error *err);
    void (*replay)(struct det_device *dev, struct det_recording *recording);
    void (*recording_release)(struct det_device *dev, struct det_recording *recording);

    /* layers. relu: backward first multiplies dy by (y > 0), in place. */
    void (*conv2d_forward)(struct det_device *, const struct det_conv2d *, const float *x,
                           const float *w, const float *bias, float *y);
    void (*conv2d_backward)(struct det_device *, const struct det_conv2d *, const float *x,
                            const float *w, const float *y, float *dy, float *dx, int accumulate,
                            float *dw, float *dbias);
    void (*conv_transpose2d_forward)(struct det_device *, const struct det_conv_transpose2d *,
                                     const float *x, const float *w, const float *bias, float *y);
    void (*conv_transpose2d_backward)(struct det_device *, const struct det_conv_transpose2d *,
                                      const float *x, const float *w, const float *y, float *dy,
                                      float *dx, int accumulate, float *dw, float *dbias);
    void (*linear_forward)(struct det_device *, const struct det_linear *, const float *x,
                           const float *w, const float *bias, float *y);
    void (*linear_backward)(struct det_device *, const struct det_linear *, const float *x,
                            const float *w, const float *y, float *dy, float *dx, int accumulate,
                            float *dw, float *dbias);
    /* saved: [n, groups, 2] mean and 1/sqrt(var + eps), kept for backward */
    void (*group_norm_forward)(struct det_device *, const struct det_norm *, const float *x,
                               const float *weight, const float *bias, float *y, float *saved);
    void (*group_norm_backward)(struct det_device *, const struct det_norm *, const float *x,
                                const float *weight, const float *y, const float *saved, float *dy,
                                float *dx, int accumulate, float *dweight, float *dbias);
    void (*frozen_bn_forward)(struct det_device *, const struct det_norm *, const float *x,
                              const float *weight, const float *bias, const float *mean,
                              const float *var, float *y);
    void (*frozen_bn_backward)(struct det_device *, const struct det_norm *, const float *weight,
                               const float *var, const float *y, float *dy, float *dx,
                               int accumulate);
    /* y = a + b (relu optional), n elements; backward: da and db each get dy */
    void (*add_forward)(struct det_device *, size_t n, int relu, const float *a, const float *b,
                        float *y);
    void (*add_backward)(struct det_device *, size_t n, int relu, const float *y, float *dy,
                         float *da, int accumulate_a, float *db, int accumulate_b);
    /* argmax: [n, c, h_out, w_out] index h * w_in + w of the first maximum, kept for backward */
    void (*max_pool2d_forward)(struct det_device *, const struct det_pool2d *, const float *x,
                               float *y, int32_t *argmax);
    void (*max_pool2d_backward)(struct det_device *, const struct det_pool2d *,
                                const int32_t *argmax, const float *dy, float *dx, int accumulate);
    void (*upsample_forward)(struct det_device *, const struct det_upsample *, const float *x,
                             float *y);
    void (*upsample_backward)(struct det_device *, const struct det_upsample *, const float *dy,
                              float *dx, int accumulate);
    void (*roi_align_forward)(struct det_device *, const struct det_roi_align *,
                              const float *const x[], const float *boxes, const int32_t *image,
                              const int32_t *level, float *y);
    /* dx[l] always accumulates: the caller zeroes it or lets an earlier gradient stand */
    void (*roi_align_backward)(struct det_device *, const struct det_roi_align *, const float *dy,
                               const float *boxes, const int32_t *image, const int32_t *level,
                               float *const dx[]);
    /* rows index[0..*count) of x ([*, row] floats) to y, and the transpose: dx[index[r]] += dy[r]
     * (indices ascending and distinct) */
    void (*gather_rows)(struct det_device *, size_t row, const int32_t *index, const int32_t *count,
                        const float *x, float *y);
    void (*scatter_rows)(struct det_device *, size_t row, const int32_t *index,
                         const int32_t *count, const float *dy, float *dx);
    /* (x - mean[c]) / std[c] over [n, 3, h, w] RGB in [0, 1]; 0 outside an image's own height and
     * width, as torchvision pads after normalising. x == y allowed */
    void (*normalize)(struct det_device *, int n, int h, int w, const float *heights,
                      const float *widths, const float *x, float *y);
    /* one level's head output [n, a*k, h, w] into rows [n, A, k] at row `first` ((row, column, anchor)
     * order), and back (overwrites) */
    void (*rpn_gather)(struct det_device *, int n, int a, int k, int h, int w, int n_anchors,
                       int first, const float *head, float *rows);
    void (*rpn_scatter)(struct det_device *, int n, int a, int k, int h, int w, int n_anchors,
                        int first, const float *rows, float *head);

    /* boxes, matching, sampling */
    void (*rpn_assign)(struct det_device *, const struct det_rpn_assign *, const float *anchors,
                       const struct det_images *, const struct det_truth *,
                       const uint32_t *step, struct det_rpn_sampled *out);
    void (*rpn_propose)(struct det_device *, const struct det_proposal_filter *,
                        const float *anchors, const struct det_images *, const float *logits,
                        const float *deltas, struct det_proposals *out);
    /* training: proposals (+ ground truth) matched, sampled, compacted, targets encoded */
    void (*roi_assign)(struct det_device *, const struct det_roi_assign *,
                       const struct det_proposals *, const struct det_images *,
                       const struct det_truth *, const uint32_t *step, struct det_rois *out);
    /* inference: all proposals, compacted; fills boxes, image, level, count */
    void (*roi_collect)(struct det_device *, const struct det_roi_assign *,
                        const struct det_proposals *, const struct det_images *,
                        struct det_rois *out);
    void (*detect)(struct det_device *, const struct det_detect *, const struct det_images *,
                   const struct det_rois *, const float *cls_logits, const float *box_deltas,
                   struct det_detections *out);
    /* positives of `rois` (labels > 0, ascending) into compact lists: index into rois, count */
    void (*mask_select)(struct det_device *, const struct det_rois *, int32_t *index,
                        int32_t *count, struct det_rois *out);
    /* [count, size, size] in [0, 1]: RoIAlign of each RoI's matched ground-truth mask */
    void (*mask_targets)(struct det_device *, const struct det_rois *, const struct det_truth *,
                         int size, float *targets);

    /* losses. Each writes *loss (double, device) and the gradient of loss * *loss_scale. */
    void (*rpn_cls_loss)(struct det_device *, const struct det_cls_loss *, int rows,
                         const float *logits, const int8_t *labels, double *loss, float *dlogits,
                         struct det_cls_stats *stats);
    void (*rpn_box_loss)(struct det_device *, const struct det_box_loss *, int rows,
                         const float *deltas, const float *targets, const int8_t *labels,
                         double *loss, float *ddeltas);
    /* logits [rows, classes], class 0 background */
    void (*roi_cls_loss)(struct det_device *, const struct det_cls_loss *, int rows, int classes,
                         const int32_t *count, const float *logits, const int32_t *labels,
                         double *loss, float *dlogits, struct det_cls_stats *stats);
    /* deltas [rows, 4 * classes] */
    void (*roi_box_loss)(struct det_device *, const struct det_box_loss *, int rows, int classes,
                         const int32_t *count, const float *deltas, const float *targets,
                         const int32_t *labels, double *loss, float *ddeltas);
    /* logits [rows, classes, size, size]: channel of each row's label counts */
    void (*mask_loss)(struct det_device *, const float *loss_scale, int rows, int classes, int size,
                      const int32_t *count, const float *logits, const float *targets,
                      const int32_t *labels, double *loss, float *dlogits);

    /* optimiser */
    /* sum of squares of n gradients, added to *sum (double, device), in a fixed order */
    void (*sum_squares)(struct det_device *, size_t n, const float *g, double *sum);
    /* *out: norm sqrt(*sum), the factor that clips it to max_norm (0: off), whether to skip */
    void (*clip)(struct det_device *, double max_norm, const double *sum, struct det_clip *out);
    /* g *= *factor */
    void (*scale)(struct det_device *, size_t n, const float *factor, float *g);
    /* *flag |= any element not finite */
    void (*check_finite)(struct det_device *, size_t n, const float *x, int32_t *flag);
    /* By grad times clip->factor; nothing where clip->skip is set. clip may be NULL: neither. state1:
     * momentum (SGD) or first moment; state2: second moment (AdamW), else NULL */
    void (*update)(struct det_device *, enum det_optimizer_kind kind,
                   const struct det_update_terms *terms, const struct det_clip *clip, size_t n,
                   float *param, const float *grad, float *state1, float *state2);
    /* round to bfloat16 (nearest, ties to even), kept in float; x == y allowed */
    void (*round_bf16)(struct det_device *, size_t n, const float *x, float *y);
    /* the same for IEEE binary16, subnormals and overflow to infinity included */
    void (*round_fp16)(struct det_device *, size_t n, const float *x, float *y);
};

#ifdef __cplusplus /* nvcc */
extern "C" {
#endif

const struct det_backend *det_cpu_backend(void);
/* The CUDA backend, or the stub whose `open` answers DET_UNAVAILABLE with how to build it in. */
const struct det_backend *det_cuda_backend(void);
/* By name; DET_INVALID for an unknown one (the message lists the names). */
enum det_code det_backend_find(const char *name, const struct det_backend **out,
                               struct det_error *err);

#ifdef __cplusplus
}
#endif

#endif
