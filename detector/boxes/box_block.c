#include "detector/boxes/box_block.h"

#include "detector/bodies/iou.h"

static void put(struct det_box_block *block, int i, const float box[4])
{
    block->x1[i] = box[0];
    block->y1[i] = box[1];
    block->x2[i] = box[2];
    block->y2[i] = box[3];
    block->area[i] = det_box_area(box[0], box[1], box[2], box[3]);
}

void det_box_block_load(struct det_box_block *block, int n, const float *boxes)
{
    static const float empty[4];
    float *bound = block->bound;
    for (int c = 0; c < 4; c++)
        bound[c] = boxes[c];
    block->n = n < DET_BOX_BLOCK ? n : DET_BOX_BLOCK;
    for (int i = 0; i < block->n; i++) {
        const float *box = boxes + 4 * i;
        put(block, i, box);
        bound[0] = box[0] < bound[0] ? box[0] : bound[0];
        bound[1] = box[1] < bound[1] ? box[1] : bound[1];
        bound[2] = box[2] > bound[2] ? box[2] : bound[2];
        bound[3] = box[3] > bound[3] ? box[3] : bound[3];
    }
    for (int i = block->n; i % DET_BOX_LANES; i++)
        put(block, i, empty);
}

int det_box_block_iou(const struct det_box_block *block, const float box[4],
                      float iou[DET_BOX_BLOCK])
{
    const float *bound = block->bound;
    if (bound[2] <= box[0] || bound[0] >= box[2] || bound[3] <= box[1] || bound[1] >= box[3])
        return 0;
    float x1 = box[0];
    float y1 = box[1];
    float x2 = box[2];
    float y2 = box[3];
    float area = det_box_area(x1, y1, x2, y2);
    for (int first = 0; first < block->n; first += DET_BOX_LANES) {
        float lanes[DET_BOX_LANES];
        for (int i = 0; i < DET_BOX_LANES; i++) {
            int k = first + i;
            lanes[i] = det_iou(block->x1[k], block->y1[k], block->x2[k], block->y2[k],
                               block->area[k], x1, y1, x2, y2, area);
        }
        for (int i = 0; i < DET_BOX_LANES; i++)
            iou[first + i] = lanes[i];
    }
    return 1;
}
