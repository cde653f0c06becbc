/* A batch of maps as 4 x 4 output tiles, in order of (image, row, column), and the transforms of
 * their 6 x 6 patches. Internal to layers/. */
#ifndef DET_LAYERS_WINOGRAD_TILES_H
#define DET_LAYERS_WINOGRAD_TILES_H

#include "detector/backend/backend.h"
#include "detector/bodies/winograd.h"
#include "detector/layers/channels_last.h"
#include "detector/layers/integers.h"

struct det_winograd_tiles {
    int down, across; /* tiles of an image */
};

static inline struct det_winograd_tiles det_winograd_tiles(const struct det_conv2d *shape)
{
    return (struct det_winograd_tiles){det_ceil_div(shape->h_out, DET_WINOGRAD_OUT),
                                       det_ceil_div(shape->w_out, DET_WINOGRAD_OUT)};
}

/* The buffers of n images: the input within its padding, the outputs up to whole tiles. */
struct det_channels_last det_winograd_inputs(const struct det_conv2d *shape, int n);
struct det_channels_last det_winograd_outputs(const struct det_conv2d *shape, int n);

/* points [36][tiles, c] of tiles first.. of the buffer: B^T d B of the input's patches, A dy A^T of
 * the outputs' gradient; and the outputs A^T m A from the points. c is a multiple of
 * DET_WINOGRAD_CHANNELS. */
void det_winograd_transform_inputs(const struct det_channels_last *buffer,
                                   const struct det_winograd_tiles *grid, const float *from,
                                   int first, int tiles, float *points, size_t stride);
void det_winograd_transform_gradients(const struct det_channels_last *buffer,
                                      const struct det_winograd_tiles *grid, const float *from,
                                      int first, int tiles, float *points, size_t stride);
void det_winograd_transform_outputs(const struct det_channels_last *buffer,
                                    const struct det_winograd_tiles *grid, const float *points,
                                    size_t stride, int first, int tiles, float *to);

#endif
