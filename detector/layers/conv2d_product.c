#include "detector/layers/conv2d_product.h"

#include "detector/backend/gemm.h"
#include "detector/base/vector_targets.h"
#include "detector/layers/conv2d_tiles.h"
#include "detector/layers/im2col.h"
#include "detector/layers/planes.h"

struct job {
    const struct det_cpu *cpu;
    struct det_conv2d shape;
    struct det_conv2d_tiles tiles;
    int live;
    const float *x, *w, *bias;
    int accumulate;
    float *y;
};

size_t det_conv2d_product_scratch(const struct det_conv2d *shape)
{
    struct det_conv2d_tiles tiles = det_conv2d_tiles(shape);
    size_t rows = det_conv2d_is_pointwise(shape) ? 0 : (size_t)det_conv2d_window(shape);
    if (tiles.images > 1)
        rows += (size_t)shape->c_out;
    return rows * (size_t)det_conv2d_tile_columns(&tiles, shape) * sizeof(float);
}

/* A tile's product to its place: bias, relu, or the sum with what is there. */
DET_VECTOR_TARGETS static void store(const struct job *job, const float *from, int n, int c, float *to)
{
    if (job->accumulate) {
        for (int i = 0; i < n; i++)
            to[i] += from[i];
        return;
    }
    float bias = job->bias ? job->bias[c] : 0.0f;
    det_bias_plane(from, bias, job->shape.relu, (size_t)n, to);
}

/* Several whole images: their windows side by side, one product, and out to each image. */
static void small_images(const struct job *job, const struct det_conv2d_tile *tile, float *col)
{
    const struct det_conv2d *s = &job->shape;
    int window = det_conv2d_window(s);
    int plane = s->h_out * s->w_out;
    size_t in = (size_t)s->c_in * (size_t)(s->h_in * s->w_in);
    for (int i = 0; i < tile->images; i++)
        det_im2col(s, job->x + (size_t)(tile->image + i) * in, s->c_in, 0, s->h_out,
                   col + i * plane, tile->columns);
    float *product = col + (size_t)window * (size_t)tile->columns;
    det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, s->c_out, tile->columns, window, 1.0f, job->w,
             window, col, tile->columns, 0.0f, product, tile->columns);
    float *y = job->y + (size_t)tile->image * (size_t)s->c_out * (size_t)plane;
    for (int i = 0; i < tile->images; i++)
        for (int c = 0; c < s->c_out; c++, y += plane)
            store(job, product + (size_t)c * (size_t)tile->columns + i * plane, plane, c, y);
}

/* Rows of one image: the product is formed in place. */
static void rows_of_image(const struct job *job, const struct det_conv2d_tile *tile, float *col)
{
    const struct det_conv2d *s = &job->shape;
    int window = det_conv2d_window(s);
    int plane = s->h_out * s->w_out;
    int ld = tile->columns;
    const float *x = job->x + (size_t)tile->image * (size_t)s->c_in * (size_t)(s->h_in * s->w_in);
    const float *windows = col;
    if (det_conv2d_is_pointwise(s)) {
        windows = x + tile->row * s->w_out;
        ld = plane;
    } else {
        det_im2col(s, x, s->c_in, tile->row, tile->rows, col, ld);
    }
    float *y =
        job->y + (size_t)tile->image * (size_t)s->c_out * (size_t)plane + tile->row * s->w_out;
    det_gemm(DET_NO_TRANSPOSE, DET_NO_TRANSPOSE, s->c_out, tile->columns, window, 1.0f, job->w,
             window, windows, ld, job->accumulate ? 1.0f : 0.0f, y, plane);
    if (!job->accumulate && (job->bias || s->relu))
        for (int c = 0; c < s->c_out; c++, y += plane)
            store(job, y, tile->columns, c, y);
}

static void product_tile(void *arg, int item, int worker)
{
    const struct job *job = arg;
    float *scratch = det_cpu_scratch(job->cpu, worker);
    struct det_conv2d_tile tile = det_conv2d_tile_at(&job->tiles, &job->shape, job->live, item);
    if (job->tiles.images > 1)
        small_images(job, &tile, scratch);
    else
        rows_of_image(job, &tile, scratch);
}

void det_conv2d_product(const struct det_cpu *cpu, const struct det_conv2d *shape, const float *x,
                        const float *w, const float *bias, int accumulate, float *y)
{
    struct job job = {.cpu = cpu,
                      .shape = *shape,
                      .tiles = det_conv2d_tiles(shape),
                      .x = x,
                      .w = w,
                      .bias = bias,
                      .accumulate = accumulate,
                      .y = y};
    job.live = det_live(shape->count, shape->n);
    det_pool_run(cpu->pool, det_conv2d_tile_count(&job.tiles, job.live), product_tile, &job);
}
