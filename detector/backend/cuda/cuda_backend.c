/* The table of the CUDA backend's operations. */
#include "detector/backend/cuda/ops.h"

#include <stddef.h>
#include <stdlib.h>

static const struct det_backend cuda_backend = {
    .name = "cuda",
    .open = det_cuda_open,
    .close = det_cuda_close,
    .describe = det_cuda_describe,
    .alloc = det_cuda_alloc,
    .release = det_cuda_release,
    .upload = det_cuda_upload,
    .download = det_cuda_download,
    .zero = det_cuda_zero,
    .copy = det_cuda_copy,
    .synchronize = det_cuda_synchronize,
    .reserve_scratch = det_cuda_reserve_scratch,
    .set_products = det_cuda_set_products,
    .measure_begin = det_cuda_measure_begin,
    .measure_end = det_cuda_measure_end,
    .record_begin = det_cuda_record_begin,
    .record_end = det_cuda_record_end,
    .replay = det_cuda_replay,
    .recording_release = det_cuda_recording_release,
    .conv2d_forward = det_cuda_conv2d_forward,
    .conv2d_backward = det_cuda_conv2d_backward,
    .conv_transpose2d_forward = det_cuda_conv_transpose2d_forward,
    .conv_transpose2d_backward = det_cuda_conv_transpose2d_backward,
    .linear_forward = det_cuda_linear_forward,
    .linear_backward = det_cuda_linear_backward,
    .group_norm_forward = det_cuda_group_norm_forward,
    .group_norm_backward = det_cuda_group_norm_backward,
    .frozen_bn_forward = det_cuda_frozen_bn_forward,
    .frozen_bn_backward = det_cuda_frozen_bn_backward,
    .add_forward = det_cuda_add_forward,
    .add_backward = det_cuda_add_backward,
    .max_pool2d_forward = det_cuda_max_pool2d_forward,
    .max_pool2d_backward = det_cuda_max_pool2d_backward,
    .upsample_forward = det_cuda_upsample_forward,
    .upsample_backward = det_cuda_upsample_backward,
    .roi_align_forward = det_cuda_roi_align_forward,
    .roi_align_backward = det_cuda_roi_align_backward,
    .gather_rows = det_cuda_gather_rows,
    .scatter_rows = det_cuda_scatter_rows,
    .normalize = det_cuda_normalize,
    .rpn_gather = det_cuda_rpn_gather,
    .rpn_scatter = det_cuda_rpn_scatter,
    .rpn_assign = det_cuda_rpn_assign,
    .rpn_propose = det_cuda_rpn_propose,
    .roi_assign = det_cuda_roi_assign,
    .roi_collect = det_cuda_roi_collect,
    .detect = det_cuda_detect,
    .mask_select = det_cuda_mask_select,
    .mask_targets = det_cuda_mask_targets,
    .rpn_cls_loss = det_cuda_rpn_cls_loss,
    .rpn_box_loss = det_cuda_rpn_box_loss,
    .roi_cls_loss = det_cuda_roi_cls_loss,
    .roi_box_loss = det_cuda_roi_box_loss,
    .mask_loss = det_cuda_mask_loss,
    .sum_squares = det_cuda_sum_squares,
    .clip = det_cuda_clip,
    .scale = det_cuda_scale,
    .check_finite = det_cuda_check_finite,
    .update = det_cuda_update,
    .round_bf16 = det_cuda_round_bf16,
    .round_fp16 = det_cuda_round_fp16,
};

const struct det_backend *det_cuda_backend(void)
{
    return &cuda_backend;
}

const char *det_cuda_missing(void)
{
    if (getenv("DETCHECK_CUDA_INCOMPLETE")) /* tests of the operations that are there */
        return NULL;
    return cuda_backend.conv2d_forward ? cuda_backend.rpn_assign ? NULL : "boxes and losses"
                                       : "layers";
}
