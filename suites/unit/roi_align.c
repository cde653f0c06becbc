/* RoIAlign: against torchvision's definition written out cell by cell in double, and properties. */
#include "suites/layers.h"

#define MAX_ROIS 12

struct roi_case {
    const char *name;
    int levels, images, channels, h, w; /* level l has sides h >> l, w >> l and scale 1/4 >> l */
    int size, ratio, aligned;
};

static const struct roi_case cases[] = {
    {"7 cells, ratio 2, not aligned", 1, 2, 3, 14, 17, 7, 2, 0},
    {"7 cells, ratio 2, aligned", 1, 2, 3, 10, 11, 7, 2, 1},
    {"3 cells, adaptive, not aligned", 1, 2, 3, 14, 17, 3, 0, 0},
    {"3 cells, adaptive, aligned", 1, 2, 3, 14, 17, 3, 0, 1},
    {"14 cells, levels, channels of several parts", 3, 2, 70, 24, 20, 14, 2, 0},
    {"2 cells, levels, channels of several passes", 2, 3, 150, 8, 12, 2, 2, 1},
    {"1 cell, ratio 3", 1, 1, 2, 1, 1, 1, 3, 0},
};
#define N_CASES (sizeof cases / sizeof *cases)

/* In a canvas of 4 w x 4 h pixels, as shares of its sides: inside, whole, off each edge, of size
 * zero, inside out, far away, tiny, fractional. */
static const float shares[MAX_ROIS][4] = {
    {0.1f, 0.2f, 0.6f, 0.9f},   {0.0f, 0.0f, 1.0f, 1.0f},     {-0.3f, -0.2f, 0.4f, 0.3f},
    {0.7f, 0.8f, 1.4f, 1.3f},   {0.5f, 0.5f, 0.5f, 0.5f},     {0.6f, 0.7f, 0.3f, 0.2f},
    {3.0f, 3.0f, 4.0f, 4.0f},   {0.31f, 0.42f, 0.32f, 0.43f}, {0.123f, 0.456f, 0.789f, 0.654f},
    {0.9f, 0.1f, 0.95f, 0.98f}, {-2.0f, -2.0f, 3.0f, 3.0f},   {0.25f, 0.25f, 0.75f, 0.75f},
};

struct roi {
    const char *name;
    struct det_roi_align shape;
    size_t nx[DET_MAX_LEVELS], ny;
    float *x[DET_MAX_LEVELS], *dy;
    float boxes[MAX_ROIS][4];
    int32_t image[MAX_ROIS], level[MAX_ROIS];
};

static struct roi make(const struct roi_case *c)
{
    struct roi k = {.name = c->name};
    struct det_roi_align *s = &k.shape;
    *s = (struct det_roi_align){.n_levels = c->levels,
                                .n_images = c->images,
                                .channels = c->channels,
                                .output_size = c->size,
                                .sampling_ratio = c->ratio,
                                .aligned = c->aligned,
                                .max_rois = MAX_ROIS};
    for (int l = 0; l < c->levels; l++) {
        s->h[l] = c->h >> l;
        s->w[l] = c->w >> l;
        s->scale[l] = 0.25f / (float)(1 << l);
        k.nx[l] = (size_t)(c->images * c->channels * s->h[l] * s->w[l]);
        k.x[l] = uniform(k.nx[l], 10 + (uint32_t)l);
    }
    k.ny = (size_t)(MAX_ROIS * c->channels * c->size * c->size);
    k.dy = uniform(k.ny, 2);
    for (int r = 0; r < MAX_ROIS; r++) {
        for (int i = 0; i < 4; i++)
            k.boxes[r][i] = shares[r][i] * 4.0f * (float)(i % 2 ? c->h : c->w);
        k.image[r] = (r * 7) % c->images;
        k.level[r] = r % c->levels;
    }
    return k;
}

static void destroy(struct roi *k)
{
    for (int l = 0; l < k->shape.n_levels; l++)
        free(k->x[l]);
    free(k->dy);
}

