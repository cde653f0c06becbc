/* The CPU device, and the table of its operations. */
#include "detector/backend/backend.h"
#include "detector/backend/cpu.h"
#include "detector/backend/gemm.h"
#include "detector/base/arena.h"
#include "detector/boxes/mask_targets.h"
#include "detector/boxes/proposals.h"
#include "detector/boxes/roi_assign.h"
#include "detector/boxes/rpn_assign.h"
#include "detector/inference/detect.h"
#include "detector/layers/layers.h"
#include "detector/losses/losses.h"
#include "detector/training/rounding.h"
#include "detector/training/gradient_norm.h"
#include "detector/training/optimizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE (HUGE_PAGE / 8) /* blocks from here on */

/* Large blocks are whole huge pages: layers go through them in strides of whole planes or matrices,
 * and in pages of 4 KB every stride would wait for its address to be translated. Where the system has
 * none to give, the block is as good as any other. */
static void *take_pages(size_t bytes)
{
    void *block = NULL;
    if (bytes < LARGE || bytes > SIZE_MAX - HUGE_PAGE)
        return aligned_alloc(DET_ALIGNMENT, bytes);
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (posix_memalign(&block, HUGE_PAGE, bytes) != 0)
        return NULL;
    madvise(block, bytes, MADV_HUGEPAGE);
    return block;
}

/* `count` blocks of *bytes each, after *bytes was rounded up to the alignment. */
static enum det_code take(size_t *bytes, size_t count, const char *what, void **out,
                          struct det_error *err)
{
    size_t asked = *bytes;
    size_t rounded = asked ? asked : 1;
    *out = NULL;
    if (rounded <= SIZE_MAX / count - DET_ALIGNMENT) {
        rounded = (rounded + DET_ALIGNMENT - 1) / DET_ALIGNMENT * DET_ALIGNMENT;
        *out = take_pages(rounded * count);
    }
    if (!*out)
        return det_fail(err, DET_NO_MEMORY, "cpu: %s: %zu x %zu bytes asked for, not available",
                        what, count, asked);
    *bytes = rounded;
    return DET_OK;
}

static void cpu_close(struct det_device *dev)
{
    if (!dev)
        return;
    struct det_cpu *cpu = det_cpu_of(dev);
    det_pool_destroy(cpu->pool);
    free(cpu->scratch);
    free(cpu->shared);
    free(cpu);
}

static enum det_code cpu_open(int threads, struct det_device **out, struct det_error *err)
{
    *out = NULL;
    struct det_cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu)
        return det_fail(err, DET_NO_MEMORY, "cpu: device");
    cpu->device.ops = det_cpu_backend();
    enum det_code code = det_pool_create(threads, &cpu->pool, err);
    if (code != DET_OK) {
        free(cpu);
        return code;
    }
    det_gemm_use_one_thread();
    *out = &cpu->device;
    return DET_OK;
}

static const char *cpu_describe(const struct det_device *dev)
{
    return dev->ops->name;
}

static enum det_code cpu_alloc(struct det_device *dev, size_t bytes, const char *what, void **out,
                               struct det_error *err)
{
    (void)dev;
    enum det_code code = take(&bytes, 1, what, out, err);
    if (code == DET_OK)
        memset(*out, 0, bytes);
    return code;
}

static void cpu_release(struct det_device *dev, void *block)
{
    (void)dev;
    free(block);
}

static void cpu_copy(struct det_device *dev, void *to, const void *from, size_t bytes)
{
    (void)dev;
    if (bytes)
        memcpy(to, from, bytes);
}

static void cpu_zero(struct det_device *dev, void *block, size_t bytes)
{
    (void)dev;
    if (bytes)
        memset(block, 0, bytes);
}

/* Products of rounded operands are the same here whatever they were rounded to. */
static enum det_code cpu_set_products(struct det_device *dev, enum det_products products,
                                      struct det_error *err)
{
    (void)dev;
    if (products == DET_PRODUCTS_TF32)
        return det_fail(err, DET_UNAVAILABLE, "backend cpu: has no TF32 products, a GPU has");
    return DET_OK;
}

static int cpu_measure_begin(struct det_device *dev)
{
    (void)dev;
    return 0;
}

static enum det_code cpu_measure_end(struct det_device *dev, struct det_error *err)
{
    (void)dev;
    (void)err;
    return DET_OK;
}

static enum det_code cpu_record_begin(struct det_device *dev, struct det_error *err)
{
    (void)dev;
    return det_fail(err, DET_UNAVAILABLE, "backend cpu: records nothing");
}

static enum det_code cpu_record_end(struct det_device *dev, struct det_recording **out,
                                    struct det_error *err)
{
    *out = NULL;
    return cpu_record_begin(dev, err);
}

static void cpu_no_recording(struct det_device *dev, struct det_recording *recording)
{
    (void)dev;
    (void)recording;
}

static enum det_code cpu_synchronize(struct det_device *dev, struct det_error *err)
{
    (void)dev;
    (void)err;
    return DET_OK;
}

