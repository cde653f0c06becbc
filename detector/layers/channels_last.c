#include "detector/layers/channels_last.h"

#include "detector/layers/integers.h"
#include "detector/layers/planes.h"
#include "detector/layers/transpose.h"

#include <string.h>

#define CHANNELS 8 /* channels and columns of a row that are turned at once on the way back */
#define COLUMNS 64

struct job {
    struct det_channels_last shape;
    const float *from, *bias;
    int relu, accumulate;
    float *to;
};

/* One row of the buffer. */
static void to_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_channels_last *s = &job->shape;
    size_t plane = (size_t)s->h * (size_t)s->w;
    int image = item / s->rows;
    int row = item % s->rows - s->top;
    float *to = job->to + (size_t)item * (size_t)(s->columns * s->c);
    if (row < 0 || row >= s->h) {
        memset(to, 0, (size_t)(s->columns * s->c) * sizeof *to);
        return;
    }
    int right = s->left + s->w;
    memset(to, 0, (size_t)(s->left * s->c) * sizeof *to);
    memset(to + right * s->c, 0, (size_t)((s->columns - right) * s->c) * sizeof *to);
    det_transpose(s->c, s->w, job->from + (size_t)image * (size_t)s->of * plane + row * s->w, plane,
                  to + s->left * s->c, (size_t)s->c);
}

void det_to_channels_last(const struct det_cpu *cpu, const struct det_channels_last *shape,
                          const float *x, float *to)
{
    struct job job = {.shape = *shape, .from = x, .to = to};
    det_pool_run(cpu->pool, shape->n * shape->rows, to_row, &job);
}

/* Values of one channel, side by side, to their place. */
static void store(const struct job *job, const float *from, int n, int c, float *to)
{
    float bias = job->bias ? job->bias[c] : 0.0f;
    if (job->accumulate)
        for (int j = 0; j < n; j++)
            to[j] += from[j];
    else
        det_bias_plane(from, bias, job->relu, (size_t)n, to);
}

/* One row of the map. */
static void from_row(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_channels_last *s = &job->shape;
    size_t plane = (size_t)s->h * (size_t)s->w;
    int image = item / s->h;
    int row = item % s->h;
    const float *from =
        job->from +
        (size_t)((image * s->rows + row + s->top) * s->columns + s->left) * (size_t)s->c;
    float *to = job->to + (size_t)image * (size_t)s->of * plane + row * s->w;
    float turned[CHANNELS * COLUMNS];
    for (int c0 = 0; c0 < s->c; c0 += CHANNELS)
        for (int j0 = 0; j0 < s->w; j0 += COLUMNS) {
            int channels = det_min_int(CHANNELS, s->c - c0);
            int columns = det_min_int(COLUMNS, s->w - j0);
            det_transpose(columns, channels, from + j0 * s->c + c0, (size_t)s->c, turned, COLUMNS);
            for (int c = 0; c < channels; c++)
                store(job, turned + c * COLUMNS, columns, c0 + c,
                      to + (size_t)(c0 + c) * plane + j0);
        }
}

void det_from_channels_last(const struct det_cpu *cpu, const struct det_channels_last *shape,
                            const float *from, const float *bias, int relu, int accumulate,
                            float *y)
{
    struct job job = {*shape, from, bias, relu, accumulate, y};
    det_pool_run(cpu->pool, shape->n * shape->h, from_row, &job);
}
