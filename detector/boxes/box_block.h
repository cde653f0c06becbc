/* A block of boxes laid out for vector code: IoU of one box with many. */
#ifndef DET_BOXES_BOX_BLOCK_H
#define DET_BOXES_BOX_BLOCK_H

/* Boxes a block, a multiple of DET_BOX_LANES. Small enough that a block of neighbouring anchors is
 * often wholly off an object and can be passed over. */
#define DET_BOX_BLOCK 128
/* Inner loops run over this many boxes: a constant, so that any compiler vectorises them. */
#define DET_BOX_LANES 16

struct det_box_block {
    int n; /* boxes; the rows up to the next multiple of DET_BOX_LANES are empty boxes */
    float x1[DET_BOX_BLOCK], y1[DET_BOX_BLOCK], x2[DET_BOX_BLOCK], y2[DET_BOX_BLOCK];
    float area[DET_BOX_BLOCK];
    float bound[4]; /* around all of them */
};

/* The first min(n, DET_BOX_BLOCK) of boxes[n, 4]; n >= 1, all finite. */
void det_box_block_load(struct det_box_block *block, int n, const float *boxes);

/* iou[DET_BOX_BLOCK]: of `box` with each box of the block, 0 in the padding. Returns 0, with iou
 * not written, where no box of the block meets `box`: all IoUs are 0. */
int det_box_block_iou(const struct det_box_block *block, const float box[4],
                      float iou[DET_BOX_BLOCK]);

#endif
