/* What RoIAlign's forward and backward share: a pass over some of the channels, whose maps are held
 * with their channels innermost, so that every loop runs over channels. Internal to layers/. */
#ifndef DET_LAYERS_ROI_PASS_H
#define DET_LAYERS_ROI_PASS_H

#include "detector/backend/cpu.h"
#include "detector/layers/channels_last.h"
#include "detector/layers/roi_axis.h"

#define DET_ROI_PART 64 /* channels of a part: what one item works on at a time */
#define DET_ROI_PARTS 2 /* parts of a pass: bounds the memory */

struct det_roi_pass {
    const struct det_cpu *cpu;
    struct det_roi_align shape;
    int live;
    const float *boxes;
    const int32_t *image, *level;
    int used[DET_MAX_LEVELS]; /* is any live RoI on the level? */
    int channel;              /* the first of the pass */
    int parts;
    float *maps[DET_MAX_LEVELS]; /* [parts, n_images, h, w, DET_ROI_PART], in the shared scratch */
};

/* A worker's scratch. */
struct det_roi_lists {
    struct det_roi_axis rows, columns;
    float *line;  /* [widest map, DET_ROI_PART] */
    float *cells; /* [output_size^2, DET_ROI_PART] */
};

void det_roi_pass_scratch(const struct det_roi_align *shape, size_t *per_worker, size_t *shared);

/* Fills everything but the pass's channels; det_roi_pass_next goes on to the first or next ones,
 * and returns 0 behind the last. */
struct det_roi_pass det_roi_pass(const struct det_cpu *cpu, const struct det_roi_align *shape,
                                 const float *boxes, const int32_t *image, const int32_t *level);
int det_roi_pass_next(struct det_roi_pass *pass);

struct det_roi_lists det_roi_lists(const struct det_roi_pass *pass, int worker);

/* The two axes of a RoI. */
void det_roi_lists_fill(struct det_roi_lists *lists, const struct det_roi_pass *pass, int roi);

static inline int det_roi_level(const struct det_roi_pass *pass, int roi)
{
    return pass->level ? pass->level[roi] : 0;
}

/* Channels of a part. */
int det_roi_part_channels(const struct det_roi_pass *pass, int part);

/* A part of an image, in maps[level] and, as an offset, in [n_images, channels, h, w]; and how the
 * one lies in the other. */
float *det_roi_part_map(const struct det_roi_pass *pass, int part, int level, int image);
size_t det_roi_part_offset(const struct det_roi_pass *pass, int part, int level, int image);
struct det_channels_last det_roi_part_shape(const struct det_roi_pass *pass, int part, int level);

#endif
