#include "detector/layers/winograd_strips.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"

#define CHANNELS DET_WINOGRAD_CHANNELS
#define OUT DET_WINOGRAD_OUT
#define PATCH DET_WINOGRAD_PATCH
#define TILES 16 /* of a strip, about; of one with large kernels twice as many */

struct det_winograd_strips det_winograd_strips(const struct det_conv2d *shape)
{
    int down = det_ceil_div(shape->h_out, OUT);
    int across = det_ceil_div(shape->w_out, OUT);
    int tiles = det_winograd_has_small_kernels(shape) ? TILES : 2 * TILES;
    int images = det_max_int(1, det_min_int(shape->n, tiles / (down * across)));
    int per_image = det_ceil_div(down, det_min_int(down, det_max_int(1, tiles / across)));
    return (struct det_winograd_strips){down, across, images, det_ceil_div(down, per_image),
                                        per_image};
}

int det_winograd_strip_count(const struct det_winograd_strips *strips, int live)
{
    return det_ceil_div(live, strips->images) * strips->per_image;
}

struct det_winograd_strip det_winograd_strip_at(const struct det_winograd_strips *strips, int live,
                                                int item)
{
    struct det_winograd_strip strip;
    strip.image = item / strips->per_image * strips->images;
    strip.images = det_min_int(strips->images, live - strip.image);
    strip.row = item % strips->per_image * strips->rows;
    strip.rows = det_min_int(strips->rows, strips->down - strip.row);
    strip.tiles = strip.images * strip.rows * strips->across;
    return strip;
}

int det_winograd_tiles_before(const struct det_winograd_strips *strips, int item)
{
    int rows = item / strips->per_image * strips->images * strips->down +
               item % strips->per_image * strips->rows;
    return rows * strips->across;
}

struct det_winograd_strip det_winograd_largest_strip(const struct det_winograd_strips *strips,
                                                     const struct det_conv2d *shape)
{
    return det_winograd_strip_at(strips, shape->n, 0);
}

struct det_channels_last det_winograd_inputs(const struct det_conv2d *shape,
                                             const struct det_winograd_strip *strip, int c)
{
    return (struct det_channels_last){.n = strip->images,
                                      .c = det_min_int(shape->c_in - c, DET_WINOGRAD_BLOCK),
                                      .h = shape->h_in,
                                      .w = shape->w_in,
                                      .of = shape->c_in,
                                      .top = shape->pad - OUT * strip->row,
                                      .left = shape->pad,
                                      .rows = OUT * strip->rows + 2,
                                      .columns = OUT * det_ceil_div(shape->w_out, OUT) + 2};
}

struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape,
                                              const struct det_winograd_strip *strip, int c)
{
    return (struct det_channels_last){.n = strip->images,
                                      .c = det_min_int(shape->c_out - c, DET_WINOGRAD_BLOCK),
                                      .h = shape->h_out,
                                      .w = shape->w_out,
                                      .of = shape->c_out,
                                      .top = -OUT * strip->row,
                                      .rows = OUT * strip->rows,
                                      .columns = OUT * det_ceil_div(shape->w_out, OUT)};
}

static int tile_rows(const struct det_channels_last *buffer)
{
    return buffer->n * (buffer->rows / OUT);
}

static int tiles_across(const struct det_channels_last *buffer)
{
    return buffer->columns / OUT;
}

/* Where the first tile of a row of tiles lies in the buffer, of inputs or of outputs. */
static size_t tile_row_at(const struct det_channels_last *buffer, int index)
{
    int per_image = buffer->rows / OUT;
    int row = index / per_image * buffer->rows + index % per_image * OUT;
    return (size_t)row * (size_t)buffer->columns * (size_t)buffer->c;
}

/* The three transforms of a row of tiles, of the buffer's c channels and columns. */
DET_VECTOR_TARGETS static void transform_inputs(const float *from, size_t c, size_t columns,
                                                const struct det_winograd_points *at, float *points)
{
    for (size_t t = 0; t < columns / OUT; t++, from += OUT * c, points += at->channels)
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_input, PATCH, PATCH, from + c0, columns * c, c,
                                    points + c0, PATCH * at->stride, at->stride);
}

DET_VECTOR_TARGETS static void transform_gradients(const float *from, size_t c, size_t columns,
                                                   const struct det_winograd_points *at,
                                                   float *points)
{
    for (size_t t = 0; t < columns / OUT; t++, from += OUT * c, points += at->channels)
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_output_gradient, OUT, PATCH, from + c0,
                                    columns * c, c, points + c0, PATCH * at->stride, at->stride);
}

DET_VECTOR_TARGETS static void transform_outputs(const float *points,
                                                 const struct det_winograd_points *at, size_t c,
                                                 size_t columns, float *to)
{
    for (size_t t = 0; t < columns / OUT; t++, to += OUT * c, points += at->channels)
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_output, PATCH, OUT, points + c0,
                                    PATCH * at->stride, at->stride, to + c0, columns * c, c);
}

void det_winograd_transform_inputs(const struct det_channels_last *buffer, const float *from,
                                   const struct det_winograd_points *at, float *points)
{
    int across = tiles_across(buffer);
    for (int r = 0; r < tile_rows(buffer); r++, points += across * at->channels)
        transform_inputs(from + tile_row_at(buffer, r), (size_t)buffer->c, (size_t)buffer->columns,
                         at, points);
}

void det_winograd_transform_gradients(const struct det_channels_last *buffer, const float *from,
                                      const struct det_winograd_points *at, float *points)
{
    int across = tiles_across(buffer);
    for (int r = 0; r < tile_rows(buffer); r++, points += across * at->channels)
        transform_gradients(from + tile_row_at(buffer, r), (size_t)buffer->c,
                            (size_t)buffer->columns, at, points);
}

void det_winograd_transform_outputs(const struct det_channels_last *buffer, const float *points,
                                    const struct det_winograd_points *at, float *to)
{
    int across = tiles_across(buffer);
    for (int r = 0; r < tile_rows(buffer); r++, points += across * at->channels)
        transform_outputs(points, at, (size_t)buffer->c, (size_t)buffer->columns,
                          to + tile_row_at(buffer, r));
}
