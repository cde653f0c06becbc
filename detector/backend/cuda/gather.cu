/* gather_rows, scatter_rows, rpn_gather, rpn_scatter (layers/gather.h): a thread an element. */
#include "detector/backend/cuda/kernel.h"
#include "detector/backend/cuda/ops.h"
#include "detector/bodies/rpn_layout.h"

struct rows_args {
    size_t row;
    const int32_t *index, *count;
    const float *from;
    float *to;
};

/* How many rows there are is known on the device alone: this many blocks share them. */
enum { ROWS_BLOCKS = 512 };

DET_BLOCK_BODY void gather_rows(const struct det_block *b, const struct rows_args *a,
                                struct det_no_shared *s)
{
    (void)s;
    size_t n = *a->count > 0 ? (size_t)*a->count * a->row : 0;
    size_t stride = (size_t)b->blocks * (size_t)b->threads;
    DET_EACH_THREAD(b, t)
        for (size_t i = (size_t)b->index * (size_t)b->threads + (size_t)t; i < n; i += stride)
            a->to[i] = a->from[(size_t)a->index[i / a->row] * a->row + i % a->row];
}

DET_BLOCK_BODY void scatter_rows(const struct det_block *b, const struct rows_args *a,
                                 struct det_no_shared *s)
{
    (void)s;
    size_t n = *a->count > 0 ? (size_t)*a->count * a->row : 0;
    size_t stride = (size_t)b->blocks * (size_t)b->threads;
    DET_EACH_THREAD(b, t)
        for (size_t i = (size_t)b->index * (size_t)b->threads + (size_t)t; i < n; i += stride)
            a->to[(size_t)a->index[i / a->row] * a->row + i % a->row] += a->from[i];
}

DET_KERNEL(gather_rows, struct rows_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(scatter_rows, struct rows_args, struct det_no_shared, DET_NARROW)

void det_cuda_gather_rows(struct det_device *dev, size_t row, const int32_t *index,
                          const int32_t *count, const float *x, float *y)
{
    struct rows_args a = {row, index, count, x, y};
    DET_RUN(dev, gather_rows, ROWS_BLOCKS, &a);
}

void det_cuda_scatter_rows(struct det_device *dev, size_t row, const int32_t *index,
                           const int32_t *count, const float *dy, float *dx)
{
    struct rows_args a = {row, index, count, dy, dx};
    DET_RUN(dev, scatter_rows, ROWS_BLOCKS, &a);
}

struct rpn_layout_args {
    struct det_rpn_layout of;
    const float *from;
    float *to;
};

DET_BLOCK_BODY size_t rpn_elements(const struct det_rpn_layout *of)
{
    return (size_t)of->n * (size_t)of->channels * (size_t)of->plane;
}

/* Neighbouring threads are neighbours in the head's map, in both directions. */
DET_BLOCK_BODY void rpn_gather(const struct det_block *b, const struct rpn_layout_args *a,
                               struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        size_t i = (size_t)b->index * (size_t)b->threads + (size_t)t;
        if (i < rpn_elements(&a->of))
            a->to[det_rpn_row_at(&a->of, i)] = a->from[i];
    }
}

DET_BLOCK_BODY void rpn_scatter(const struct det_block *b, const struct rpn_layout_args *a,
                                struct det_no_shared *s)
{
    (void)s;
    DET_EACH_THREAD(b, t) {
        size_t i = (size_t)b->index * (size_t)b->threads + (size_t)t;
        if (i < rpn_elements(&a->of))
            a->to[i] = a->from[det_rpn_row_at(&a->of, i)];
    }
}

DET_KERNEL(rpn_gather, struct rpn_layout_args, struct det_no_shared, DET_NARROW)
DET_KERNEL(rpn_scatter, struct rpn_layout_args, struct det_no_shared, DET_NARROW)

void det_cuda_rpn_gather(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                         int first, const float *head, float *rows)
{
    struct rpn_layout_args args = {{n, a * k, h * w, k, n_anchors, first}, head, rows};
    DET_RUN(dev, rpn_gather, det_blocks_of(n * a * k * h * w, DET_NARROW), &args);
}

void det_cuda_rpn_scatter(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                          int first, const float *rows, float *head)
{
    struct rpn_layout_args args = {{n, a * k, h * w, k, n_anchors, first}, rows, head};
    DET_RUN(dev, rpn_scatter, det_blocks_of(n * a * k * h * w, DET_NARROW), &args);
}
