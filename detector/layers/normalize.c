#include "detector/layers/normalize.h"

#include "detector/backend/cpu.h"

struct normalize_job {
    int plane;
    const float *x;
    float *y;
};

static void normalize_plane(void *arg, int item, int worker)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float std[3] = {0.229f, 0.224f, 0.225f};
    (void)worker;
    const struct normalize_job *job = arg;
    int c = item % 3;
    size_t first = (size_t)item * (size_t)job->plane;
    for (size_t i = first; i < first + (size_t)job->plane; i++)
        job->y[i] = (job->x[i] - mean[c]) / std[c];
}

void det_normalize(struct det_device *dev, int n, int plane, const float *x, float *y)
{
    struct normalize_job job = {plane, x, y};
    det_pool_run(det_cpu_of(dev)->pool, 3 * n, normalize_plane, &job);
}
