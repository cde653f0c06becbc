/* Rows picked out and put back: copies, so to the bit. */
#include "suites/parity/parity.h"

Test(rows, gather_and_scatter)
{
    const int32_t index[] = {0, 3, 4, 9, 17};
    struct pair p = open_pair();
    for (int32_t count = 0; count <= 5; count++) {
        enum { ROW = 333, N = 18 * ROW };
        struct twin at = twin_of(p, index, sizeof index), n = twin_of(p, &count, sizeof count);
        struct twin x = twin_uniform(p, N, 1, -1, 1), y = twin_floats(p, N, SENTINEL);
        p.cpu->ops->gather_rows(p.cpu, ROW, CPU(at), CPU(n), CPU(x), CPU(y));
        p.cuda->ops->gather_rows(p.cuda, ROW, CUDA(at), CUDA(n), CUDA(x), CUDA(y));
        expect_same(p, "gather_rows", "y", y, sizeof(float));
        p.cpu->ops->scatter_rows(p.cpu, ROW, CPU(at), CPU(n), CPU(x), CPU(y));
        p.cuda->ops->scatter_rows(p.cuda, ROW, CUDA(at), CUDA(n), CUDA(x), CUDA(y));
        expect_same(p, "scatter_rows", "y", y, sizeof(float));
        struct twin all[] = {at, n, x, y};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            drop_twin(p, all[i]);
    }
    close_pair(p);
}

Test(rows, rpn_heads)
{
    enum { A = 3, H = 25, W = 38, FIRST = 100, ANCHORS = FIRST + A * H * W + 50 };
    struct pair p = open_pair();
    for (int k = 1; k <= 4; k += 3) {
        struct twin head = twin_uniform(p, (size_t)2 * A * H * W * (size_t)k, 1, -1, 1);
        struct twin rows = twin_floats(p, (size_t)2 * ANCHORS * (size_t)k, SENTINEL);
        p.cpu->ops->rpn_gather(p.cpu, 2, A, k, H, W, ANCHORS, FIRST, CPU(head), CPU(rows));
        p.cuda->ops->rpn_gather(p.cuda, 2, A, k, H, W, ANCHORS, FIRST, CUDA(head), CUDA(rows));
        expect_same(p, "rpn_gather", "rows", rows, sizeof(float));
        struct twin back = twin_floats(p, (size_t)2 * A * H * W * (size_t)k, SENTINEL);
        p.cpu->ops->rpn_scatter(p.cpu, 2, A, k, H, W, ANCHORS, FIRST, CPU(rows), CPU(back));
        p.cuda->ops->rpn_scatter(p.cuda, 2, A, k, H, W, ANCHORS, FIRST, CUDA(rows), CUDA(back));
        expect_same(p, "rpn_scatter", "head", back, sizeof(float));
        drop_twin(p, head);
        drop_twin(p, rows);
        drop_twin(p, back);
    }
    close_pair(p);
}
