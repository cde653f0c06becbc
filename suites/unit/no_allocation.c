/* A training step allocates nothing: this binary's allocator counts what is asked for while a step
 * runs, in every thread. */
#include "suites/model_suite.h"

#include <errno.h>
#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATOR 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OWN_ALLOCATOR 0
#endif
#endif
#ifndef OWN_ALLOCATOR
#define OWN_ALLOCATOR 1
#endif

static atomic_int watching, allocations;

#if OWN_ALLOCATOR
/* glibc's own entries, which these stand in front of. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void count(void)
{
    if (atomic_load(&watching))
        atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    count();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
#endif

static void one_step(struct small *s, const struct det_sample *samples, uint32_t step)
{
    struct det_step_stats stats;
    det_model_zero_grad(s->model);
    for (int half = 0; half < 2; half++)
        if (det_model_forward_backward(s->model, samples + 2 * half, 2, step, 0.5, &stats, NULL))
            cr_assert_fail("step %u", step);
    if (det_model_update(s->model, step, &stats, NULL))
        cr_assert_fail("step %u", step);
}

static const struct {
    const char *name;
    int objects[SMALL_IMAGES];
} batches[] = {
    {"objects", {3, 2, 1, 4}}, {"some empty", {0, 3, 2, 0}}, {"all empty", {0, 0, 0, 0}}};

static const char *const variants[][6] = {
    {NULL},
    {"optimizer.kind", "adamw", "model.precision", "bf16", NULL},
    {"rpn_cls_loss", "ohem", "roi_cls_loss", "ohem", NULL},
    {"model.norm", "frozen_bn", "model.block", "bottleneck", NULL},
};

static void count_steps(const char *const *variant, int threads)
{
    struct det_config config = small_config();
    for (int i = 0; variant[i]; i += 2)
        set(&config, variant[i], variant[i + 1]);
    struct small s = small_open(&config, threads);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        struct det_sample samples[SMALL_IMAGES];
        images_with(samples, SMALL_IMAGES, batches[b].objects);
        if (b == 0)
            one_step(&s, samples, 0); /* OpenBLAS takes its buffers at its first call */
        atomic_store(&allocations, 0);
        atomic_store(&watching, 1);
        for (uint32_t step = 1; step < 4; step++)
            one_step(&s, samples, step);
        atomic_store(&watching, 0);
        cr_expect_eq(atomic_load(&allocations), 0, "%s %s, %s, %d threads: %d allocations",
                     variant[0] ? variant[0] : "defaults", variant[0] ? variant[1] : "",
                     batches[b].name, threads, atomic_load(&allocations));
        drop_images(samples, SMALL_IMAGES);
    }
    small_close(&s);
}

Test(no_allocation, training_steps)
{
    if (!OWN_ALLOCATOR)
        cr_skip_test("the sanitizer has the allocator");
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
        for (int threads = 1; threads <= 2; threads++)
            count_steps(variants[v], threads);
}

/* The counter itself. */
Test(no_allocation, the_counter_counts)
{
    if (!OWN_ALLOCATOR)
        cr_skip_test("the sanitizer has the allocator");
    void *volatile a, *volatile b;
    atomic_store(&watching, 1);
    a = malloc(100);
    b = aligned_alloc(64, 128);
    a = realloc(a, 4000);
    atomic_store(&watching, 0);
    cr_expect_eq(atomic_load(&allocations), 3);
    free(a);
    free(b);
}
