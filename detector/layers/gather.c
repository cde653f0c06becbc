#include "detector/layers/gather.h"

#include "detector/backend/cpu.h"
#include "detector/layers/transpose.h"

#include <string.h>

struct rows_job {
    size_t row;
    const int32_t *index;
    const float *from;
    float *to;
};

static void gather_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct rows_job *job = arg;
    memcpy(job->to + (size_t)item * job->row, job->from + (size_t)job->index[item] * job->row,
           job->row * sizeof(float));
}

static void scatter_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct rows_job *job = arg;
    const float *from = job->from + (size_t)item * job->row;
    float *to = job->to + (size_t)job->index[item] * job->row;
    for (size_t i = 0; i < job->row; i++)
        to[i] += from[i];
}

void det_gather_rows(struct det_device *dev, size_t row, const int32_t *index, const int32_t *count,
                     const float *x, float *y)
{
    struct rows_job job = {row, index, x, y};
    det_pool_run(det_cpu_of(dev)->pool, *count, gather_row, &job);
}

void det_scatter_rows(struct det_device *dev, size_t row, const int32_t *index,
                      const int32_t *count, const float *dy, float *dx)
{
    struct rows_job job = {row, index, dy, dx};
    det_pool_run(det_cpu_of(dev)->pool, *count, scatter_row, &job);
}

struct rpn_job { /* one level: a * k channels of `plane` cells, beside rows [plane * a, k] */
    int channels, plane;
    size_t rows_stride; /* floats between images in `rows` */
    const float *from;
    float *to;
};

static void rpn_gather_image(void *arg, int item, int worker)
{
    (void)worker;
    const struct rpn_job *job = arg;
    size_t channels = (size_t)job->channels;
    size_t plane = (size_t)job->plane;
    const float *head = job->from + (size_t)item * channels * plane;
    float *rows = job->to + (size_t)item * job->rows_stride;
    det_transpose(job->channels, job->plane, head, plane, rows, channels);
}

static void rpn_scatter_image(void *arg, int item, int worker)
{
    (void)worker;
    const struct rpn_job *job = arg;
    size_t channels = (size_t)job->channels;
    size_t plane = (size_t)job->plane;
    const float *rows = job->from + (size_t)item * job->rows_stride;
    float *head = job->to + (size_t)item * channels * plane;
    det_transpose(job->plane, job->channels, rows, channels, head, plane);
}

/* (cell, anchor, j) order of the rows is (cell, channel) order: a transposition an image. */
void det_rpn_gather(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                    int first, const float *head, float *rows)
{
    struct rpn_job job = {a * k, h * w, (size_t)n_anchors * (size_t)k, head,
                          rows + (size_t)first * (size_t)k};
    det_pool_run(det_cpu_of(dev)->pool, n, rpn_gather_image, &job);
}

void det_rpn_scatter(struct det_device *dev, int n, int a, int k, int h, int w, int n_anchors,
                     int first, const float *rows, float *head)
{
    struct rpn_job job = {a * k, h * w, (size_t)n_anchors * (size_t)k,
                          rows + (size_t)first * (size_t)k, head};
    det_pool_run(det_cpu_of(dev)->pool, n, rpn_scatter_image, &job);
}
