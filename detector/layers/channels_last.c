#include "detector/layers/channels_last.h"

#include "detector/bodies/affine.h"
#include "detector/layers/integers.h"

#include <string.h>

#define CHANNELS 8 /* moved at once: more planes at a power-of-two distance would fight for one cache
                      set */

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
    to += s->left * s->c;
    const float *from = job->from + (size_t)image * (size_t)s->of * plane + (size_t)(row * s->w);
    for (int c0 = 0; c0 < s->c; c0 += CHANNELS, from += CHANNELS * plane) {
        int channels = det_min_int(CHANNELS, s->c - c0);
        for (int j = 0; j < s->w; j++)
            for (int c = 0; c < channels; c++)
                to[j * s->c + c0 + c] = from[(size_t)c * plane + (size_t)j];
    }
}

void det_to_channels_last(const struct det_cpu *cpu, const struct det_channels_last *shape,
                          const float *x, float *to)
{
    struct job job = {.shape = *shape, .from = x, .to = to};
    det_pool_run(cpu->pool, shape->n * shape->rows, to_row, &job);
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
    const float *from = job->from + (size_t)((image * s->rows + row + s->top) * s->columns +
                                             s->left) * (size_t)s->c;
    float *to = job->to + (size_t)image * (size_t)s->of * plane + (size_t)(row * s->w);
    for (int c0 = 0; c0 < s->c; c0 += CHANNELS, to += CHANNELS * plane) {
        int channels = det_min_int(CHANNELS, s->c - c0);
        float bias[CHANNELS] = {0};
        for (int c = 0; job->bias && c < channels; c++)
            bias[c] = job->bias[c0 + c];
        for (int j = 0; j < s->w; j++)
            for (int c = 0; c < channels; c++) {
                float *y = to + (size_t)c * plane + (size_t)j;
                float value = from[j * s->c + c0 + c];
                *y = job->accumulate ? *y + value : det_affine(value, 1.0f, bias[c], job->relu);
            }
    }
}

void det_from_channels_last(const struct det_cpu *cpu, const struct det_channels_last *shape,
                            const float *from, const float *bias, int relu, int accumulate,
                            float *y)
{
    struct job job = {*shape, from, bias, relu, accumulate, y};
    det_pool_run(cpu->pool, shape->n * shape->h, from_row, &job);
}