static struct scratch scratch_of(const struct roi *k)
{
    struct scratch scratch;
    det_roi_align_scratch(&k->shape, &scratch.per_worker, &scratch.shared);
    return scratch;
}

static void forward(struct det_device *dev, const struct roi *k, float *y)
{
    dev->ops->roi_align_forward(dev, &k->shape, (const float *const *)k->x, &k->boxes[0][0],
                                k->image, k->level, y);
}

static void backward(struct det_device *dev, const struct roi *k, float *const dx[])
{
    dev->ops->roi_align_backward(dev, &k->shape, k->dy, &k->boxes[0][0], k->image, k->level, dx);
}

static struct results pass(struct det_device *dev, const void *layer)
{
    const struct roi *k = layer;
    struct results r = {0};
    float *dx[DET_MAX_LEVELS] = {0};
    keep(&r, "y", filled(k->ny, SENTINEL), k->ny);
    for (int l = 0; l < k->shape.n_levels; l++) {
        dx[l] = filled(k->nx[l], 0.0f);
        keep(&r, "dx", dx[l], k->nx[l]);
    }
    forward(dev, k, r.of[0].values);
    backward(dev, k, dx);
    return r;
}

/* ---- torchvision's definition, one sample at a time, in double ----------------------------------
 */

struct side { /* one side of a RoI */
    double start, cell;
    int samples;
};

static struct side side_of(const struct det_roi_align *s, double scale, double low, double high)
{
    double shift = s->aligned ? 0.5 : 0.0;
    double length = (high * scale - shift) - (low * scale - shift);
    if (!s->aligned && length < 1.0)
        length = 1.0;
    double cell = length / s->output_size;
    return (struct side){low * scale - shift, cell,
                         s->sampling_ratio > 0 ? s->sampling_ratio : (int)ceil(cell)};
}

/* to(arg, weight, cell of the map) for the four neighbours of a sample. */
typedef void neighbour_visitor(void *arg, double weight, int cell);

static void visit_sample(double y, double x, int h, int w, neighbour_visitor *to, void *arg)
{
    if (y < -1.0 || y > h || x < -1.0 || x > w)
        return;
    y = fmin(fmax(y, 0.0), h - 1.0);
    x = fmin(fmax(x, 0.0), w - 1.0);
    int y0 = (int)y, x0 = (int)x;
    int y1 = y0 + 1 < h ? y0 + 1 : y0, x1 = x0 + 1 < w ? x0 + 1 : x0;
    to(arg, (1.0 - (y - y0)) * (1.0 - (x - x0)), y0 * w + x0);
    to(arg, (1.0 - (y - y0)) * (x - x0), y0 * w + x1);
    to(arg, (y - y0) * (1.0 - (x - x0)), y1 * w + x0);
    to(arg, (y - y0) * (x - x0), y1 * w + x1);
}

struct cell_sum { /* one output cell of one channel */
    const float *x;
    double y, dy;
    double *dx;
    double count;
};

static void add_neighbour(void *arg, double weight, int cell)
{
    struct cell_sum *sum = arg;
    sum->y += weight * (double)sum->x[cell] / sum->count;
    sum->dx[cell] += weight * sum->dy / sum->count;
}

static void reference_cell(const struct roi *k, int r, int cell, struct cell_sum *sum)
{
    const struct det_roi_align *s = &k->shape;
    int l = k->level[r];
    const float *box = k->boxes[r];
    struct side down = side_of(s, (double)s->scale[l], (double)box[1], (double)box[3]);
    struct side across = side_of(s, (double)s->scale[l], (double)box[0], (double)box[2]);
    sum->count = fmax(1.0, (double)down.samples * across.samples);
    for (int i = 0; i < down.samples; i++)
        for (int j = 0; j < across.samples; j++)
            visit_sample(down.start + cell / s->output_size * down.cell +
                             (i + 0.5) * down.cell / down.samples,
                         across.start + cell % s->output_size * across.cell +
                             (j + 0.5) * across.cell / across.samples,
                         s->h[l], s->w[l], add_neighbour, sum);
}

