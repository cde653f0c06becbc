#include "detector/layers/conv2d_sparse.h"

#include "detector/backend/gemm.h"
#include "detector/base/arena.h"
#include "detector/base/vector_targets.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/integers.h"

#include <string.h>

#define SPARSE 4    /* at most one position in so many */
#define CHANNELS 16 /* input channels that one item owns */

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    int live;           /* images */
    int most;           /* positions listed for an image, at most */
    int32_t *count;     /* [live] positions of each image; -1: too many */
    int32_t *positions; /* [live, most] ascending */
    int32_t *first;     /* [live + 1] of each image's columns */
    float *columns;     /* [c_out, first[live]] dy at the positions */
    const float *x, *w, *dy;
    float *dx, *dw;
    int accumulate;
};

static int most_positions(const struct det_conv2d *s)
{
    return s->h_out * s->w_out / SPARSE;
}

static size_t list_bytes(const struct det_conv2d *s)
{
    size_t integers = (size_t)s->n * (size_t)(2 + most_positions(s)) + 1;
    return (integers * sizeof(int32_t) + DET_ALIGNMENT - 1) / DET_ALIGNMENT * DET_ALIGNMENT;
}

void det_conv2d_sparse_scratch(const struct det_conv2d *shape, size_t *per_worker, size_t *shared)
{
    size_t columns = (size_t)shape->n * (size_t)most_positions(shape);
    size_t taps = (size_t)(shape->kernel * shape->kernel);
    *per_worker = taps * columns * (sizeof(int32_t) + CHANNELS * sizeof(float));
    det_at_least(per_worker, (size_t)(shape->h_out * shape->w_out) * sizeof(uint32_t));
    *shared = list_bytes(shape) + (size_t)shape->c_out * columns * sizeof(float);
}

static inline int count_set(const uint32_t *bits, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        count += bits[i] != 0;
    return count;
}

/* List an image's positions. The channels are looked through together, and left early where
 * the first few already show too many. */
DET_VECTOR_TARGETS static void list_image(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int plane = s->h_out * s->w_out;
    const float *dy = job->dy + (size_t)item * (size_t)s->c_out * (size_t)plane;
    uint32_t *bits = det_cpu_scratch(job->cpu, worker);
    memset(bits, 0, (size_t)plane * sizeof *bits);
    for (int c = 0; c < s->c_out; c++, dy += plane) {
        for (int p = 0; p < plane; p++) {
            uint32_t value;
            memcpy(&value, &dy[p], sizeof value);
            bits[p] |= value << 1; /* without the sign: -0 is 0 */
        }
        int look = (c & (c + 1)) == 0 || c == s->c_out - 1;
        if (look && count_set(bits, plane) > job->most) {
            job->count[item] = -1;
            return;
        }
    }
    int32_t *list = job->positions + (size_t)item * (size_t)job->most;
    int count = 0;
    for (int p = 0; p < plane; p++)
        if (bits[p])
            list[count++] = p;
    job->count[item] = count;
}

/* Find all positions; 0 where an image has too many. */
static int list_positions(struct job *job)
{
    if (job->most == 0)
        return 0;
    det_pool_run(job->cpu->pool, job->live, list_image, job);
    job->first[0] = 0;
    for (int i = 0; i < job->live; i++) {
        if (job->count[i] < 0)
            return 0;
        job->first[i + 1] = job->first[i] + job->count[i];
    }
    return 1;
}

/* An output channel's row of columns. */
static void collect_channel(void *arg, int item, int worker)
{
    (void)worker;
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    size_t plane = (size_t)(s->h_out * s->w_out);
    float *to = job->columns + (size_t)item * (size_t)job->first[job->live];
    for (int i = 0; i < job->live; i++) {
        const float *dy = job->dy + ((size_t)i * (size_t)s->c_out + (size_t)item) * plane;
        const int32_t *list = job->positions + (size_t)i * (size_t)job->most;
        for (int k = 0; k < job->count[i]; k++)
            *to++ = dy[list[k]];
    }
}

/* Where the taps of an image's windows lie on the input: at [taps, count], -1 off it. */
static void look_up(const struct job *job, int image, int32_t *at)
{
    const struct det_conv2d *s = &job->shape;
    const int32_t *list = job->positions + (size_t)image * (size_t)job->most;
    int count = job->count[image];
    for (int k = 0; k < count; k++) {
        int top = list[k] / s->w_out * s->stride - s->pad;
        int left = list[k] % s->w_out * s->stride - s->pad;
        for (int t = 0; t < s->kernel * s->kernel; t++) {
            int h = top + t / s->kernel;
            int w = left + t % s->kernel;
            int inside = h >= 0 && h < s->h_in && w >= 0 && w < s->w_in;
            at[t * count + k] = inside ? h * s->w_in + w : -1;
        }
    }
}

