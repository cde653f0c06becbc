#include "detector/inference/mask_paste.h"

#include "detector/bodies/probability.h"

#include <string.h>

/* In double: which pixels a box covers is decided by cutting to whole numbers. */
static void region_axis(float low, float high, int size, int *start, int *length)
{
    double scale = ((double)size + 2.0) / (double)size;
    double half = ((double)high - (double)low) * 0.5 * scale;
    double centre = ((double)high + (double)low) * 0.5;
    *start = (int)(centre - half);
    *length = (int)(centre + half) - *start + 1;
    if (*length < 1)
        *length = 1;
}

struct det_mask_region det_mask_region(const float box[4], int size, int image_h, int image_w)
{
    struct det_mask_region r;
    region_axis(box[0], box[2], size, &r.x, &r.w);
    region_axis(box[1], box[3], size, &r.y, &r.h);
    r.x0 = r.x > 0 ? r.x : 0;
    r.y0 = r.y > 0 ? r.y : 0;
    r.x1 = r.x + r.w < image_w ? r.x + r.w : image_w;
    r.y1 = r.y + r.h < image_h ? r.y + r.h : image_h;
    return r;
}

void det_mask_probabilities(size_t n, const float *logits, float *p)
{
    for (size_t i = 0; i < n; i++)
        p[i] = det_sigmoid(logits[i]);
}

/* One axis of the resize at pixel i: rows low and low + 1 of the mask, counted without the ring of
 * zeros, so -1 and `size` are ring. */
struct tap {
    int low;
    float high_weight;
};

static struct tap resize_tap(int i, int length, int size)
{
    float padded = (float)(size + 2);
    float at = padded / (float)length * ((float)i + 0.5f) - 0.5f;
    at = at > 0.0f ? at : 0.0f;
    struct tap tap = {(int)at, 0.0f};
    tap.high_weight = at - (float)tap.low;
    tap.low -= 1;
    return tap;
}

static float at_or_zero(const float *mask, int size, int y, int x)
{
    return y >= 0 && y < size && x >= 0 && x < size ? mask[y * size + x] : 0.0f;
}

/* The stretched mask at row y, column x of the region. The last pixel may reach past the ring: as
 * at the edge, the neighbour there is a zero as well. */
static float stretched(const float *mask, int size, struct tap y, struct tap x)
{
    float top = (1.0f - x.high_weight) * at_or_zero(mask, size, y.low, x.low) +
                x.high_weight * at_or_zero(mask, size, y.low, x.low + 1);
    float bottom = (1.0f - x.high_weight) * at_or_zero(mask, size, y.low + 1, x.low) +
                   x.high_weight * at_or_zero(mask, size, y.low + 1, x.low + 1);
    return (1.0f - y.high_weight) * top + y.high_weight * bottom;
}

void det_mask_paste(const float *mask, int size, const float box[4], int image_h, int image_w,
                    float *out)
{
    struct det_mask_region r = det_mask_region(box, size, image_h, image_w);
    memset(out, 0, (size_t)image_h * (size_t)image_w * sizeof *out);
    for (int y = r.y0; y < r.y1; y++) {
        struct tap row = resize_tap(y - r.y, r.h, size);
        for (int x = r.x0; x < r.x1; x++)
            out[(size_t)y * (size_t)image_w + (size_t)x] =
                stretched(mask, size, row, resize_tap(x - r.x, r.w, size));
    }
}

void det_mask_paste_binary(const float *mask, int size, const float box[4], int image_h,
                           int image_w, float threshold, uint8_t *out)
{
    struct det_mask_region r = det_mask_region(box, size, image_h, image_w);
    memset(out, 0, (size_t)image_h * (size_t)image_w);
    for (int y = r.y0; y < r.y1; y++) {
        struct tap row = resize_tap(y - r.y, r.h, size);
        for (int x = r.x0; x < r.x1; x++)
            out[(size_t)y * (size_t)image_w + (size_t)x] =
                stretched(mask, size, row, resize_tap(x - r.x, r.w, size)) > threshold;
    }
}