static void compute_reference(const struct roi *k, double *y, double *const dx[])
{
    const struct det_roi_align *s = &k->shape;
    int cells = s->output_size * s->output_size;
    for (int r = 0; r < MAX_ROIS; r++)
        for (int c = 0; c < s->channels; c++)
            for (int cell = 0; cell < cells; cell++) {
                size_t out = (size_t)((r * s->channels + c) * cells + cell);
                int l = k->level[r];
                size_t map = (size_t)((k->image[r] * s->channels + c) * s->h[l] * s->w[l]);
                struct cell_sum sum = {
                    .x = k->x[l] + map, .dy = (double)k->dy[out], .dx = dx[l] + map};
                reference_cell(k, r, cell, &sum);
                y[out] = sum.y;
            }
}

/* Positions are computed in float, of up to some 100 cells: 1e-5 of a cell; the data changes by up
 * to 2 from cell to cell. */
#define TOLERANCE 5e-5

Test(roi_align, is_torchvisions_definition)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct roi k = make(&cases[i]);
        double *y = calloc(k.ny, sizeof *y);
        double *dx[DET_MAX_LEVELS] = {0};
        for (int l = 0; l < k.shape.n_levels; l++)
            dx[l] = calloc(k.nx[l], sizeof *dx[l]);
        compute_reference(&k, y, dx);
        struct det_device *dev = open_device(2, scratch_of(&k));
        struct results got = pass(dev, &k);
        expect_near(k.name, "y", got.of[0].values, y, k.ny, TOLERANCE);
        for (int l = 0; l < k.shape.n_levels; l++) {
            expect_near(k.name, "dx", got.of[1 + l].values, dx[l], k.nx[l], TOLERANCE);
            free(dx[l]);
        }
        free(y);
        drop(&got);
        close_device(dev);
        destroy(&k);
    }
}

Test(roi_align, same_bits_for_any_number_of_threads)
{
    for (size_t i = 0; i < N_CASES; i++) {
        struct roi k = make(&cases[i]);
        expect_threads_agree(k.name, pass, &k, scratch_of(&k));
        destroy(&k);
    }
}

/* A RoI whose cells are the map's cells, aligned and sampled once: the map itself. */
Test(roi_align, identity)
{
    struct det_roi_align shape = {.n_levels = 1,
                                  .n_images = 1,
                                  .channels = 5,
                                  .h = {6},
                                  .w = {6},
                                  .scale = {0.25f},
                                  .output_size = 6,
                                  .sampling_ratio = 1,
                                  .aligned = 1,
                                  .max_rois = 1};
    struct scratch scratch;
    det_roi_align_scratch(&shape, &scratch.per_worker, &scratch.shared);
    struct det_device *dev = open_device(1, scratch);
    float *x = uniform(180, 1);
    float *y = filled(180, SENTINEL);
    const int32_t zero = 0;
    det_roi_align_forward(dev, &shape, (const float *const[]){x}, (float[]){0, 0, 24, 24}, &zero,
                          NULL, y);
    expect_same_bits("identity", "y", y, x, 180);
    free(x);
    free(y);
    close_device(dev);
}