/* A slice of an image's input channels: w^T columns, added onto the positions' windows. */
static void scatter_slice(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int slices = det_ceil_div(s->c_in, CHANNELS);
    int image = item / slices;
    int first = item % slices * CHANNELS;
    int channels = det_min_int(CHANNELS, s->c_in - first);
    int taps = s->kernel * s->kernel;
    int count = job->count[image];
    int total = job->first[job->live];
    size_t plane = (size_t)(s->h_in * s->w_in);
    float *dx = job->dx + ((size_t)image * (size_t)s->c_in + (size_t)first) * plane;
    if (!job->accumulate)
        memset(dx, 0, (size_t)channels * plane * sizeof *dx);
    if (count == 0)
        return;
    int32_t *at = det_cpu_scratch(job->cpu, worker);
    float *windows = (float *)(at + taps * count);
    look_up(job, image, at);
    det_gemm(DET_TRANSPOSE, DET_NO_TRANSPOSE, channels * taps, count, s->c_out, 1.0f,
             job->w + first * taps, det_conv2d_window(s), job->columns + job->first[image], total,
             0.0f, windows, count);
    for (int c = 0; c < channels; c++, dx += plane, windows += taps * count)
        for (int i = 0; i < taps * count; i++)
            if (at[i] >= 0)
                dx[at[i]] += windows[i];
}

/* An image's windows of some channels from x on: to [channels * taps, ld]. */
static void collect_windows(const struct job *job, int image, const float *x, int channels,
                            const int32_t *at, float *to, int ld)
{
    const struct det_conv2d *s = &job->shape;
    int count = job->count[image];
    int taps = s->kernel * s->kernel;
    for (int c = 0; c < channels; c++, x += s->h_in * s->w_in)
        for (int t = 0; t < taps; t++, to += ld)
            for (int k = 0; k < count; k++)
                to[k] = at[t * count + k] >= 0 ? x[at[t * count + k]] : 0.0f;
}

/* A slice's part of dw: columns times the transpose of the positions' windows. */
static void weight_slice(void *arg, int item, int worker)
{
    const struct job *job = arg;
    const struct det_conv2d *s = &job->shape;
    int first = item * CHANNELS;
    int channels = det_min_int(CHANNELS, s->c_in - first);
    int taps = s->kernel * s->kernel;
    int total = job->first[job->live];
    size_t plane = (size_t)(s->h_in * s->w_in);
    int32_t *at = det_cpu_scratch(job->cpu, worker);
    float *windows = (float *)(at + taps * total);
    for (int i = 0; i < job->live; i++) {
        look_up(job, i, at);
        collect_windows(job, i, job->x + ((size_t)i * (size_t)s->c_in + (size_t)first) * plane,
                        channels, at, windows + job->first[i], total);
    }
    det_gemm(DET_NO_TRANSPOSE, DET_TRANSPOSE, s->c_out, channels * taps, total, 1.0f, job->columns,
             total, windows, total, 1.0f, job->dw + first * taps, det_conv2d_window(s));
}

int det_conv2d_sparse_gradient(const struct det_cpu *cpu, const struct det_conv2d *shape,
                               const float *x, const float *w, const float *dy, float *dx,
                               int accumulate, float *dw)
{
    int live = det_live(shape->count, shape->n);
    int slices = det_ceil_div(shape->c_in, CHANNELS);
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .live = live,
                      .most = most_positions(shape),
                      .x = x,
                      .w = w,
                      .dy = dy,
                      .dx = dx,
                      .dw = dw,
                      .accumulate = accumulate};
    job.count = (int32_t *)cpu->shared;
    job.first = job.count + shape->n;
    job.positions = job.first + shape->n + 1;
    job.columns = (float *)(cpu->shared + list_bytes(shape));
    if (!list_positions(&job))
        return 0;
    det_pool_run(cpu->pool, shape->c_out, collect_channel, &job);
    if (dx)
        det_pool_run(cpu->pool, live * slices, scatter_slice, &job);
    if (dw && job.first[live] > 0)
        det_pool_run(cpu->pool, slices, weight_slice, &job);
    return 1;
}