/* One memory is both sides: what was written has arrived. */
static enum det_code cpu_staging_open(struct det_device *dev, size_t bytes, const char *what,
                                      struct det_staging **out, struct det_error *err)
{
    *out = NULL;
    struct det_staging *staging = calloc(1, sizeof *staging);
    if (!staging)
        return det_fail(err, DET_NO_MEMORY, "cpu: %s", what);
    enum det_code code = dev->ops->alloc(dev, bytes, what, &staging->host, err);
    if (code != DET_OK) {
        free(staging);
        return code;
    }
    staging->device = staging->host;
    *out = staging;
    return DET_OK;
}

static void cpu_staging_close(struct det_device *dev, struct det_staging *staging)
{
    if (staging)
        dev->ops->release(dev, staging->host);
    free(staging);
}

static void cpu_staging_send(struct det_device *dev, struct det_staging *staging, size_t bytes)
{
    (void)dev;
    (void)staging;
    (void)bytes;
}

static void cpu_staging_no_wait(struct det_device *dev, struct det_staging *staging)
{
    (void)dev;
    (void)staging;
}

/* Replace a block by a larger one; contents are not kept. */
static enum det_code grow(unsigned char **block, size_t *size, size_t bytes, size_t count,
                          const char *what, struct det_error *err)
{
    if (bytes <= *size)
        return DET_OK;
    void *larger;
    enum det_code code = take(&bytes, count, what, &larger, err);
    if (code != DET_OK)
        return code;
    free(*block);
    *block = larger;
    *size = bytes;
    return DET_OK;
}

static enum det_code cpu_reserve_scratch(struct det_device *dev, size_t per_worker, size_t shared,
                                         struct det_error *err)
{
    struct det_cpu *cpu = det_cpu_of(dev);
    enum det_code code = grow(&cpu->scratch, &cpu->scratch_bytes, per_worker,
                              (size_t)det_pool_threads(cpu->pool), "workers' scratch", err);
    if (code != DET_OK)
        return code;
    return grow(&cpu->shared, &cpu->shared_bytes, shared, 1, "shared scratch", err);
}

static const struct det_backend cpu_backend = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .upload = cpu_copy,
    .download = cpu_copy,
    .zero = cpu_zero,
    .copy = cpu_copy,
    .synchronize = cpu_synchronize,
    .staging_open = cpu_staging_open,
    .staging_close = cpu_staging_close,
    .staging_write = cpu_staging_no_wait,
    .staging_send = cpu_staging_send,
    .staging_receive = cpu_staging_no_wait,
    .staging_done = cpu_staging_no_wait,
    .reserve_scratch = cpu_reserve_scratch,
    .set_products = cpu_set_products,
    .measure_begin = cpu_measure_begin,
    .measure_end = cpu_measure_end,
    .record_begin = cpu_record_begin,
    .record_end = cpu_record_end,
    .replay = cpu_no_recording,
    .recording_release = cpu_no_recording,
    .conv2d_forward = det_conv2d_forward,
    .conv2d_backward = det_conv2d_backward,
    .conv_transpose2d_forward = det_conv_transpose2d_forward,
    .conv_transpose2d_backward = det_conv_transpose2d_backward,
    .linear_forward = det_linear_forward,
    .linear_backward = det_linear_backward,
    .group_norm_forward = det_group_norm_forward,
    .group_norm_backward = det_group_norm_backward,
    .frozen_bn_forward = det_frozen_bn_forward,
    .frozen_bn_backward = det_frozen_bn_backward,
    .add_forward = det_add_forward,
    .add_backward = det_add_backward,
    .max_pool2d_forward = det_max_pool2d_forward,
    .max_pool2d_backward = det_max_pool2d_backward,
    .upsample_forward = det_upsample_forward,
    .upsample_backward = det_upsample_backward,
    .roi_align_forward = det_roi_align_forward,
    .roi_align_backward = det_roi_align_backward,
    .gather_rows = det_gather_rows,
    .scatter_rows = det_scatter_rows,
    .normalize = det_normalize,
    .rpn_gather = det_rpn_gather,
    .rpn_scatter = det_rpn_scatter,
    .rpn_assign = det_rpn_assign,
    .rpn_propose = det_rpn_propose,
    .roi_assign = det_roi_assign,
    .roi_collect = det_roi_collect,
    .detect = det_detect,
    .mask_select = det_mask_select,
    .mask_targets = det_mask_targets,
    .rpn_cls_loss = det_rpn_cls_loss,
    .rpn_box_loss = det_rpn_box_loss,
    .roi_cls_loss = det_roi_cls_loss,
    .roi_box_loss = det_roi_box_loss,
    .mask_loss = det_mask_loss,
    .sum_squares = det_sum_squares,
    .clip = det_clip,
    .scale = det_scale,
    .check_finite = det_check_finite,
    .update = det_update,
    .round_bf16 = det_round_bf16,
    .round_fp16 = det_round_fp16,
};

const struct det_backend *det_cpu_backend(void)
{
    return &cpu_backend;
}