/* Mirroring the maps and the boxes mirrors the cells (aligned: cell centres are symmetric). */
Test(roi_align, flip_equivariance)
{
    struct roi k = make(&cases[1]);
    const struct det_roi_align *s = &k.shape;
    struct det_device *dev = open_device(2, scratch_of(&k));
    float *y = filled(k.ny, SENTINEL);
    float *flipped = filled(k.ny, SENTINEL);
    double *want = calloc(k.ny, sizeof *want);
    forward(dev, &k, y);
    float *x = copied(k.x[0], k.nx[0]);
    for (size_t i = 0; i < k.nx[0]; i++)
        k.x[0][i] = x[i - i % (size_t)s->w[0] + (size_t)s->w[0] - 1 - i % (size_t)s->w[0]];
    for (int r = 0; r < MAX_ROIS; r++) {
        float left = k.boxes[r][0];
        k.boxes[r][0] = 4.0f * (float)s->w[0] - k.boxes[r][2];
        k.boxes[r][2] = 4.0f * (float)s->w[0] - left;
    }
    forward(dev, &k, flipped);
    size_t size = (size_t)s->output_size;
    for (size_t i = 0; i < k.ny; i++)
        want[i] = (double)y[i - i % size + size - 1 - i % size];
    expect_near("flip", "y", flipped, want, k.ny, TOLERANCE);
    free(x);
    free(y);
    free(flipped);
    free(want);
    close_device(dev);
    destroy(&k);
}

/* Every image of a large batch is found: map i is one cell that holds i. */
Test(roi_align, image_indices_are_wide)
{
    enum { IMAGES = 70000 };
    static const int32_t image[] = {0, 1, 127, 128, 255, 256, 32768, 65536, IMAGES - 1};
    enum { N = sizeof image / sizeof *image };
    struct det_roi_align shape = {.n_levels = 1, .n_images = IMAGES, .channels = 1, .h = {1},
                                  .w = {1}, .scale = {1.0f}, .output_size = 1, .sampling_ratio = 1,
                                  .max_rois = N};
    struct scratch scratch;
    det_roi_align_scratch(&shape, &scratch.per_worker, &scratch.shared);
    struct det_device *dev = open_device(1, scratch);
    float *x = filled(IMAGES, 0.0f), *dx = filled(IMAGES, 0.0f);
    float boxes[N][4], y[N], dy[N];
    for (int i = 0; i < IMAGES; i++)
        x[i] = (float)i;
    for (int r = 0; r < N; r++) {
        memcpy(boxes[r], (float[]){0, 0, 1, 1}, sizeof boxes[r]);
        dy[r] = (float)(r + 1);
    }
    det_roi_align_forward(dev, &shape, (const float *const[]){x}, boxes[0], image, NULL, y);
    det_roi_align_backward(dev, &shape, dy, boxes[0], image, NULL, (float *const[]){dx});
    for (int r = 0; r < N; r++) {
        cr_expect_eq(y[r], (float)image[r], "image %d: got %g", image[r], (double)y[r]);
        cr_expect_eq(dx[image[r]], dy[r], "image %d: gradient %g", image[r],
                     (double)dx[image[r]]);
    }
    free(x);
    free(dx);
    close_device(dev);
}

/* Backward adds: twice gives twice, onto what is there; levels that are not wanted are left out. */
Test(roi_align, backward_accumulates)
{
    struct roi k = make(&cases[4]);
    struct det_device *dev = open_device(2, scratch_of(&k));
    struct results once = pass(dev, &k);
    float *dx[DET_MAX_LEVELS] = {filled(k.nx[0], 3.0f), NULL, filled(k.nx[2], 3.0f)};
    backward(dev, &k, dx);
    backward(dev, &k, dx);
    for (int l = 0; l < 3; l += 2) {
        double *want = calloc(k.nx[l], sizeof *want);
        for (size_t i = 0; i < k.nx[l]; i++)
            want[i] = 3.0 + 2.0 * (double)once.of[1 + l].values[i];
        expect_near(k.name, "dx twice onto 3", dx[l], want, k.nx[l], 1e-6);
        free(want);
        free(dx[l]);
    }
    drop(&once);
    close_device(dev);
    destroy(&k);
}

