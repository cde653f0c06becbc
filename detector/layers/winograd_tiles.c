#include "detector/layers/winograd_tiles.h"

#define CHANNELS DET_WINOGRAD_CHANNELS
#define OUT DET_WINOGRAD_OUT
#define PATCH DET_WINOGRAD_PATCH

struct det_channels_last det_winograd_inputs(const struct det_conv2d *shape, int n)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    return (struct det_channels_last){.n = n,
                                      .c = shape->c_in,
                                      .h = shape->h_in,
                                      .w = shape->w_in,
                                      .of = shape->c_in,
                                      .top = shape->pad,
                                      .left = shape->pad,
                                      .rows = OUT * grid.down + 2,
                                      .columns = OUT * grid.across + 2};
}

struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape, int n)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    return (struct det_channels_last){.n = n,
                                      .c = shape->c_out,
                                      .h = shape->h_out,
                                      .w = shape->w_out,
                                      .of = shape->c_out,
                                      .rows = OUT * grid.down,
                                      .columns = OUT * grid.across};
}

/* Where a tile's first row, column and channel lie in the buffer. */
static size_t tile_offset(const struct det_channels_last *buffer,
                          const struct det_winograd_tiles *grid, int tile)
{
    int per_image = grid->down * grid->across;
    int row = tile / per_image * buffer->rows + tile % per_image / grid->across * OUT;
    int column = tile % grid->across * OUT;
    return ((size_t)row * (size_t)buffer->columns + (size_t)column) * (size_t)buffer->c;
}

void det_winograd_transform_inputs(const struct det_channels_last *buffer,
                                   const struct det_winograd_tiles *grid, const float *from,
                                   int first, int tiles, float *points, size_t stride)
{
    size_t c = (size_t)buffer->c;
    size_t row = (size_t)buffer->columns * c;
    for (int t = 0; t < tiles; t++) {
        const float *d = from + tile_offset(buffer, grid, first + t);
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_input, PATCH, PATCH, d + c0, row, c,
                                    points + (size_t)t * c + c0, PATCH * stride, stride);
    }
}

void det_winograd_transform_gradients(const struct det_channels_last *buffer,
                                      const struct det_winograd_tiles *grid, const float *from,
                                      int first, int tiles, float *points, size_t stride)
{
    size_t c = (size_t)buffer->c;
    size_t row = (size_t)buffer->columns * c;
    for (int t = 0; t < tiles; t++) {
        const float *dy = from + tile_offset(buffer, grid, first + t);
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_output_gradient, OUT, PATCH, dy + c0, row, c,
                                    points + (size_t)t * c + c0, PATCH * stride, stride);
    }
}

void det_winograd_transform_outputs(const struct det_channels_last *buffer,
                                    const struct det_winograd_tiles *grid, const float *points,
                                    size_t stride, int first, int tiles, float *to)
{
    size_t c = (size_t)buffer->c;
    size_t row = (size_t)buffer->columns * c;
    for (int t = 0; t < tiles; t++) {
        float *y = to + tile_offset(buffer, grid, first + t);
        for (size_t c0 = 0; c0 < c; c0 += CHANNELS)
            det_winograd_both_sides(det_winograd_output, PATCH, OUT, points + (size_t)t * c + c0,
                                    PATCH * stride, stride, y + c0, row, c);
    }
}
