/* The bump allocator: blocks aligned, apart, zeroed, and the plan's size known before. */
#include "detector/base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(arena, blocks_are_aligned_apart_and_zeroed)
{
    static const size_t sizes[] = {1, 64, 65, 0, 1000, 3};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct det_arena arena = {0};
    size_t offsets[COUNT];

    for (int i = 0; i < COUNT; i++)
        offsets[i] = det_arena_reserve(&arena, sizes[i]);
    cr_assert_eq(det_arena_commit(&arena, "test", NULL), DET_OK);
    for (int i = 0; i < COUNT; i++) {
        unsigned char *block = det_arena_at(&arena, offsets[i]);
        cr_expect_eq((uintptr_t)block % DET_ALIGNMENT, 0, "block %d is not aligned", i);
        for (size_t j = 0; j < sizes[i]; j++)
            cr_assert_eq(block[j], 0, "block %d, byte %zu: not zero, or another block's", i, j);
        memset(block, 0xff, sizes[i]);
    }
    cr_expect_geq(arena.size, offsets[COUNT - 1] + sizes[COUNT - 1]);
    det_arena_release(&arena);
}

Test(arena, can_be_used_again)
{
    struct det_arena arena = {0};
    det_arena_release(&arena);
    cr_expect_eq(det_arena_reserve(&arena, 10), 0);
    cr_assert_eq(det_arena_commit(&arena, "first", NULL), DET_OK);
    det_arena_release(&arena);
    cr_expect_null(arena.base);
    cr_expect_eq(det_arena_reserve(&arena, 10), 0);
    cr_assert_eq(det_arena_commit(&arena, "second", NULL), DET_OK);
    det_arena_release(&arena);
}

Test(arena, nothing_reserved_is_fine)
{
    struct det_arena arena = {0};
    cr_expect_eq(det_arena_commit(&arena, "empty", NULL), DET_OK);
    det_arena_release(&arena);
}

Test(arena, says_what_there_was_no_memory_for)
{
    struct det_arena arena = {0};
    struct det_error err;
    det_arena_reserve(&arena, SIZE_MAX / 4);
    cr_expect_eq(det_arena_commit(&arena, "the model", &err), DET_NO_MEMORY);
    cr_expect(strstr(err.message, "the model: "), "%s", err.message);
}
