#include "detector/training/rounding.h"

#include "detector/backend/cpu.h"
#include "detector/base/blocks.h"
#include "detector/bodies/bf16.h"
#include "detector/bodies/fp16.h"

struct round_job {
    size_t n;
    const float *x;
    float *y;
};

static void bf16_block(void *arg, int block, int worker)
{
    (void)worker;
    const struct round_job *job = arg;
    size_t begin = det_block_begin(block);
    size_t end = begin + det_block_length(job->n, block);
    for (size_t i = begin; i < end; i++)
        job->y[i] = det_bf16(job->x[i]);
}

static void fp16_block(void *arg, int block, int worker)
{
    (void)worker;
    const struct round_job *job = arg;
    size_t begin = det_block_begin(block);
    size_t end = begin + det_block_length(job->n, block);
    for (size_t i = begin; i < end; i++)
        job->y[i] = det_fp16(job->x[i]);
}

void det_round_bf16(struct det_device *dev, size_t n, const float *x, float *y)
{
    struct round_job job = {n, x, y};
    det_pool_run(det_cpu_of(dev)->pool, det_block_count(n), bf16_block, &job);
}

void det_round_fp16(struct det_device *dev, size_t n, const float *x, float *y)
{
    struct round_job job = {n, x, y};
    det_pool_run(det_cpu_of(dev)->pool, det_block_count(n), fp16_block, &job);
}
