/* The optimiser's operations: everything but the norm to the bit. */
#include "suites/parity/parity.h"

#include "detector/training/optimizer.h"

static const size_t sizes[] = {0, 1, 255, 256, 257, 16384, 16385, 70001};
#define SIZES (sizeof sizes / sizeof *sizes)

Test(update, sum_of_squares_clip_and_scale)
{
    struct pair p = open_pair();
    for (size_t i = 0; i < SIZES; i++) {
        size_t n = sizes[i];
        char name[32];
        snprintf(name, sizeof name, "%zu gradients", n);
        struct twin g = twin_uniform(p, n, 1, -2.0f, 2.0f);
        struct twin sum = twin_of(p, NULL, sizeof(double));
        struct twin clip = twin_of(p, NULL, sizeof(struct det_clip));
        p.cpu->ops->sum_squares(p.cpu, n, CPU(g), CPU(sum));
        p.cuda->ops->sum_squares(p.cuda, n, CUDA(g), CUDA(sum));
        double got, want = *(double *)CPU(sum);
        p.cuda->ops->download(p.cuda, &got, CUDA(sum), sizeof got);
        cr_expect(fabs(got - want) <= 1e-12 * want, "%s: sum: cuda %.17g, cpu %.17g", name, got,
                  want);
        p.cuda->ops->upload(p.cuda, CUDA(sum), &want, sizeof want); /* one norm for both */
        p.cpu->ops->clip(p.cpu, 10.0, CPU(sum), CPU(clip));
        p.cuda->ops->clip(p.cuda, 10.0, CUDA(sum), CUDA(clip));
        expect_same(p, name, "clip", clip, sizeof(int32_t));
        p.cpu->ops->scale(p.cpu, n, &((struct det_clip *)CPU(clip))->factor, CPU(g));
        p.cuda->ops->scale(p.cuda, n, &((struct det_clip *)CUDA(clip))->factor, CUDA(g));
        expect_same(p, name, "scaled", g, sizeof(float));
        drop_twin(p, g);
        drop_twin(p, sum);
        drop_twin(p, clip);
    }
    close_pair(p);
}

Test(update, steps_of_both_optimisers)
{
    struct pair p = open_pair();
    for (int kind = DET_SGD; kind <= DET_ADAMW; kind++) {
        enum { N = 1000 };
        struct twin w = twin_uniform(p, N, 1, -1, 1), g = twin_uniform(p, N, 2, -1, 1);
        struct twin m = twin_floats(p, N, 0), v = twin_floats(p, N, 0);
        for (int step = 1; step <= 4; step++) {
            struct det_update u = {(enum det_optimizer_kind)kind, 0.1, 0.9, 0.01, 0.9, 0.999, 1e-8,
                                   step};
            struct det_update_terms terms = det_update_terms_of(&u);
            struct det_clip clip = {.norm = 20, .factor = step == 2 ? 0.5f : 0.3f, .clipped = 1,
                                    .skip = step == 3};
            struct twin t = twin_of(p, &terms, sizeof terms), c = twin_of(p, &clip, sizeof clip);
            p.cpu->ops->update(p.cpu, u.kind, CPU(t), CPU(c), N, CPU(w), CPU(g), CPU(m), CPU(v));
            p.cuda->ops->update(p.cuda, u.kind, CUDA(t), CUDA(c), N, CUDA(w), CUDA(g), CUDA(m),
                                CUDA(v));
            expect_same(p, kind ? "adamw" : "sgd", "weights", w, sizeof(float));
            expect_same(p, kind ? "adamw" : "sgd", "first state", m, sizeof(float));
            expect_same(p, kind ? "adamw" : "sgd", "second state", v, sizeof(float));
            drop_twin(p, t);
            drop_twin(p, c);
        }
        drop_twin(p, w);
        drop_twin(p, g);
        drop_twin(p, m);
        drop_twin(p, v);
    }
    close_pair(p);
}

Test(update, rounding_and_the_check_for_overflow)
{
    struct pair p = open_pair();
    float x[] = {0.0f, -0.0f, 1.0f, 1.00390625f, 1.01171875f, 3.4e38f, 1e-40f, INFINITY, -INFINITY,
                 NAN, 65504.0f, 65520.0f};
    enum { N = sizeof x / sizeof *x };
    struct twin from = twin_of(p, x, sizeof x), to = twin_floats(p, N, SENTINEL);
    p.cpu->ops->round_bf16(p.cpu, N, CPU(from), CPU(to));
    p.cuda->ops->round_bf16(p.cuda, N, CUDA(from), CUDA(to));
    expect_same(p, "bf16", "rounded", to, sizeof(float));
    p.cpu->ops->round_fp16(p.cpu, N, CPU(from), CPU(to));
    p.cuda->ops->round_fp16(p.cuda, N, CUDA(from), CUDA(to));
    expect_same(p, "fp16", "rounded", to, sizeof(float));
    for (size_t n = 0; n <= N; n++) {
        struct twin flag = twin_of(p, NULL, sizeof(int32_t));
        p.cpu->ops->check_finite(p.cpu, n, CPU(from), CPU(flag));
        p.cuda->ops->check_finite(p.cuda, n, CUDA(from), CUDA(flag));
        expect_same(p, "check_finite", "flag", flag, sizeof(int32_t));
        drop_twin(p, flag);
    }
    drop_twin(p, from);
    drop_twin(p, to);
    close_pair(p);
}
