/* The GPU's gather_rows, scatter_rows, rpn_gather and rpn_scatter against the CPU's, bit for bit.
 */
#include "detector/backend/cuda/gather.cu"
#include "detector/layers/gather.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

enum { FLOATS = 20000 };

static float from[FLOATS], want[FLOATS], got[FLOATS];

static void refill(uint32_t seed)
{
    struct draws d = {.seed = seed};
    for (int i = 0; i < FLOATS; i++) {
        from[i] = draw(&d, -1.0f, 1.0f);
        want[i] = got[i] = draw(&d, -1.0f, 1.0f);
    }
}

static void expect_same(const char *what, int a, int b)
{
    for (int i = 0; i < FLOATS; i++)
        cr_assert_eq(memcmp(&got[i], &want[i], sizeof got[i]), 0, "%s %d, %d: [%d] %g, want %g",
                     what, a, b, i, (double)got[i], (double)want[i]);
}

Test(gpu_gather, rows)
{
    static const int32_t index[] = {0, 2, 3, 7, 11, 19};
    static const int rows[] = {1, 3, 257, 1000};
    struct det_device *cpu = open_cpu(1, 0);
    for (int order = 0; order < emulated_orders(); order++)
        for (int i = 0; i < 4 * 7; i++) {
            struct emulated_device gpu = emulated_open((enum emulated_order)order);
            size_t row = (size_t)rows[i % 4];
            int32_t count = i / 4;
            refill((uint32_t)i);
            det_gather_rows(cpu, row, index, &count, from, want);
            det_cuda_gather_rows(&gpu.device, row, index, &count, from, got);
            expect_same("gather: rows of", (int)row, count);
            det_scatter_rows(cpu, row, index, &count, from, want);
            det_cuda_scatter_rows(&gpu.device, row, index, &count, from, got);
            expect_same("scatter: rows of", (int)row, count);
            emulated_close(&gpu);
        }
    cpu->ops->close(cpu);
}

Test(gpu_gather, rpn_levels)
{
    static const int sides[][2] = {{1, 1}, {5, 3}, {16, 20}};
    struct det_device *cpu = open_cpu(1, 0);
    for (int order = 0; order < emulated_orders(); order++)
        for (int i = 0; i < 3 * 2; i++) {
            struct emulated_device gpu = emulated_open((enum emulated_order)order);
            int h = sides[i % 3][0], w = sides[i % 3][1];
            int k = i / 3 ? 4 : 1, a = 3, n = 2;
            int first = 10, anchors = first + h * w * a + 7;
            refill((uint32_t)i);
            det_rpn_gather(cpu, n, a, k, h, w, anchors, first, from, want);
            det_cuda_rpn_gather(&gpu.device, n, a, k, h, w, anchors, first, from, got);
            expect_same("rpn_gather: side, k", h, k);
            det_rpn_scatter(cpu, n, a, k, h, w, anchors, first, from, want);
            det_cuda_rpn_scatter(&gpu.device, n, a, k, h, w, anchors, first, from, got);
            expect_same("rpn_scatter: side, k", h, k);
            emulated_close(&gpu);
        }
    cpu->ops->close(cpu);
}
