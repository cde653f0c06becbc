/* How Winograd's convolution is cut for the workers: into strips, which are some tile rows of an
 * image at its full width, or several whole images where they are small; a tile is 4 x 4 outputs.
 * And the transforms of a strip's tiles, which lie in order of (image, row, column).
 * Internal to layers/. */
#ifndef DET_LAYERS_WINOGRAD_STRIPS_H
#define DET_LAYERS_WINOGRAD_STRIPS_H

#include "detector/backend/backend.h"
#include "detector/bodies/winograd.h"
#include "detector/layers/channels_last.h"

struct det_winograd_strips {
    int down, across; /* tiles of an image */
    int images;       /* of a strip; more than 1: all their rows are in it */
    int rows;         /* tile rows of an image in a strip, at most */
    int per_image;    /* strips of an image; 1 where images > 1 */
};

struct det_winograd_strip {
    int image, images;
    int row, rows; /* tile rows */
    int tiles;     /* images * rows * across */
};

/* Do the kernels' points stay in a level 2 cache, beside those of some tiles? Then it is the tiles that
 * must be few. Where they are read from further away for every strip, more tiles pay for that. */
static inline int det_winograd_has_small_kernels(const struct det_conv2d *shape)
{
    return shape->c_in * shape->c_out <= 1 << 13;
}

struct det_winograd_strips det_winograd_strips(const struct det_conv2d *shape);

/* Strips that cover the first `live` images. */
int det_winograd_strip_count(const struct det_winograd_strips *strips, int live);

struct det_winograd_strip det_winograd_strip_at(const struct det_winograd_strips *strips, int live,
                                                int item);

/* Tiles of the strips before this one. */
int det_winograd_tiles_before(const struct det_winograd_strips *strips, int item);

/* The largest one; all are no larger in tiles and buffers, also where `live` is smaller. */
struct det_winograd_strip det_winograd_largest_strip(const struct det_winograd_strips *strips,
                                                     const struct det_conv2d *shape);

#define DET_WINOGRAD_BLOCK 64 /* channels that are turned and transformed together, at most */

/* The buffers of a strip, for the channels of a block that starts with channel c: its input within
 * its padding, its outputs up to whole tiles. The first block's are no smaller than the others'. */
struct det_channels_last det_winograd_inputs(const struct det_conv2d *shape,
                                             const struct det_winograd_strip *strip, int c);
struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape,
                                              const struct det_winograd_strip *strip, int c);

/* Where the points of some tiles lie: a matrix [tiles, channels] for each of the 36. */
struct det_winograd_points {
    int channels;
    size_t stride; /* floats from one matrix to the next */
};

/* The points of the buffer's tiles and channels (`points` is where the first of these lies): B^T d B of
 * the input's patches, A dy A^T of the outputs' gradient; and the outputs A^T m A from the points. */
void det_winograd_transform_inputs(const struct det_channels_last *buffer, const float *from,
                                   const struct det_winograd_points *at, float *points);
void det_winograd_transform_gradients(const struct det_channels_last *buffer, const float *from,
                                      const struct det_winograd_points *at, float *points);
void det_winograd_transform_outputs(const struct det_channels_last *buffer, const float *points,
                                    const struct det_winograd_points *at, float *to);

#endif
