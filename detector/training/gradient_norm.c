#include "detector/training/gradient_norm.h"

#include "detector/backend/cpu.h"
#include "detector/base/blocks.h"
#include "detector/base/vector_targets.h"

#include <math.h>

#define GROUP 64 /* blocks handed to the workers at once: their results fit on the stack */
#define LANES 16 /* independent sums within a block, added up in order */

struct reduce_job {
    const float *x;
    size_t n;
    int first; /* block of item 0 */
    double sums[GROUP];
    int32_t flags[GROUP];
};

DET_VECTOR_TARGETS static void square_block(void *arg, int item, int worker)
{
    (void)worker;
    struct reduce_job *job = arg;
    int block = job->first + item;
    const float *x = job->x + det_block_begin(block);
    size_t n = det_block_length(job->n, block);
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + (size_t)k] * (double)x[i + (size_t)k];
    }
    for (int k = 0; i < n; i++, k++)
        lane[k] += (double)x[i] * (double)x[i];
    double sum = 0.0;
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    job->sums[item] = sum;
}

static void finite_block(void *arg, int item, int worker)
{
    (void)worker;
    struct reduce_job *job = arg;
    int block = job->first + item;
    const float *x = job->x + det_block_begin(block);
    size_t n = det_block_length(job->n, block);
    int32_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= !isfinite(x[i]);
    job->flags[item] = bad;
}

/* Run `work` on the next group of blocks; returns how many there were, 0 at the end. */
static int next_group(struct det_device *dev, struct reduce_job *job, det_pool_work *work)
{
    int left = det_block_count(job->n) - job->first;
    int blocks = left < GROUP ? left : GROUP;
    det_pool_run(det_cpu_of(dev)->pool, blocks, work, job);
    job->first += blocks;
    return blocks;
}

void det_sum_squares(struct det_device *dev, size_t n, const float *g, double *sum)
{
    struct reduce_job job = {.x = g, .n = n};
    double total = 0.0;
    for (int blocks; (blocks = next_group(dev, &job, square_block)) > 0;) {
        for (int b = 0; b < blocks; b++)
            total += job.sums[b];
    }
    *sum += total;
}

void det_check_finite(struct det_device *dev, size_t n, const float *x, int32_t *flag)
{
    struct reduce_job job = {.x = x, .n = n};
    for (int blocks; (blocks = next_group(dev, &job, finite_block)) > 0;) {
        for (int b = 0; b < blocks; b++)
            *flag |= job.flags[b];
    }
}

struct scale_job {
    float *x;
    size_t n;
    float factor;
};

static void scale_block(void *arg, int block, int worker)
{
    (void)worker;
    const struct scale_job *job = arg;
    float *x = job->x + det_block_begin(block);
    size_t n = det_block_length(job->n, block);
    for (size_t i = 0; i < n; i++)
        x[i] *= job->factor;
}

void det_scale(struct det_device *dev, size_t n, const float *factor, float *g)
{
    struct scale_job job = {g, n, *factor};
    if (*factor != 1.0f)
        det_pool_run(det_cpu_of(dev)->pool, det_block_count(n), scale_block, &job);
}

void det_clip(struct det_device *dev, double max_norm, const double *sum, struct det_clip *out)
{
    (void)dev;
    *out = det_clip_of(*sum, max_norm);
}
