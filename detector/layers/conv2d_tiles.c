#include "detector/layers/conv2d_tiles.h"

#include "detector/layers/integers.h"
#include "detector/layers/small_product.h"

#define TILE_FLOATS (1 << 18) /* a tile's windows: 1 MiB, within a level 2 cache */
#define SMALL_COLUMNS 128     /* as long as so many columns fit into a small product */
#define MIN_COLUMNS 256       /* below this a product does not pay for packing the weights */
#define SMALL_PLANE 128       /* images of fewer positions share a tile */

struct det_conv2d_tiles det_conv2d_tiles(const struct det_conv2d *shape)
{
    int plane = shape->h_out * shape->w_out;
    if (plane < SMALL_PLANE && !det_conv2d_is_pointwise(shape))
        return (struct det_conv2d_tiles){det_min_int(MIN_COLUMNS / plane, shape->n), shape->h_out,
                                         1};
    int window = det_conv2d_window(shape);
    int columns = DET_SMALL_PRODUCT / window / shape->c_out;
    if (columns < SMALL_COLUMNS)
        columns = det_max_int(TILE_FLOATS / window, MIN_COLUMNS);
    int rows = det_min_int(det_max_int(columns / shape->w_out, 1), shape->h_out);
    int per_image = det_ceil_div(shape->h_out, rows);
    return (struct det_conv2d_tiles){1, det_ceil_div(shape->h_out, per_image), per_image};
}

int det_conv2d_tile_count(const struct det_conv2d_tiles *tiles, int live)
{
    return det_ceil_div(live, tiles->images) * tiles->per_image;
}

struct det_conv2d_tile det_conv2d_tile_at(const struct det_conv2d_tiles *tiles,
                                          const struct det_conv2d *shape, int live, int item)
{
    struct det_conv2d_tile tile;
    tile.image = item / tiles->per_image * tiles->images;
    tile.images = det_min_int(tiles->images, live - tile.image);
    tile.row = item % tiles->per_image * tiles->rows;
    tile.rows = det_min_int(tiles->rows, shape->h_out - tile.row);
    tile.columns = tile.images * tile.rows * shape->w_out;
    return tile;
}

int det_conv2d_tile_columns(const struct det_conv2d_tiles *tiles, const struct det_conv2d *shape)
{
    return tiles->images * tiles->rows * shape->w_out;
}
