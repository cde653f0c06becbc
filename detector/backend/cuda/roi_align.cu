/* RoIAlign: taps of both axes of every RoI are listed first; an output cell then is a weighted sum,
 * and a map cell's gradient is gathered from the RoIs that touch it, in ascending order. */
#include "detector/backend/cuda/block_scan.h"
#include "detector/backend/cuda/launch.cuh"
#include "detector/bodies/roi_axis.h"

/* One axis of all RoIs. */
struct axes {
    int capacity;             /* taps reserved for each output cell */
    int32_t *count;           /* [rois, size] */
    struct det_roi_tap *taps; /* [rois, size, capacity] */
    int32_t *span;            /* [rois, 2]: map cells that any tap touches, [first, end) */
};

struct lists {
    struct det_roi_align s;
    const float *boxes;
    const int32_t *image, *level;
    struct axes rows, columns;
};

static int capacity_of(const struct det_roi_align *s, const int *sizes)
{
    int most = 0;
    for (int l = 0; l < s->n_levels; l++)
        most = sizes[l] > most ? sizes[l] : most;
    return s->sampling_ratio > 0 ? 2 * s->sampling_ratio : most;
}

static void cut_axis(struct det_cut *cut, const struct det_roi_align *s, struct axes *a)
{
    size_t cells = (size_t)s->max_rois * (size_t)s->output_size;
    a->count = (int32_t *)det_cut_take(cut, cells * sizeof *a->count);
    a->taps = (struct det_roi_tap *)det_cut_take(cut, cells * (size_t)a->capacity *
                                                           sizeof *a->taps);
    a->span = (int32_t *)det_cut_take(cut, (size_t)s->max_rois * 2 * sizeof *a->span);
}

static size_t layout(struct lists *l, void *block)
{
    struct det_cut cut = {(unsigned char *)block, 0};
    cut_axis(&cut, &l->s, &l->rows);
    cut_axis(&cut, &l->s, &l->columns);
    return cut.used;
}

static __host__ __device__ inline int level_of(const struct lists *l, size_t roi)
{
    return l->level ? l->level[roi] : 0;
}

/* The lists of one axis of a RoI. */
static __device__ inline void fill_axis(const struct axes *a, const struct det_roi_align *s,
                                        size_t roi, float scale, int size, float low, float high)
{
    struct det_roi_side side =
        det_roi_side(low, high, scale, s->output_size, s->sampling_ratio, s->aligned);
    int first = size;
    int end = 0;
    for (int c = 0; c < s->output_size; c++) {
        size_t cell = roi * (size_t)s->output_size + (size_t)c;
        struct det_roi_tap *taps = a->taps + cell * (size_t)a->capacity;
        int count = det_roi_cell_taps(&side, c, size, taps);
        a->count[cell] = count;
        for (int t = 0; t < count; t++) {
            first = taps[t].at < first ? taps[t].at : first;
            end = taps[t].at >= end ? taps[t].at + 1 : end;
        }
    }
    a->span[2 * roi] = first;
    a->span[2 * roi + 1] = end;
}

static struct lists make_lists(struct det_cuda *cuda, const char *op,
                               const struct det_roi_align *shape, const float *boxes,
                               const int32_t *image, const int32_t *level)
{
    struct lists l = {*shape, boxes, image, level, {}, {}};
    l.rows.capacity = capacity_of(shape, shape->h);
    l.columns.capacity = capacity_of(shape, shape->w);
    layout(&l, det_cuda_scratch(cuda, op, layout(&l, NULL)));
    det_cuda_each(cuda, op, 2 * (size_t)shape->max_rois, [=] __device__(size_t i) {
        size_t roi = i / 2;
        int columns = (int)(i % 2);
        if (roi >= (size_t)det_live_rows(l.s.count, l.s.max_rois))
            return;
        int level_index = level_of(&l, roi);
        const float *box = l.boxes + 4 * roi;
        if (columns)
            fill_axis(&l.columns, &l.s, roi, l.s.scale[level_index], l.s.w[level_index], box[0],
                      box[2]);
        else
            fill_axis(&l.rows, &l.s, roi, l.s.scale[level_index], l.s.h[level_index], box[1],
                      box[3]);
    });
    return l;
}

struct maps {
    const float *of[DET_MAX_LEVELS];
};

