/* Seeded random numbers and boxes for the box suites, and a CPU device with just enough scratch. */
#ifndef SUITES_RANDOM_BOXES_H
#define SUITES_RANDOM_BOXES_H

#include "detector/backend/backend.h"
#include "detector/bodies/philox.h"

#include <criterion/criterion.h>
#include <math.h>

struct draws {
    uint32_t seed, next;
};

static inline float draw(struct draws *d, float low, float high)
{
    return low + det_philox_uniform(det_philox(d->next++, 0, 0, 0, d->seed).word[0]) * (high - low);
}

static inline int draw_int(struct draws *d, int n) /* 0 .. n - 1 */
{
    return (int)draw(d, 0.0f, (float)n);
}

/* Boxes inside an image of `side` pixels, sides of a pixel or more. Whole corners make ties. */
static inline void draw_boxes(struct draws *d, int n, float side, int whole, float *boxes)
{
    for (int i = 0; i < n; i++, boxes += 4) {
        float w = draw(d, 1.0f, side / 2.0f);
        float h = draw(d, 1.0f, side / 2.0f);
        boxes[0] = draw(d, 0.0f, side - w);
        boxes[1] = draw(d, 0.0f, side - h);
        boxes[2] = boxes[0] + w;
        boxes[3] = boxes[1] + h;
        for (int c = 0; c < 4 && whole; c++)
            boxes[c] = c < 2 ? floorf(boxes[c]) : ceilf(boxes[c]);
    }
}

/* Exactly `scratch` bytes a worker: a sanitizer sees the operation that writes past them. */
static inline struct det_device *open_cpu(int threads, size_t scratch)
{
    struct det_device *dev = NULL;
    struct det_error err = {0};
    const struct det_backend *cpu = det_cpu_backend();
    cr_assert_eq(cpu->open(threads, &dev, &err), DET_OK, "open: %s", err.message);
    cr_assert_eq(cpu->reserve_scratch(dev, scratch, 0, &err), DET_OK, "%s", err.message);
    return dev;
}

#endif
