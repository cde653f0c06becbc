#include "detector/layers/normalize.h"

#include "detector/backend/cpu.h"
#include "detector/bodies/normalize.h"

struct normalize_job {
    int h, w;
    const float *heights, *widths;
    const float *x;
    float *y;
};

static void normalize_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct normalize_job *job = arg;
    int c = item % 3;
    int live_rows = (int)job->heights[item / 3];
    int live_columns = (int)job->widths[item / 3];
    for (int row = 0; row < job->h; row++) {
        size_t first = ((size_t)item * (size_t)job->h + (size_t)row) * (size_t)job->w;
        int live = row < live_rows ? live_columns : 0;
        for (int i = 0; i < live; i++)
            job->y[first + (size_t)i] = det_normalized(job->x[first + (size_t)i], c);
        for (int i = live; i < job->w; i++)
            job->y[first + (size_t)i] = 0.0f;
    }
}

void det_normalize(struct det_device *dev, int n, int h, int w, const float *heights,
                   const float *widths, const float *x, float *y)
{
    struct normalize_job job = {h, w, heights, widths, x, y};
    det_pool_run(det_cpu_of(dev)->pool, 3 * n, normalize_plane, &job);
}