/* RoIs from *count on are left alone, and add nothing. */
Test(roi_align, leaves_rois_beyond_the_count_alone)
{
    static const int32_t counts[] = {0, 1, 5};
    for (size_t i = 0; i < N_CASES; i++)
        for (int t = 0; t < 3; t++) {
            struct roi k = make(&cases[i]);
            int32_t live = counts[t];
            size_t live_y = k.ny / MAX_ROIS * (size_t)live;
            struct det_device *dev = open_device(2, scratch_of(&k));
            struct results all = pass(dev, &k);
            for (size_t j = live_y; j < k.ny; j++)
                k.dy[j] = NAN;
            for (int r = live; r < MAX_ROIS; r++)
                k.image[r] = k.level[r] = 1000000;
            k.shape.count = &live;
            struct results some = pass(dev, &k);
            expect_same_bits(k.name, "y", some.of[0].values, all.of[0].values, live_y);
            expect_all(k.name, "y beyond the count", some.of[0].values + live_y, SENTINEL,
                       k.ny - live_y);
            for (int l = 0; l < k.shape.n_levels; l++)
                for (size_t j = 0; j < k.nx[l]; j++)
                    cr_assert(isfinite(some.of[1 + l].values[j]), "%s: dx[%zu] is not finite",
                              k.name, j);
            drop(&all);
            drop(&some);
            close_device(dev);
            destroy(&k);
        }
}

/* A tiny RoI: not aligned its side is one cell at least; aligned it is a point's value. */
Test(roi_align, tiny_rois)
{
    struct det_roi_align shape = {.n_levels = 1,
                                  .n_images = 1,
                                  .channels = 1,
                                  .h = {1},
                                  .w = {4},
                                  .scale = {1.0f},
                                  .output_size = 1,
                                  .sampling_ratio = 2,
                                  .max_rois = 1};
    struct scratch scratch;
    det_roi_align_scratch(&shape, &scratch.per_worker, &scratch.shared);
    struct det_device *dev = open_device(1, scratch);
    const float ramp[4] = {0, 1, 2, 3};
    const float box[4] = {1.0f, 0.0f, 1.0f, 0.0f};
    const int32_t zero = 0;
    float y;
    /* from 1 to 2: samples at 1.25 and 1.75 */
    det_roi_align_forward(dev, &shape, (const float *const[]){ramp}, box, &zero, &zero, &y);
    cr_expect_eq(y, 1.5f, "not aligned: got %g, want 1.5", (double)y);
    /* all samples at 1 - 1/2 */
    shape.aligned = 1;
    det_roi_align_forward(dev, &shape, (const float *const[]){ramp}, box, &zero, &zero, &y);
    cr_expect_eq(y, 0.5f, "aligned: got %g, want 0.5", (double)y);
    /* adaptive: no samples at all */
    shape.sampling_ratio = 0;
    det_roi_align_scratch(&shape, &scratch.per_worker, &scratch.shared);
    dev->ops->reserve_scratch(dev, scratch.per_worker, scratch.shared, NULL);
    det_roi_align_forward(dev, &shape, (const float *const[]){ramp}, box, &zero, &zero, &y);
    cr_expect_eq(y, 0.0f, "aligned, adaptive: got %g, want 0", (double)y);
    close_device(dev);
}

/* Boxes that no proposal should be: no crash, no endless loop, nothing but zeros or values of x. */
Test(roi_align, absurd_boxes)
{
    static const float absurd[][4] = {{NAN, NAN, NAN, NAN},
                                      {0, 0, NAN, 8},
                                      {-1e30f, -1e30f, 1e30f, 1e30f},
                                      {0, 0, INFINITY, INFINITY},
                                      {1e9f, 1e9f, 1e9f, 1e9f}};
    for (size_t i = 0; i < N_CASES; i++) {
        struct roi k = make(&cases[i]);
        struct det_device *dev = open_device(1, scratch_of(&k));
        for (int r = 0; r < 5; r++)
            memcpy(k.boxes[r], absurd[r], sizeof absurd[r]);
        struct results got = pass(dev, &k);
        for (size_t j = 0; j < k.ny; j++)
            cr_assert(fabsf(got.of[0].values[j]) <= 1.0001f, "%s: y[%zu]: got %g", k.name, j,
                      (double)got.of[0].values[j]);
        drop(&got);
        close_device(dev);
        destroy(&k);
    }
}
