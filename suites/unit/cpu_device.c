/* The CPU device: memory, scratch, and finding a backend by name. */
#include "suites/layers.h"

Test(cpu_device, memory_is_zeroed_aligned_and_copied)
{
    struct det_device *dev = open_device(2, (struct scratch){0, 0});
    struct det_error err = {0};
    void *block = NULL;
    cr_assert_eq(dev->ops->alloc(dev, 1000, "test block", &block, &err), DET_OK, "%s", err.message);
    cr_expect_eq((uintptr_t)block % 64, 0, "block not aligned to 64");
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(((char *)block)[i], 0, "byte %d is not zero", i);
    char out[5] = "abcd";
    dev->ops->upload(dev, block, "wxyz", 5);
    dev->ops->download(dev, out, block, 5);
    cr_expect_str_eq(out, "wxyz");
    dev->ops->zero(dev, block, 5);
    dev->ops->download(dev, out, block, 5);
    cr_expect_eq(memcmp(out, "\0\0\0\0\0", 5), 0, "zero left something");
    cr_expect_eq(dev->ops->synchronize(dev, &err), DET_OK);
    dev->ops->release(dev, block);
    close_device(dev);
}

Test(cpu_device, nothing_is_a_block_too)
{
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    void *block = NULL;
    cr_expect_eq(dev->ops->alloc(dev, 0, "nothing", &block, NULL), DET_OK);
    cr_expect_not_null(block);
    dev->ops->zero(dev, block, 0);
    dev->ops->release(dev, block);
    dev->ops->release(dev, NULL);
    close_device(dev);
}

Test(cpu_device, an_impossible_request_says_what_and_how_much)
{
    struct det_device *dev = open_device(1, (struct scratch){0, 0});
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct det_error err = {0};
        void *block = dev;
        char size[32];
        snprintf(size, sizeof size, "%zu", sizes[i]);
        cr_expect_eq(dev->ops->alloc(dev, sizes[i], "activations", &block, &err), DET_NO_MEMORY,
                     "%s bytes", size);
        cr_expect_null(block, "%s bytes", size);
        cr_expect(strstr(err.message, "activations") && strstr(err.message, size), "message: %s",
                  err.message);
        cr_expect_eq(dev->ops->reserve_scratch(dev, sizes[i], 0, &err), DET_NO_MEMORY,
                     "%s bytes a worker", size);
    }
    close_device(dev);
}

/* Scratch only grows, each worker has its own, and a request that fails leaves the old one. */
Test(cpu_device, scratch_grows)
{
    struct det_device *dev = open_device(3, (struct scratch){100, 10});
    const struct det_cpu *cpu = det_cpu_of(dev);
    cr_expect_eq(dev->ops->reserve_scratch(dev, 5000, 7000, NULL), DET_OK);
    cr_expect_eq(dev->ops->reserve_scratch(dev, 50, 70, NULL), DET_OK);
    cr_expect_geq(cpu->scratch_bytes, 5000);
    cr_expect_geq(cpu->shared_bytes, 7000);
    cr_expect_eq(dev->ops->reserve_scratch(dev, SIZE_MAX / 2, 0, NULL), DET_NO_MEMORY);
    for (int worker = 0; worker < 3; worker++) {
        unsigned char *own = det_cpu_scratch(cpu, worker);
        cr_expect_eq((uintptr_t)own % 64, 0, "worker %d: not aligned", worker);
        memset(own, worker, 5000);
    }
    for (int worker = 0; worker < 3; worker++)
        cr_expect_eq(((unsigned char *)det_cpu_scratch(cpu, worker))[4999], worker,
                     "worker %d: overwritten by another", worker);
    close_device(dev);
}

Test(cpu_device, live_rows_are_clamped)
{
    static const int32_t counts[] = {-3, 0, 2, 5, 9};
    static const int want[] = {0, 0, 2, 5, 5};
    for (int i = 0; i < 5; i++)
        cr_expect_eq(det_live(&counts[i], 5), want[i], "count %d of 5", counts[i]);
    cr_expect_eq(det_live(NULL, 5), 5);
}

Test(cpu_device, backends_by_name)
{
    const struct det_backend *backend;
    struct det_error err = {0};
    cr_expect_eq(det_backend_find("cpu", &backend, &err), DET_OK);
    cr_expect_eq(backend, det_cpu_backend());
    cr_expect_eq(det_backend_find("cuda", &backend, &err), DET_OK);
    cr_expect_str_eq(backend->name, "cuda");
    cr_expect_eq(det_backend_find("tpu", &backend, &err), DET_INVALID);
    cr_expect_null(backend);
    cr_expect(strstr(err.message, "tpu") && strstr(err.message, "cpu, cuda"), "message: %s",
              err.message);
}

/* No entry of the table is missing: a NULL one would be a crash in the middle of a run. */
Test(cpu_device, the_table_is_full)
{
    const struct det_backend *backend = det_cpu_backend();
    void *const *entry = (void *const *)backend;
    for (size_t i = 0; i < sizeof *backend / sizeof *entry; i++)
        cr_expect_not_null(entry[i], "entry %zu of struct det_backend is NULL", i);
}
