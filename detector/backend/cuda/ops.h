/* The CUDA implementations of struct det_backend's entries; backend.h says what each one does. They
 * are launched on the device's stream and return at once. Plain C, so that the table is C. */
#ifndef DET_BACKEND_CUDA_OPS_H
#define DET_BACKEND_CUDA_OPS_H

#include "detector/backend/backend.h"

#ifdef __cplusplus /* nvcc */
extern "C" {
#endif

/* device.cu */
enum det_code det_cuda_open(int threads, struct det_device **out, struct det_error *err);
void det_cuda_close(struct det_device *dev);
const char *det_cuda_describe(const struct det_device *dev);
enum det_code det_cuda_alloc(struct det_device *dev, size_t bytes, const char *what, void **out,
                             struct det_error *err);
void det_cuda_release(struct det_device *dev, void *block);
void det_cuda_upload(struct det_device *dev, void *to, const void *from_host, size_t bytes);
void det_cuda_download(struct det_device *dev, void *to_host, const void *from, size_t bytes);
void det_cuda_zero(struct det_device *dev, void *block, size_t bytes);
void det_cuda_copy(struct det_device *dev, void *to, const void *from, size_t bytes);
enum det_code det_cuda_synchronize(struct det_device *dev, struct det_error *err);
enum det_code det_cuda_reserve_scratch(struct det_device *dev, size_t per_worker, size_t shared,
                                       struct det_error *err);

enum det_code det_cuda_set_products(struct det_device *dev, enum det_products products,
                                    struct det_error *err);
int det_cuda_measure_begin(struct det_device *dev);
enum det_code det_cuda_measure_end(struct det_device *dev, struct det_error *err);

/* staging.cu */
enum det_code det_cuda_staging_open(struct det_device *dev, size_t bytes, const char *what,
                                    struct det_staging **out, struct det_error *err);
void det_cuda_staging_close(struct det_device *dev, struct det_staging *staging);
void det_cuda_staging_write(struct det_device *dev, struct det_staging *staging);
void det_cuda_staging_send(struct det_device *dev, struct det_staging *staging, size_t bytes);
void det_cuda_staging_receive(struct det_device *dev, struct det_staging *staging);
void det_cuda_staging_done(struct det_device *dev, struct det_staging *staging);

/* recording.cu */
enum det_code det_cuda_record_begin(struct det_device *dev, struct det_error *err);
enum det_code det_cuda_record_end(struct det_device *dev, struct det_recording **out,
                                  struct det_error *err);
void det_cuda_replay(struct det_device *dev, struct det_recording *recording);
void det_cuda_recording_release(struct det_device *dev, struct det_recording *recording);

void det_cuda_conv2d_forward(struct det_device *, const struct det_conv2d *, const float *x,
                             const float *w, const float *bias, float *y);
void det_cuda_conv2d_backward(struct det_device *, const struct det_conv2d *, const float *x,
                              const float *w, const float *y, float *dy, float *dx, int accumulate,
                              float *dw, float *dbias);
void det_cuda_conv_transpose2d_forward(struct det_device *, const struct det_conv_transpose2d *,
                                       const float *x, const float *w, const float *bias, float *y);
void det_cuda_conv_transpose2d_backward(struct det_device *, const struct det_conv_transpose2d *,
                                        const float *x, const float *w, const float *y, float *dy,
                                        float *dx, int accumulate, float *dw, float *dbias);
void det_cuda_linear_forward(struct det_device *, const struct det_linear *, const float *x,
                             const float *w, const float *bias, float *y);
void det_cuda_linear_backward(struct det_device *, const struct det_linear *, const float *x,
                              const float *w, const float *y, float *dy, float *dx, int accumulate,
                              float *dw, float *dbias);
void det_cuda_group_norm_forward(struct det_device *, const struct det_norm *, const float *x,
                                 const float *weight, const float *bias, float *y, float *saved);
void det_cuda_group_norm_backward(struct det_device *, const struct det_norm *, const float *x,
                                  const float *weight, const float *y, const float *saved,
                                  float *dy, float *dx, int accumulate, float *dweight,
                                  float *dbias);
void det_cuda_frozen_bn_forward(struct det_device *, const struct det_norm *, const float *x,
                                const float *weight, const float *bias, const float *mean,
                                const float *var, float *y);
void det_cuda_frozen_bn_backward(struct det_device *, const struct det_norm *, const float *weight,
                                 const float *var, const float *y, float *dy, float *dx,
                                 int accumulate);
void det_cuda_add_forward(struct det_device *, size_t n, int relu, const float *a, const float *b,
                          float *y);
void det_cuda_add_backward(struct det_device *, size_t n, int relu, const float *y, float *dy,
                           float *da, int accumulate_a, float *db, int accumulate_b);
void det_cuda_max_pool2d_forward(struct det_device *, const struct det_pool2d *, const float *x,
                                 float *y, int32_t *argmax);
void det_cuda_max_pool2d_backward(struct det_device *, const struct det_pool2d *,
                                  const int32_t *argmax, const float *dy, float *dx,
                                  int accumulate);
void det_cuda_upsample_forward(struct det_device *, const struct det_upsample *, const float *x,
                               float *y);
void det_cuda_upsample_backward(struct det_device *, const struct det_upsample *, const float *dy,
                                float *dx, int accumulate);
void det_cuda_roi_align_forward(struct det_device *, const struct det_roi_align *,
                                const float *const x[], const float *boxes, const int32_t *image,
                                const int32_t *level, float *y);
void det_cuda_roi_align_backward(struct det_device *, const struct det_roi_align *, const float *dy,
                                 const float *boxes, const int32_t *image, const int32_t *level,
                                 float *const dx[]);
void det_cuda_gather_rows(struct det_device *, size_t row, const int32_t *index,
                          const int32_t *count, const float *x, float *y);
void det_cuda_scatter_rows(struct det_device *, size_t row, const int32_t *index,
                           const int32_t *count, const float *dy, float *dx);
void det_cuda_normalize(struct det_device *, int n, int h, int w, const float *heights,
                        const float *widths, const float *x, float *y);
void det_cuda_rpn_gather(struct det_device *, int n, int a, int k, int h, int w, int n_anchors,
                         int first, const float *head, float *rows);
void det_cuda_rpn_scatter(struct det_device *, int n, int a, int k, int h, int w, int n_anchors,
                          int first, const float *rows, float *head);
void det_cuda_rpn_assign(struct det_device *, const struct det_rpn_assign *, const float *anchors,
                         const struct det_images *, const struct det_truth *, const uint32_t *step,
                         struct det_rpn_sampled *out);
void det_cuda_rpn_propose(struct det_device *, const struct det_proposal_filter *,
                          const float *anchors, const struct det_images *, const float *logits,
                          const float *deltas, struct det_proposals *out);
void det_cuda_roi_assign(struct det_device *, const struct det_roi_assign *,
                         const struct det_proposals *, const struct det_images *,
                         const struct det_truth *, const uint32_t *step, struct det_rois *out);
void det_cuda_roi_collect(struct det_device *, const struct det_roi_assign *,
                          const struct det_proposals *, const struct det_images *,
                          struct det_rois *out);
void det_cuda_detect(struct det_device *, const struct det_detect *, const struct det_images *,
                     const struct det_rois *, const float *cls_logits, const float *box_deltas,
                     struct det_detections *out);
void det_cuda_mask_select(struct det_device *, const struct det_rois *, int32_t *index,
                          int32_t *count, struct det_rois *out);
void det_cuda_mask_targets(struct det_device *, const struct det_rois *, const struct det_truth *,
                           int size, float *targets);
void det_cuda_rpn_cls_loss(struct det_device *, const struct det_cls_loss *, int rows,
                           const float *logits, const int8_t *labels, double *loss, float *dlogits,
                           struct det_cls_stats *stats);
void det_cuda_rpn_box_loss(struct det_device *, const struct det_box_loss *, int rows,
                           const float *deltas, const float *targets, const int8_t *labels,
                           double *loss, float *ddeltas);
void det_cuda_roi_cls_loss(struct det_device *, const struct det_cls_loss *, int rows, int classes,
                           const int32_t *count, const float *logits, const int32_t *labels,
                           double *loss, float *dlogits, struct det_cls_stats *stats);
void det_cuda_roi_box_loss(struct det_device *, const struct det_box_loss *, int rows, int classes,
                           const int32_t *count, const float *deltas, const float *targets,
                           const int32_t *labels, double *loss, float *ddeltas);
void det_cuda_mask_loss(struct det_device *, const float *loss_scale, int rows, int classes, int size,
                        const int32_t *count, const float *logits, const float *targets,
                        const int32_t *labels, double *loss, float *dlogits);
void det_cuda_sum_squares(struct det_device *, size_t n, const float *g, double *sum);
void det_cuda_clip(struct det_device *, double max_norm, const double *sum, struct det_clip *out);
void det_cuda_scale(struct det_device *, size_t n, const float *factor, float *g);
void det_cuda_check_finite(struct det_device *, size_t n, const float *x, int32_t *flag);
void det_cuda_update(struct det_device *, enum det_optimizer_kind kind,
                     const struct det_update_terms *terms, const struct det_clip *clip, size_t n,
                     float *param, const float *grad, float *state1, float *state2);
void det_cuda_round_bf16(struct det_device *, size_t n, const float *x, float *y);
void det_cuda_round_fp16(struct det_device *, size_t n, const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
