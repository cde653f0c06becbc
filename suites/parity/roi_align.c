/* RoIAlign over a pyramid: forward to the bit, the gradient within rounding. */
#include "suites/parity/parity.h"

enum { LEVELS = 3, IMAGES = 2, CHANNELS = 11, ROIS = 40 };

struct pyramid {
    struct twin maps[LEVELS], gradients[LEVELS];
    struct twin boxes, image, level, count;
};

static const int heights[LEVELS] = {33, 17, 9}, widths[LEVELS] = {40, 20, 10};

static struct pyramid make(struct pair p, int32_t live)
{
    struct pyramid m;
    float boxes[ROIS][4];
    int32_t image[ROIS], level[ROIS];
    for (int r = 0; r < ROIS; r++) {
        struct det_philox d = det_philox((uint32_t)r, 77, 0, 0, 1);
        float x = 150.0f * det_philox_uniform(d.word[0]), y = 120.0f * det_philox_uniform(d.word[1]);
        float w = 60.0f * det_philox_uniform(d.word[2]), h = 60.0f * det_philox_uniform(d.word[3]);
        boxes[r][0] = x;
        boxes[r][1] = y;
        boxes[r][2] = r % 9 == 8 ? x : x + w; /* without area; turned inside out; off the map */
        boxes[r][3] = r % 13 == 12 ? y - h : y + h;
        image[r] = r % IMAGES;
        level[r] = r % LEVELS;
    }
    boxes[3][0] = -500.0f;
    boxes[3][2] = -400.0f;
    boxes[4][2] = 5000.0f;
    m.boxes = twin_of(p, boxes, sizeof boxes);
    m.image = twin_of(p, image, sizeof image);
    m.level = twin_of(p, level, sizeof level);
    m.count = twin_of(p, &live, sizeof live);
    for (int l = 0; l < LEVELS; l++) {
        size_t n = (size_t)(IMAGES * CHANNELS * heights[l] * widths[l]);
        m.maps[l] = twin_uniform(p, n, (uint32_t)(10 + l), -1, 1);
        m.gradients[l] = twin_uniform(p, n, (uint32_t)(20 + l), -1, 1);
    }
    return m;
}

static void drop(struct pair p, struct pyramid m)
{
    drop_twin(p, m.boxes);
    drop_twin(p, m.image);
    drop_twin(p, m.level);
    drop_twin(p, m.count);
    for (int l = 0; l < LEVELS; l++) {
        drop_twin(p, m.maps[l]);
        drop_twin(p, m.gradients[l]);
    }
}

static void compare(struct pair p, const char *name, struct det_roi_align s, int32_t live,
                    int skip_level)
{
    struct pyramid m = make(p, live);
    struct det_roi_align on_cpu = s, on_cuda = s;
    const float *cpu_maps[LEVELS], *cuda_maps[LEVELS];
    float *cpu_dx[LEVELS], *cuda_dx[LEVELS];
    size_t n = (size_t)(ROIS * CHANNELS * s.output_size * s.output_size);
    struct twin y = twin_floats(p, n, SENTINEL), dy = twin_uniform(p, n, 5, -1, 1);
    for (int l = 0; l < LEVELS; l++) {
        cpu_maps[l] = CPU(m.maps[l]);
        cuda_maps[l] = CUDA(m.maps[l]);
        cpu_dx[l] = l == skip_level ? NULL : CPU(m.gradients[l]);
        cuda_dx[l] = l == skip_level ? NULL : CUDA(m.gradients[l]);
    }
    on_cpu.count = live < 0 ? NULL : CPU(m.count);
    on_cuda.count = live < 0 ? NULL : CUDA(m.count);
    p.cpu->ops->roi_align_forward(p.cpu, &on_cpu, cpu_maps, CPU(m.boxes), CPU(m.image),
                                  CPU(m.level), CPU(y));
    p.cuda->ops->roi_align_forward(p.cuda, &on_cuda, cuda_maps, CUDA(m.boxes), CUDA(m.image),
                                   CUDA(m.level), CUDA(y));
    expect_near_floats(p, name, "y", y, 1e-6);
    p.cpu->ops->roi_align_backward(p.cpu, &on_cpu, CPU(dy), CPU(m.boxes), CPU(m.image),
                                   CPU(m.level), cpu_dx);
    p.cuda->ops->roi_align_backward(p.cuda, &on_cuda, CUDA(dy), CUDA(m.boxes), CUDA(m.image),
                                    CUDA(m.level), cuda_dx);
    for (int l = 0; l < LEVELS; l++)
        expect_near_floats(p, name, "dx", m.gradients[l], 2e-6);
    drop_twin(p, y);
    drop_twin(p, dy);
    drop(p, m);
}

Test(roi_align, every_kind)
{
    struct pair p = open_pair();
    struct det_roi_align s = {.n_levels = LEVELS, .n_images = IMAGES, .channels = CHANNELS,
                              .h = {33, 17, 9}, .w = {40, 20, 10}, .scale = {0.25f, 0.125f, 0.0625f},
                              .output_size = 7, .sampling_ratio = 2, .max_rois = ROIS};
    compare(p, "7 x 7", s, -1, -1);
    compare(p, "some live", s, 17, -1);
    compare(p, "none live", s, 0, -1);
    compare(p, "a level not wanted", s, 30, 1);
    s.output_size = 14;
    compare(p, "14 x 14", s, 25, -1);
    s.output_size = 7;
    s.sampling_ratio = 0;
    compare(p, "adaptive", s, -1, -1);
    s.aligned = 1;
    compare(p, "adaptive, aligned", s, 33, -1);
    close_pair(p);
}
