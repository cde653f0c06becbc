#include "detector/layers/winograd_tiles.h"

#define LANES DET_WINOGRAD_LANES
#define OUT DET_WINOGRAD_OUT
#define PATCH DET_WINOGRAD_PATCH

struct det_channels_last det_winograd_inputs(const struct det_conv2d *shape, int n)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    return (struct det_channels_last){.n = n, .c = shape->c_in, .h = shape->h_in, .w = shape->w_in,
                                      .of = shape->c_in, .top = shape->pad, .left = shape->pad,
                                      .rows = OUT * grid.down + 2, .columns = OUT * grid.across + 2};
}

struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape, int n)
{
    struct det_winograd_tiles grid = det_winograd_tiles(shape);
    return (struct det_channels_last){.n = n, .c = shape->c_out, .h = shape->h_out,
                                      .w = shape->w_out, .of = shape->c_out, .rows = OUT * grid.down,
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
    float half[PATCH * PATCH * LANES];
    int c = buffer->c;
    int row = buffer->columns * c;
    for (int t = 0; t < tiles; t++)
        for (int c0 = 0; c0 < c; c0 += LANES) {
            const float *d = from + tile_offset(buffer, grid, first + t) + c0;
            float *to = points + (size_t)t * (size_t)c + (size_t)c0;
            for (int j = 0; j < PATCH; j++)
                det_winograd_input(d + j * c, row, half + j * LANES, PATCH * LANES);
            for (int i = 0; i < PATCH; i++)
                det_winograd_input(half + i * PATCH * LANES, LANES, to + (size_t)(i * PATCH) * stride,
                                   (int)stride);
        }
}

void det_winograd_transform_gradients(const struct det_channels_last *buffer,
                                      const struct det_winograd_tiles *grid, const float *from,
                                      int first, int tiles, float *points, size_t stride)
{
    float half[PATCH * OUT * LANES];
    int c = buffer->c;
    int row = buffer->columns * c;
    for (int t = 0; t < tiles; t++)
        for (int c0 = 0; c0 < c; c0 += LANES) {
            const float *dy = from + tile_offset(buffer, grid, first + t) + c0;
            float *to = points + (size_t)t * (size_t)c + (size_t)c0;
            for (int j = 0; j < OUT; j++)
                det_winograd_output_gradient(dy + j * c, row, half + j * LANES, OUT * LANES);
            for (int i = 0; i < PATCH; i++)
                det_winograd_output_gradient(half + i * OUT * LANES, LANES,
                                             to + (size_t)(i * PATCH) * stride, (int)stride);
        }
}

void det_winograd_transform_outputs(const struct det_channels_last *buffer,
                                    const struct det_winograd_tiles *grid, const float *points,
                                    size_t stride, int first, int tiles, float *to)
{
    float half[OUT * PATCH * LANES];
    int c = buffer->c;
    int row = buffer->columns * c;
    for (int t = 0; t < tiles; t++)
        for (int c0 = 0; c0 < c; c0 += LANES) {
            const float *m = points + (size_t)t * (size_t)c + (size_t)c0;
            float *y = to + tile_offset(buffer, grid, first + t) + c0;
            for (int j = 0; j < PATCH; j++)
                det_winograd_output(m + (size_t)j * stride, PATCH * (int)stride, half + j * LANES,
                                    PATCH * LANES);
            for (int i = 0; i < OUT; i++)
                det_winograd_output(half + i * PATCH * LANES, LANES, y + i * row, c);
        }
}
