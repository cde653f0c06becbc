/* The table of the CUDA backend's operations. */
#include "detector/backend/cuda/ops.h"

#include <stddef.h>
#include <stdlib.h>

static const struct det_backend cuda_backend = {
    .name = "cuda",
    .open = det_cuda_open,
    .close = det_cuda_close,
    .alloc = det_cuda_alloc,
    .release = det_cuda_release,
    .upload = det_cuda_upload,
    .download = det_cuda_download,
    .zero = det_cuda_zero,
    .synchronize = det_cuda_synchronize,
    .reserve_scratch = det_cuda_reserve_scratch,
    .sum_squares = det_cuda_sum_squares,
    .clip = det_cuda_clip,
    .scale = det_cuda_scale,
    .check_finite = det_cuda_check_finite,
    .update = det_cuda_update,
    .round_bf16 = det_cuda_round_bf16,
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