/* Output cell (i, j) of a RoI from a map of `width` columns: rows first, as on the CPU. */
static __device__ inline float pool_cell(const struct lists *l, size_t roi, int i, int j,
                                         const float *map, int width)
{
    size_t row_cell = roi * (size_t)l->s.output_size + (size_t)i;
    size_t column_cell = roi * (size_t)l->s.output_size + (size_t)j;
    const struct det_roi_tap *rows = l->rows.taps + row_cell * (size_t)l->rows.capacity;
    const struct det_roi_tap *columns =
        l->columns.taps + column_cell * (size_t)l->columns.capacity;
    int n_rows = l->rows.count[row_cell];
    float sum = 0.0f;
    for (int c = 0; c < l->columns.count[column_cell] && n_rows > 0; c++) {
        const float *from = map + columns[c].at;
        float line = rows[0].weight * from[(size_t)rows[0].at * (size_t)width];
        for (int r = 1; r < n_rows; r++)
            line += rows[r].weight * from[(size_t)rows[r].at * (size_t)width];
        sum += columns[c].weight * line;
    }
    return sum;
}

void det_cuda_roi_align_forward(struct det_device *dev, const struct det_roi_align *shape,
                                const float *const x[], const float *boxes, const int32_t *image,
                                const int32_t *level, float *y)
{
    struct det_cuda *cuda = det_cuda_of(dev);
    struct lists l = make_lists(cuda, "roi_align_forward", shape, boxes, image, level);
    struct maps maps = {};
    size_t cells = (size_t)shape->output_size * (size_t)shape->output_size;
    size_t row = (size_t)shape->channels * cells;
    for (int i = 0; i < shape->n_levels; i++)
        maps.of[i] = x[i];
    size_t n = (size_t)shape->max_rois * row;
    det_cuda_each(cuda, "roi_align_forward", n, [=] __device__(size_t i) {
        size_t roi = i / row;
        if (roi >= (size_t)det_live_rows(l.s.count, l.s.max_rois))
            return;
        int k = level_of(&l, roi);
        size_t plane = (size_t)l.s.h[k] * (size_t)l.s.w[k];
        size_t channel = (size_t)l.image[roi] * (size_t)l.s.channels + i / cells % (size_t)l.s.channels;
        int cell = (int)(i % cells);
        y[i] = pool_cell(&l, roi, cell / l.s.output_size, cell % l.s.output_size,
                         maps.of[k] + channel * plane, l.s.w[k]);
    });
}

/* The weight with which output cell `cell` reads map cell `at` of an axis. */
DET_BLOCK_BODY float tap_weight(const struct axes *a, size_t cell, int at)
{
    const struct det_roi_tap *taps = a->taps + cell * (size_t)a->capacity;
    float weight = 0.0f;
    for (int t = 0; t < a->count[cell]; t++)
        weight += taps[t].at == at ? taps[t].weight : 0.0f;
    return weight;
}

#define SIDE 16     /* of the tile of map cells that a block owns: SIDE * SIDE == DET_NARROW */
#define TOGETHER 8  /* channels of a block: tap weights are looked up once for all of them */
#define ROUND 2048  /* RoIs looked at together */

struct gather_args {
    struct lists l;
    const float *dy;
    float *dx;
    int level, across, down, groups; /* tiles of a map; groups of channels */
};

struct gather_shared {
    int32_t rois[ROUND]; /* those that touch the tile, ascending */
    int32_t counts[DET_NARROW], spare[DET_NARROW];
};

struct place { /* what a block works on */
    int row, column, channel, image; /* the tile's first cell; the first channel */
};

DET_BLOCK_BODY struct place place_of(const struct det_block *b, const struct gather_args *a)
{
    int tile = b->index / a->groups;
    struct place p;
    p.channel = b->index % a->groups * TOGETHER;
    p.column = tile % a->across * SIDE;
    p.row = tile / a->across % a->down * SIDE;
    p.image = tile / (a->across * a->down);
    return p;
}

DET_BLOCK_BODY int touches(const struct gather_args *a, const struct place *p, int roi)
{
    const struct lists *l = &a->l;
    if (roi >= det_live_rows(l->s.count, l->s.max_rois) || l->image[roi] != p->image ||
        level_of(l, (size_t)roi) != a->level)
        return 0;
    const int32_t *rows = l->rows.span + 2 * (size_t)roi;
    const int32_t *columns = l->columns.span + 2 * (size_t)roi;
    return rows[0] < p->row + SIDE && rows[1] > p->row && columns[0] < p->column + SIDE &&
           columns[1] > p->column;
}

