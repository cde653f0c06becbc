/* A detection's mask into its image (torchvision's paste_masks_in_image, padding 1): the mask, with
 * one ring of zeros around it, is stretched over the box, bilinearly. */
#ifndef DET_INFERENCE_MASK_PASTE_H
#define DET_INFERENCE_MASK_PASTE_H

#include <stddef.h>
#include <stdint.h>

/* Where a mask lands: the stretched mask covers h x w pixels from (y, x) on, of which the rows
 * y0 .. y1 - 1 and columns x0 .. x1 - 1 are inside the image (none where y0 >= y1 or x0 >= x1). */
struct det_mask_region {
    int x, y, w, h;
    int x0, y0, x1, y1;
};

/* box: finite, in pixels of the image of image_h x image_w. */
struct det_mask_region det_mask_region(const float box[4], int size, int image_h, int image_w);

/* p[n] = sigmoid(logits[n]); p == logits allowed. */
void det_mask_probabilities(size_t n, const float *logits, float *p);

/* mask[size, size] probabilities to out[image_h, image_w]; 0 off the region. */
void det_mask_paste(const float *mask, int size, const float box[4], int image_h, int image_w,
                    float *out);

/* The same cut at `threshold` (0.5): out is 1 where the probability is above it, else 0. */
void det_mask_paste_binary(const float *mask, int size, const float box[4], int image_h,
                           int image_w, float threshold, uint8_t *out);

#endif
