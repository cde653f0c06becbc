#include "detector/layers/winograd_strips.h"

#include "detector/base/vector_targets.h"
#include "detector/layers/integers.h"

#define CHANNELS DET_WINOGRAD_CHANNELS
#define OUT DET_WINOGRAD_OUT
#define PATCH DET_WINOGRAD_PATCH
#define TILES                                                                                      \
    32 /* of a strip, about: enough for a matrix product, few enough for a level 2 cache */

struct det_winograd_strips det_winograd_strips(const struct det_conv2d *shape)
{
    int down = det_ceil_div(shape->h_out, OUT);
    int across = det_ceil_div(shape->w_out, OUT);
    int images = det_max_int(1, det_min_int(shape->n, TILES / (down * across)));
    int per_image = det_ceil_div(down, det_min_int(down, det_max_int(1, TILES / across)));
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
                                             const struct det_winograd_strip *strip)
{
    return (struct det_channels_last){.n = strip->images,
                                      .c = shape->c_in,
                                      .h = shape->h_in,
                                      .w = shape->w_in,
                                      .of = shape->c_in,
                                      .top = shape->pad - OUT * strip->row,
                                      .left = shape->pad,
                                      .rows = OUT * strip->rows + 2,
                                      .columns = OUT * det_ceil_div(shape->w_out, OUT) + 2};
}

struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape,
                                              const struct det_winograd_strip *strip)
{
    return (struct det_channels_last){.n = strip->images,
                                      .c = shape->c_out,
                                      .h = shape->h_out,
                                      .w = shape->w_out,
                                      .of = shape->c_out,
                                      .top = -OUT * strip->row,
                                      .rows = OUT * strip->rows,
                                      .columns = OUT * det_ceil_div(shape->w_out, OUT)};
}

/* Where a tile's first row, column and channel lie in the buffer, of inputs or of outputs. */
static size_t tile_offset(const struct det_channels_last *buffer, int tile)
{
    int across = buffer->columns / OUT;
    int per_image = buffer->rows / OUT * across;
    int row = tile / per_image * buffer->rows + tile % per_image / across * OUT;
    int column = tile % across * OUT;
    return ((size_t)row * (size_t)buffer->columns + (size_t)column) * (size_t)buffer->c;
}

/* The three transforms of a tile, all channels. */
DET_VECTOR_TARGETS static void transform_input(const float *d, size_t row, size_t c, float *points,
                                               size_t stride)
{
    for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
        det_winograd_both_sides(det_winograd_input, PATCH, PATCH, d + c0, row, c, points + c0,
                                PATCH * stride, stride);
}

DET_VECTOR_TARGETS static void transform_gradient(const float *dy, size_t row, size_t c,
                                                  float *points, size_t stride)
{
    for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
        det_winograd_both_sides(det_winograd_output_gradient, OUT, PATCH, dy + c0, row, c,
                                points + c0, PATCH * stride, stride);
}

DET_VECTOR_TARGETS static void transform_output(const float *points, size_t stride, size_t row,
                                                size_t c, float *y)
{
    for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
        det_winograd_both_sides(det_winograd_output, PATCH, OUT, points + c0, PATCH * stride,
                                stride, y + c0, row, c);
}

void det_winograd_transform_inputs(const struct det_channels_last *buffer, const float *from,
                                   int first, int tiles, float *points, size_t stride)
{
    size_t c = (size_t)buffer->c;
    for (int t = 0; t < tiles; t++, points += c)
        transform_input(from + tile_offset(buffer, first + t), (size_t)buffer->columns * c, c,
                        points, stride);
}

void det_winograd_transform_gradients(const struct det_channels_last *buffer, const float *from,
                                      int first, int tiles, float *points, size_t stride)
{
    size_t c = (size_t)buffer->c;
    for (int t = 0; t < tiles; t++, points += c)
        transform_gradient(from + tile_offset(buffer, first + t), (size_t)buffer->columns * c, c,
                           points, stride);
}

void det_winograd_transform_outputs(const struct det_channels_last *buffer, const float *points,
                                    size_t stride, int first, int tiles, float *to)
{
    size_t c = (size_t)buffer->c;
    for (int t = 0; t < tiles; t++, points += c)
        transform_output(points, stride, (size_t)buffer->columns * c, c,
                         to + tile_offset(buffer, first + t));
}