/* s->rois: those of a round that touch the tile, in order; returns how many. */
DET_BLOCK_BODY int list_rois(const struct det_block *b, const struct gather_args *a,
                             const struct place *p, int first, struct gather_shared *s)
{
    int share = ROUND / b->threads;
    DET_EACH_THREAD(b, t) {
        int n = 0;
        for (int i = 0; i < share; i++)
            n += touches(a, p, first + t * share + i);
        s->counts[t] = n;
    }
    int n = det_block_scan(b, s->counts, s->spare);
    DET_EACH_THREAD(b, t) {
        int to = s->counts[t];
        for (int i = 0; i < share; i++)
            if (touches(a, p, first + t * share + i))
                s->rois[to++] = first + t * share + i;
    }
    return n;
}

/* sum[TOGETHER] += what one RoI adds to map cell (row, column) of the place's channels. */
DET_BLOCK_BODY void add_roi(const struct gather_args *a, const struct place *p, int roi, int row,
                            int column, float *sum)
{
    const struct lists *l = &a->l;
    int size = l->s.output_size;
    size_t cells = (size_t)size * (size_t)size;
    size_t first = (size_t)roi * (size_t)size;
    const float *dy = a->dy + ((size_t)roi * (size_t)l->s.channels + (size_t)p->channel) * cells;
    for (int i = 0; i < size; i++) {
        float down = tap_weight(&l->rows, first + (size_t)i, row);
        for (int j = 0; j < size && down != 0.0f; j++) {
            float weight = down * tap_weight(&l->columns, first + (size_t)j, column);
            for (int c = 0; c < TOGETHER && weight != 0.0f; c++)
                if (p->channel + c < l->s.channels)
                    sum[c] += weight * dy[(size_t)c * cells + (size_t)(i * size + j)];
        }
    }
}

DET_BLOCK_BODY void add_rois(const struct gather_args *a, const struct place *p, int t, int n,
                             const struct gather_shared *s)
{
    const struct det_roi_align *shape = &a->l.s;
    int row = p->row + t / SIDE;
    int column = p->column + t % SIDE;
    int width = shape->w[a->level];
    size_t plane = (size_t)shape->h[a->level] * (size_t)width;
    float sum[TOGETHER] = {0.0f};
    if (row >= shape->h[a->level] || column >= width)
        return;
    for (int i = 0; i < n; i++)
        add_roi(a, p, s->rois[i], row, column, sum);
    size_t channel = (size_t)p->image * (size_t)shape->channels + (size_t)p->channel;
    float *to = a->dx + channel * plane + (size_t)(row * width + column);
    for (int c = 0; c < TOGETHER && p->channel + c < shape->channels; c++)
        to[(size_t)c * plane] += sum[c];
}

/* One block a tile of a map of an image, and a group of channels. */
DET_BLOCK_BODY void gather_rois(const struct det_block *b, const struct gather_args *a,
                                struct gather_shared *s)
{
    struct place p = place_of(b, a);
    for (int first = 0; first < a->l.s.max_rois; first += ROUND) {
        int n = list_rois(b, a, &p, first, s);
        DET_EACH_THREAD(b, t)
            if (n > 0)
                add_rois(a, &p, t, n, s);
    }
}

DET_KERNEL(gather_rois, struct gather_args, struct gather_shared, DET_NARROW)

void det_cuda_roi_align_backward(struct det_device *dev, const struct det_roi_align *shape,
                                 const float *dy, const float *boxes, const int32_t *image,
                                 const int32_t *level, float *const dx[])
{
    struct gather_args a = {make_lists(det_cuda_of(dev), "roi_align_backward", shape, boxes, image,
                                       level),
                            dy, NULL, 0, 0, 0, 0};
    a.groups = det_blocks_of(shape->channels, TOGETHER);
    for (a.level = 0; a.level < shape->n_levels; a.level++) {
        a.dx = dx[a.level];
        a.across = det_blocks_of(shape->w[a.level], SIDE);
        a.down = det_blocks_of(shape->h[a.level], SIDE);
        if (a.dx)
            DET_RUN(dev, gather_rois, shape->n_images * a.across * a.down * a.groups, &a);
    }
}
