/* Keys: an order without contradictions; selection and sorting against qsort. */
#include "detector/boxes/select.h"
#include "detector/bodies/sort_key.h"
#include "suites/random_boxes.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 3000 };

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

enum pattern { RANDOM, SORTED, REVERSED, ORGAN_PIPE, ALL_TIED, FEW_VALUES, N_PATTERNS };

static void fill(enum pattern pattern, int n, uint64_t *keys)
{
    struct draws d = {.seed = (uint32_t)n};
    for (int i = 0; i < n; i++) {
        int value = pattern == RANDOM       ? draw_int(&d, 1 << 20)
                    : pattern == SORTED     ? i
                    : pattern == REVERSED   ? n - i
                    : pattern == ORGAN_PIPE ? (i < n / 2 ? i : n - i)
                    : pattern == ALL_TIED   ? 7
                                            : draw_int(&d, 3);
        keys[i] = det_key((uint32_t)value, (uint32_t)i);
    }
}

Test(select, agrees_with_qsort)
{
    static const int sizes[] = {0, 1, 2, 3, 24, 25, 26, 100, 777, MOST};
    static uint64_t keys[MOST];
    static uint64_t want[MOST];
    for (int p = 0; p < N_PATTERNS; p++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            int n = sizes[s];
            fill((enum pattern)p, n, want);
            qsort(want, (size_t)n, sizeof *want, ascending);
            fill((enum pattern)p, n, keys);
            det_sort_keys(keys, n);
            cr_expect_eq(memcmp(keys, want, (size_t)n * sizeof *keys), 0, "sort: pattern %d n %d",
                         p, n);
            for (int k = 0; k <= n; k += 1 + n / 7) {
                fill((enum pattern)p, n, keys);
                det_select_smallest(keys, n, k);
                qsort(keys, (size_t)k, sizeof *keys, ascending);
                cr_expect_eq(memcmp(keys, want, (size_t)k * sizeof *keys), 0,
                             "select: pattern %d n %d k %d", p, n, k);
            }
        }
}

Test(select, keys_descend_with_the_score_and_ties_keep_the_index)
{
    static const float scores[] = {INFINITY, 3e38f,   2.0f,  1.0000001f, 1.0f,     1e-42f,
                                   0.0f,     -1e-42f, -1.0f, -3e38f,     -INFINITY};
    for (size_t i = 1; i < sizeof scores / sizeof scores[0]; i++)
        cr_expect_lt(det_key_descending(scores[i - 1], 9), det_key_descending(scores[i], 2),
                     "%g before %g", (double)scores[i - 1], (double)scores[i]);
    cr_expect_lt(det_key_descending(0.5f, 3), det_key_descending(0.5f, 4));
    cr_expect_lt(det_key_descending(-0.0f, 3), det_key_descending(0.0f, 4), "-0 ties with 0");
    cr_expect_lt(det_key_descending(0.0f, 3), det_key_descending(-0.0f, 4), "0 ties with -0");
    cr_expect_eq(det_key_index(det_key_descending(0.5f, 1234567)), 1234567);
    cr_expect_eq(det_key_score(det_key_descending(-2.5f, 7)), -2.5f);
    cr_expect_eq(det_key_score(det_key_descending(0.3f, 7)), 0.3f);
}
