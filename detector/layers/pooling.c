#include "detector/layers/pooling.h"

#include "detector/backend/cpu.h"
#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"

#include <math.h>
#include <string.h>

#define BLOCK 32 /* windows of a row that are looked through together */
#define LANES 16

/* The compilers' own vector: loads of every other element would be put together one by one. */
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

struct forward_job {
    struct det_pool2d shape;
    const float *x;
    float *y;
    int32_t *argmax;
};

/* LANES elements of a row, each the second after the one before. */
static inline void every_other(const float *row, lanes *value)
{
    lanes left = *(const lanes *)row;
    lanes right = *(const lanes *)(row + LANES - 1);
    *value = __builtin_shufflevector(left, right, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27,
                                     29, 31);
}

/* One tap of LANES windows, `at` its column for the first of them; beside the map it is what no window
 * takes. Of a stride of 2, the usual one, those within the map and those at its left edge are put
 * together as vectors. */
static inline void tap_values(const struct det_pool2d *s, const float *row, int at, float *value)
{
    lanes *all = (lanes *)value;
    lanes none = (lanes){0} - INFINITY;
    int last = at + (LANES - 1) * s->stride;
    if (s->stride == 2 && at >= 0 && last < s->w_in) {
        every_other(row + at, all);
    } else if (s->stride == 2 && at < 0 && at >= -2 && last + 2 < s->w_in) {
        every_other(row + at + 2, all);
        *all = __builtin_shufflevector(*all, none, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                                       14);
    } else {
        for (int j = 0; j < LANES; j++, at += s->stride)
            value[j] = at >= 0 && at < s->w_in ? row[at] : -INFINITY;
    }
}

/* The largest of BLOCK windows, whose rows are [top, bottom) of the map and whose first column is
 * `left` for the first of them; and its place. The first of equals wins; NaN wins over all. */
static inline void largest(const struct det_pool2d *s, const float *x, int top, int bottom, int left,
                           float *most, int32_t *place)
{
    for (int j = 0; j < BLOCK; j++) {
        most[j] = -INFINITY;
        place[j] = top * s->w_in + det_max_int(left + j * s->stride, 0);
    }
    for (int h = top; h < bottom; h++)
        for (int tap = 0; tap < s->kernel; tap++) {
            float value[BLOCK];
            int at = h * s->w_in + left + tap;
            for (int j = 0; j < BLOCK; j += LANES)
                tap_values(s, x + h * s->w_in, left + tap + j * s->stride, value + j);
            for (int j = 0; j < BLOCK; j++) {
                int larger = value[j] > most[j] || isnan(value[j]);
                most[j] = larger ? value[j] : most[j];
                place[j] = larger ? at + j * s->stride : place[j];
            }
        }
}

DET_VECTOR_TARGETS static void pool_plane(void *arg, int item, int worker)
{
    (void)worker;
    const struct forward_job *job = arg;
    const struct det_pool2d *s = &job->shape;
    const float *x = job->x + (size_t)item * (size_t)(s->h_in * s->w_in);
    size_t out = (size_t)item * (size_t)(s->h_out * s->w_out);
    float most[BLOCK];
    int32_t place[BLOCK];
    for (int i = 0; i < s->h_out; i++, out += (size_t)s->w_out)
        for (int j = 0; j < s->w_out; j += BLOCK) {
            int top = i * s->stride - s->pad;
            size_t n = (size_t)det_min_int(BLOCK, s->w_out - j);
            largest(s, x, det_max_int(top, 0), det_min_int(top + s->kernel, s->h_in),
                    j * s->stride - s->pad, most, place);
            memcpy(job->y + out + j, most, n * sizeof *most);
            memcpy(job->argmax + out + j, place, n * sizeof *place);
        }
}

void det_max_pool2d_forward(struct det_device *dev, const struct det_pool2d *shape, const float *x,
                            float *y, int32_t *argmax)
{
    struct forward_job job = {*shape, x, y, argmax};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, pool_plane, &job);
}

struct backward_job {
    struct det_pool2d shape;
    const int32_t *argmax;
    const float *dy;
    float *dx;
    int accumulate;
};

static void pool_plane_backward(void *arg, int item, int worker)
{
    (void)worker;
    const struct backward_job *job = arg;
    size_t in = (size_t)(job->shape.h_in * job->shape.w_in);
    size_t out = (size_t)(job->shape.h_out * job->shape.w_out);
    const float *dy = job->dy + (size_t)item * out;
    const int32_t *argmax = job->argmax + (size_t)item * out;
    float *dx = job->dx + (size_t)item * in;
    if (!job->accumulate)
        memset(dx, 0, in * sizeof *dx);
    for (size_t i = 0; i < out; i++)
        dx[argmax[i]] += dy[i];
}

void det_max_pool2d_backward(struct det_device *dev, const struct det_pool2d *shape,
                             const int32_t *argmax, const float *dy, float *dx, int accumulate)
{
    struct backward_job job = {*shape, argmax, dy, dx, accumulate};
    det_pool_run(det_cpu_of(dev)->pool, shape->n * shape->c, pool_plane_backward, &job);
}
