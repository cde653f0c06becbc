#include "detector/layers/add.h"

#include "detector/backend/cpu.h"
#include "detector/base/blocks.h"
#include "detector/base/vector_targets.h"
#include "detector/bodies/relu.h"

#include <string.h>

struct add_job {
    size_t n;
    int relu;
    const float *a, *b;
    float *y;
};

DET_VECTOR_TARGETS static void add_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct add_job *job = arg;
    size_t first = det_block_begin(item);
    size_t end = first + det_block_length(job->n, item);
    for (size_t i = first; i < end; i++) {
        float sum = job->a[i] + job->b[i];
        job->y[i] = job->relu ? det_relu(sum) : sum;
    }
}

void det_add_forward(struct det_device *dev, size_t n, int relu, const float *a, const float *b,
                     float *y)
{
    struct add_job job = {n, relu, a, b, y};
    det_pool_run(det_cpu_of(dev)->pool, det_block_count(n), add_block, &job);
}

struct add_backward_job {
    size_t n;
    int relu;
    const float *y;
    float *dy, *da, *db;
    int accumulate_a, accumulate_b;
};

static inline void hand_on(const float *dy, float *to, int accumulate, size_t n)
{
    if (!to || to == dy)
        return;
    if (!accumulate)
        memcpy(to, dy, n * sizeof *to);
    else
        for (size_t i = 0; i < n; i++)
            to[i] += dy[i];
}

DET_VECTOR_TARGETS static void add_backward_block(void *arg, int item, int worker)
{
    (void)worker;
    const struct add_backward_job *job = arg;
    size_t first = det_block_begin(item);
    size_t n = det_block_length(job->n, item);
    float *dy = job->dy + first;
    if (job->relu)
        for (size_t i = 0; i < n; i++)
            dy[i] = det_relu_gradient(job->y[first + i], dy[i]);
    hand_on(dy, job->da ? job->da + first : NULL, job->accumulate_a, n);
    hand_on(dy, job->db ? job->db + first : NULL, job->accumulate_b, n);
}

void det_add_backward(struct det_device *dev, size_t n, int relu, const float *y, float *dy,
                      float *da, int accumulate_a, float *db, int accumulate_b)
{
    struct add_backward_job job = {n, relu, y, dy, da, db, accumulate_a, accumulate_b};
    det_pool_run(det_cpu_of(dev)->pool, det_block_count(n), add_backward_block, &job);
}
