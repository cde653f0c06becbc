#include "detector/layers/upsample.h"

#include "detector/backend/cpu.h"
#include "detector/base/vector_targets.h"
#include "detector/bodies/nearest.h"
#include "detector/layers/integers.h"

#include <string.h>

struct upsample_job {
    struct det_upsample shape;
    const float *from;
    float *to;
    int accumulate;
};

#define COLUMNS 256 /* whose sources are looked up at once */

/* Sources of the columns [first, end), to be used for every row. */
static void look_up(const struct det_upsample *s, int first, int end, int *source)
{
    for (int j = first; j < end; j++)
        source[j - first] = det_nearest_source(j, s->w_in, s->w_out);
}

/* The usual case, a row of twice the width, in loops that the compiler can turn into vectors. */
static inline void double_row(const float *from, int n, float *to)
{
    for (int j = 0; j < n; j++) {
        to[2 * j] = from[j];
        to[2 * j + 1] = from[j];
    }
}

static inline void add_pairs(const float *from, int n, float *to)
{
    for (int j = 0; j < n; j++)
        to[j] = to[j] + from[2 * j] + from[2 * j + 1];
}

DET_VECTOR_TARGETS static void forward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct upsample_job *job = arg;
    const struct det_upsample *s = &job->shape;
    const float *x = job->from + (size_t)item * (size_t)(s->h_in * s->w_in);
    float *y = job->to + (size_t)item * (size_t)(s->h_out * s->w_out);
    int source[COLUMNS];
    for (int first = 0; first < s->w_out; first += COLUMNS) {
        int columns = det_min_int(COLUMNS, s->w_out - first);
        look_up(s, first, first + columns, source);
        for (int i = 0; i < s->h_out; i++) {
            const float *from = x + det_nearest_source(i, s->h_in, s->h_out) * s->w_in;
            float *to = y + i * s->w_out + first;
            if (s->w_out == 2 * s->w_in)
                double_row(from + first / 2, columns / 2, to);
            else
                for (int j = 0; j < columns; j++)
                    to[j] = from[source[j]];
        }
    }
}

void det_upsample_forward(struct det_device *dev, const struct det_upsample *shape, const float *x,
                          float *y)
{
    struct upsample_job job = {*shape, x, y, 0};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, forward_plane, &job);
}

DET_VECTOR_TARGETS static void backward_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct upsample_job *job = arg;
    const struct det_upsample *s = &job->shape;
    const float *dy = job->from + (size_t)item * (size_t)(s->h_out * s->w_out);
    float *dx = job->to + (size_t)item * (size_t)(s->h_in * s->w_in);
    if (!job->accumulate)
        memset(dx, 0, (size_t)(s->h_in * s->w_in) * sizeof *dx);
    int source[COLUMNS];
    for (int first = 0; first < s->w_out; first += COLUMNS) {
        int columns = det_min_int(COLUMNS, s->w_out - first);
        look_up(s, first, first + columns, source);
        for (int i = 0; i < s->h_out; i++) {
            const float *from = dy + i * s->w_out + first;
            float *to = dx + det_nearest_source(i, s->h_in, s->h_out) * s->w_in;
            if (s->w_out == 2 * s->w_in)
                add_pairs(from, columns / 2, to + first / 2);
            else
                for (int j = 0; j < columns; j++)
                    to[source[j]] += from[j];
        }
    }
}

void det_upsample_backward(struct det_device *dev, const struct det_upsample *shape,
                           const float *dy, float *dx, int accumulate)
{
    struct upsample_job job = {*shape, dy, dx, accumulate};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, backward_plane, &job);
}
