#include "detector/layers/channel_gradient.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/planes.h"
#include "detector/layers/sum.h"

struct job {
    int n, c;
    size_t plane;
    const float *y;
    float *dy, *dbias;
};

DET_VECTOR_TARGETS static double masked_sum(const float *y, size_t n, float *dy)
{
    if (y)
        det_relu_mask_plane(y, n, dy);
    return det_sum(dy, n);
}

double det_masked_sum(const float *y, size_t n, float *dy)
{
    return masked_sum(y, n, dy);
}

static void channel(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    double sum = 0.0;
    for (int i = 0; i < job->n; i++) {
        size_t first = ((size_t)i * (size_t)job->c + (size_t)item) * job->plane;
        sum += det_masked_sum(job->y ? job->y + first : NULL, job->plane, job->dy + first);
    }
    if (job->dbias)
        job->dbias[item] += (float)sum;
}

void det_channel_gradient(const struct det_cpu *cpu, int n, int c, int plane, const float *y,
                          float *dy, float *dbias)
{
    struct job job = {n, c, (size_t)plane, y, dy, dbias};
    if (y || dbias)
        det_pool_run(cpu->pool, c, channel, &job);
}
