/* How a convolution's output is cut: into tiles of whole output rows of one image, or of several
 * whole images where they are small. By shape only. Internal to layers/. */
#ifndef DET_LAYERS_CONV2D_TILES_H
#define DET_LAYERS_CONV2D_TILES_H

#include "detector/backend/backend.h"

struct det_conv2d_tiles {
    int images;    /* in a tile; more than 1: their rows are all in it */
    int rows;      /* output rows of an image in a tile, at most */
    int per_image; /* tiles of an image; 1 where images > 1 */
};

struct det_conv2d_tile {
    int image, images;
    int row, rows;
    int columns; /* images * rows * w_out */
};

struct det_conv2d_tiles det_conv2d_tiles(const struct det_conv2d *shape);

/* Tiles that cover the first `live` images. */
int det_conv2d_tile_count(const struct det_conv2d_tiles *tiles, int live);

struct det_conv2d_tile det_conv2d_tile_at(const struct det_conv2d_tiles *tiles,
                                          const struct det_conv2d *shape, int live, int item);

/* The largest tile's columns. */
int det_conv2d_tile_columns(const struct det_conv2d_tiles *tiles, const struct det_conv2d *shape);

/* Rows of the matrix of windows: c_in * kernel^2. */
static inline int det_conv2d_window(const struct det_conv2d *shape)
{
    return shape->c_in * shape->kernel * shape->kernel;
}

/* Where an image starts in x and in y. */
static inline size_t det_conv2d_input_at(const struct det_conv2d *shape, int image)
{
    return (size_t)image * (size_t)shape->c_in * (size_t)(shape->h_in * shape->w_in);
}

static inline size_t det_conv2d_output_at(const struct det_conv2d *shape, int image)
{
    return (size_t)image * (size_t)shape->c_out * (size_t)(shape->h_out * shape->w_out);
}

/* Is the matrix of windows the input itself? */
static inline int det_conv2d_is_pointwise(const struct det_conv2d *shape)
{
    return shape->kernel == 1 && shape->stride == 1 && shape->pad == 0;
}

#endif
