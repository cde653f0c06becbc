/* The five losses of the detector on the CPU: entries of struct det_backend (see there for the
 * arguments; `rows` are maxima, `count` the live ones).
 *
 * What holds for all of them:
 *  - A label of -1 (anchor not sampled, row ignored) counts nowhere: not in a sum, not in a
 *    denominator but DET_AVG_ALL's, and its gradient is 0.
 *  - Nothing to average over (no rows, no positives, all ignored, all weights 0) is a loss of
 *    exactly 0 with gradients of exactly 0, never NaN.
 *  - A NaN in a row that counts is a NaN in the loss.
 *  - Gradients overwrite, for every live row; rows beyond *count are not touched. A NULL gradient
 * or stats pointer means that it is not wanted. *loss_scale multiplies gradients only.
 *  - Element values are float32 (bodies/losses.h), sums double in row order: the bits depend on
 *    nothing else.
 *
 * The `_rows` functions are reduction `none`: the loss of each live row into losses[rows],
 * weighted, undivided, 0 where the row does not count (or OHEM drops it). */
#ifndef DET_LOSSES_LOSSES_H
#define DET_LOSSES_LOSSES_H

#include "detector/backend/backend.h"

/* DET_INVALID, naming the field, where a parameter is out of range or two contradict each other:
 * reduction NONE (a table entry writes one number: the `_rows` functions give the rows), or SUM
 * with an avg_factor other than ALL (a sum is divided by nothing). */
enum det_code det_cls_loss_check(const struct det_cls_loss *loss, struct det_error *err);
enum det_code det_box_loss_check(const struct det_box_loss *loss, struct det_error *err);

/* Bytes of shared scratch that each loss needs for up to that many rows. The box losses need none.
 */
size_t det_cls_loss_scratch(const struct det_cls_loss *loss, int rows);
size_t det_mask_loss_scratch(int rows);

/* Objectness: BCE with logits, its focal form, or OHEM over BCE. A positive's loss is multiplied by
 * pos_weight (and focal_alpha), a negative's by 1 (1 - focal_alpha); DET_AVG_WEIGHTS divides by the
 * sum of these element weights, DET_AVG_SAMPLED by max(1, labels >= 0): the RPN's avg_factor.
 * stats: over labels >= 0, but max_foreground over every row; a row is foreground at logit > 0. */
void det_rpn_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                      const float *logits, const int8_t *labels, double *out, float *dlogits,
                      struct det_cls_stats *stats);
void det_rpn_cls_loss_rows(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           const float *logits, const int8_t *labels, float *losses);

/* Classification: softmax cross entropy with weight 1 for background and pos_weight for every
 * foreground class (times 1 - focal_alpha and focal_alpha where the kind is focal and alpha >= 0:
 * alpha balances classes, as in the binary loss), its focal form, or OHEM. stats: over labels >= 0;
 * max_foreground is the highest probability of any foreground class of any live row,
 * mean_foreground_at_positives the mean probability of a foreground row's own class. */
void det_roi_cls_loss(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                      int classes, const int32_t *count, const float *logits, const int32_t *labels,
                      double *out, float *dlogits, struct det_cls_stats *stats);
void det_roi_cls_loss_rows(struct det_device *dev, const struct det_cls_loss *loss, int rows,
                           int classes, const int32_t *count, const float *logits,
                           const int32_t *labels, float *losses);

/* Smooth L1 over the four deltas of each positive (RPN: label 1), summed. Divided by the
 * avg_factor: DET_AVG_SAMPLED is the RPN's number of sampled anchors, the head's number of RoIs,
 * background included in both. */
void det_rpn_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                      const float *deltas, const float *targets, const int8_t *labels, double *out,
                      float *ddeltas);
void det_rpn_box_loss_rows(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           const float *deltas, const float *targets, const int8_t *labels,
                           float *losses);
/* Only the four deltas of each foreground row's own class count. */
void det_roi_box_loss(struct det_device *dev, const struct det_box_loss *loss, int rows,
                      int classes, const int32_t *count, const float *deltas, const float *targets,
                      const int32_t *labels, double *out, float *ddeltas);
void det_roi_box_loss_rows(struct det_device *dev, const struct det_box_loss *loss, int rows,
                           int classes, const int32_t *count, const float *deltas,
                           const float *targets, const int32_t *labels, float *losses);

/* BCE with logits of the label's channel, mean over the rows with label > 0 and their pixels. A
 * row's own loss (_rows) is the mean over its pixels. */
void det_mask_loss(struct det_device *dev, const float *loss_scale, int rows, int classes, int size,
                   const int32_t *count, const float *logits, const float *targets,
                   const int32_t *labels, double *out, float *dlogits);
void det_mask_loss_rows(struct det_device *dev, int rows, int classes, int size,
                        const int32_t *count, const float *logits, const float *targets,
                        const int32_t *labels, float *losses);

#endif
