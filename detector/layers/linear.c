#include "detector/layers/linear.h"

#include "detector/backend/cpu.h"
#include "detector/backend/gemm.h"
#include "detector/bodies/affine.h"
#include "detector/layers/integers.h"
#include "detector/layers/planes.h"

#define ROWS 128    /* rows and outputs that one item of forward owns */
#define OUTPUTS 256 /* also the block of outputs of dbias */
#define INPUTS 256  /* columns of dx and dw that one item of backward owns */

void det_linear_scratch(const struct det_linear *shape, size_t *per_worker, size_t *shared)
{
    (void)shape;
    *per_worker = 0;
    *shared = 0;
}

struct linear_job {
    struct det_linear shape;
    int live;
    const float *x, *w, *bias, *y;
    float *out; /* forward: y */
    float *dy, *dx, *dw, *dbias;
    int accumulate;
};

static void forward_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct linear_job *job = arg;
    const struct det_linear *s = &job->shape;
    int out_blocks = det_ceil_div(s->out, OUTPUTS);
    int row = item / out_blocks * ROWS;
    int rows = det_min_int(ROWS, job->live - row);
    int first = item % out_blocks * OUTPUTS;
    int outputs = det_min_int(OUTPUTS, s->out - first);
    float *y = job->out + (size_t)row * (size_t)s->out + first;
    det_gemm(DET_NO_TRANSPOSE, DET_TRANSPOSE, rows, outputs, s->in, 1.0f,
             job->x + (size_t)row * (size_t)s->in, s->in, job->w + (size_t)first * (size_t)s->in,
             s->in, 0.0f, y, s->out);
    for (int r = 0; r < rows; r++, y += s->out)
        for (int o = 0; o < outputs; o++)
            y[o] = det_biased(y[o], job->bias ? job->bias[first + o] : 0.0f, s->relu);
}

void det_linear_forward(struct det_device *dev, const struct det_linear *shape, const float *x,
                        const float *w, const float *bias, float *y)
{
    struct linear_job job = {.shape = *shape, .x = x, .w = w, .bias = bias, .out = y};
    job.live = det_live(shape->count, shape->n);
    det_pool_run(det_cpu_of(dev)->pool,
                 det_ceil_div(job.live, ROWS) * det_ceil_div(shape->out, OUTPUTS), forward_block,
                 &job);
}

static void mask_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct linear_job *job = arg;
    size_t first = (size_t)item * (size_t)job->shape.out;
    det_relu_mask_plane(job->y + first, (size_t)job->shape.out, job->dy + first);
}

/* dbias of a block of outputs: sums over the rows, in order. */
static void bias_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct linear_job *job = arg;
    const struct det_linear *s = &job->shape;
    double sum[OUTPUTS] = {0};
    int first = item * OUTPUTS;
    int outputs = det_min_int(OUTPUTS, s->out - first);
    const float *dy = job->dy + first;
    for (int r = 0; r < job->live; r++, dy += s->out)
        for (int o = 0; o < outputs; o++)
            sum[o] += (double)dy[o];
    for (int o = 0; o < outputs; o++)
        job->dbias[first + o] += (float)sum[o];
}

/* Columns [first, first + inputs) of dx = dy w and of dw += dy^T x. */
static void backward_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct linear_job *job = arg;
    const struct det_linear *s = &job->shape;
    int first = item * INPUTS;
    int inputs = det_min_int(INPUTS, s->in - first);
    if (job->dx)
        det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, job->live, inputs, s->out, 1.0f, job->dy,
                 s->out, job->w + first, s->in, job->accumulate ? 1.0f : 0.0f, job->dx + first,
                 s->in);
    if (job->dw)
        det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, s->out, inputs, job->live, 1.0f, job->dy, s->out,
                 job->x + first, s->in, 1.0f, job->dw + first, s->in);
}

void det_linear_backward(struct det_device *dev, const struct det_linear *shape, const float *x,
                         const float *w, const float *y, float *dy, float *dx, int accumulate,
                         float *dw, float *dbias)
{
    struct det_pool *pool = det_cpu_of(dev)->pool;
    struct linear_job job = {.shape = *shape,
                             .x = x,
                             .w = w,
                             .y = y,
                             .dy = dy,
                             .dx = dx,
                             .dw = dw,
                             .dbias = dbias,
                             .accumulate = accumulate};
    job.live = det_live(shape->count, shape->n);
    if (shape->relu)
        det_pool_run(pool, job.live, mask_row, &job);
    if (dbias)
        det_pool_run(pool, det_ceil_div(shape->out, OUTPUTS), bias_block, &job);
    if (dx || dw)
        det_pool_run(pool, det_ceil_div(shape->in, INPUTS), backward_block, &job);
}
