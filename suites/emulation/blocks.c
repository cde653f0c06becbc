/* The algorithms of a block against plain loops: reductions, prefix sums, selection, sorting and
 * suppression, for every order of the threads. */
#include "detector/backend/cuda/block_reduce.h"
#include "detector/backend/cuda/block_scan.h"
#include "detector/backend/cuda/block_suppress.h"
#include "detector/backend/cuda/block_take.h"
#include "detector/boxes/nms.h"
#include "detector/boxes/select.h"
#include "suites/emulated_device.h"
#include "suites/random_boxes.h"

static struct det_block block_of(const struct emulated_schedule *s)
{
    return (struct det_block){0, 1, s->threads, &s->schedule};
}

/* Every order, with blocks of both sizes. */
static int each_block(int *round, struct emulated_schedule *s, struct det_block *b)
{
    if (*round > 0)
        free(s->order);
    if (*round == 2 * EMULATED_ORDERS)
        return 0;
    *s =
        emulated_schedule((enum emulated_order)(*round / 2), 7, *round % 2 ? DET_WIDE : DET_NARROW);
    *b = block_of(s);
    (*round)++;
    return 1;
}

Test(blocks, sums_run_in_a_fixed_order)
{
    struct emulated_schedule s;
    struct det_block b;
    double tree[2] = {0, 0};
    for (int round = 0; each_block(&round, &s, &b);) {
        struct draws d = {.seed = 3};
        double values[DET_WIDE] = {0};
        double plain = 0.0;
        for (int t = 0; t < b.threads; t++)
            plain += values[t] = (double)draw(&d, -1.0f, 1.0f);
        double got = det_block_sum(&b, values);
        double *first = &tree[b.threads == DET_WIDE];
        *first = *first == 0.0 ? got : *first;
        cr_expect_eq(got, *first, "%s, %d threads", emulated_order_names[(round - 1) / 2],
                     b.threads);
        cr_expect(fabs(got - plain) <= 1e-12, "%d threads: %g, want %g", b.threads, got, plain);
    }
}

Test(blocks, a_maximum_shows_a_nan)
{
    struct emulated_schedule s;
    struct det_block b;
    for (int round = 0; each_block(&round, &s, &b);) {
        float values[DET_WIDE] = {0};
        for (int nan_at = -1; nan_at < b.threads; nan_at += 51) {
            for (int t = 0; t < b.threads; t++)
                values[t] = t == nan_at ? NAN : (float)(t * 7 % b.threads);
            float got = det_block_max(&b, values);
            cr_expect(nan_at < 0 ? got == (float)(b.threads - 1) : isnan(got), "NaN at %d: %g",
                      nan_at, (double)got);
        }
    }
}

Test(blocks, prefix_sums)
{
    struct emulated_schedule s;
    struct det_block b;
    for (int round = 0; each_block(&round, &s, &b);) {
        struct draws d = {.seed = 4};
        int32_t counts[DET_WIDE] = {0}, spare[DET_WIDE], want[DET_WIDE];
        int sum = 0;
        for (int t = 0; t < b.threads; t++) {
            counts[t] = draw_int(&d, 4);
            want[t] = sum;
            sum += counts[t];
        }
        cr_expect_eq(det_block_scan(&b, counts, spare), sum, "total of %d threads", b.threads);
        for (int t = 0; t < b.threads; t++)
            cr_assert_eq(counts[t], want[t], "thread %d of %d", t, b.threads);
    }
}

enum { MOST_KEYS = 5000 };

/* Distinct keys with few different values (ties), or with any; some are no candidates. */
static int draw_keys(struct draws *d, int n, int values, uint64_t *keys)
{
    int candidates = 0;
    for (int i = 0; i < n; i++) {
        uint32_t word = det_philox((uint32_t)i, d->next++, 0, 0, d->seed).word[0];
        int absent = values > 0 && word % 7 == 0;
        keys[i] =
            absent ? DET_NO_KEY : det_key(values > 0 ? word % (uint32_t)values : word, (uint32_t)i);
        candidates += !absent;
    }
    return candidates;
}

/* The candidates of keys[n], sorted; returns how many. */
static int sorted(int n, const uint64_t *keys, uint64_t *to)
{
    int candidates = 0;
    for (int i = 0; i < n; i++)
        if (keys[i] != DET_NO_KEY)
            to[candidates++] = keys[i];
    det_sort_keys(to, candidates);
    return candidates;
}

static const int key_counts[] = {0, 1, 2, 255, 256, 1500, MOST_KEYS};
static const int key_values[] = {0, 1, 3, 1000};

Test(blocks, selection_keeps_exactly_k)
{
    static uint64_t keys[MOST_KEYS], want[MOST_KEYS];
    static struct det_select_shared shared;
    struct emulated_schedule s;
    struct det_block b;
    struct draws d = {.seed = 5};
    for (int round = 0; each_block(&round, &s, &b);)
        for (int c = 0; c < 7 * 4; c++) {
            int n = key_counts[c / 4];
            int total = draw_keys(&d, n, key_values[c % 4], keys);
            struct det_keys of = {keys, n, 0, NULL, 0};
            sorted(n, keys, want);
            memset(&shared, 0xCB, sizeof shared);
            cr_expect_eq(det_block_available(&b, &of, &shared), total, "%d keys", n);
            int some[] = {0, 1, total / 3, total - 1, total};
            for (int i = 0; i < 5; i++) {
                int k = some[i] < 0 ? 0 : some[i] > total ? total : some[i];
                uint64_t limit = det_block_select(&b, &of, k, &shared);
                cr_expect(k == 0 || want[k - 1] < limit, "%d of %d keys: too few", k, n);
                cr_expect(k == total || want[k] >= limit, "%d of %d keys: too many", k, n);
            }
        }
}

Test(blocks, selection_by_label)
{
    static uint64_t keys[MOST_KEYS], want[MOST_KEYS];
    static int8_t labels[MOST_KEYS];
    static struct det_select_shared shared;
    struct emulated_schedule s;
    struct det_block b;
    struct draws d = {.seed = 6};
    draw_keys(&d, MOST_KEYS, 0, keys);
    for (int i = 0; i < MOST_KEYS; i++)
        labels[i] = (int8_t)(draw_int(&d, 3) - 1);
    for (int label = -1; label < 2; label++) {
        int total = 0;
        for (int i = 0; i < MOST_KEYS; i++)
            if (labels[i] == label)
                want[total++] = keys[i];
        det_sort_keys(want, total);
        for (int round = 0; each_block(&round, &s, &b);) {
            struct det_keys of = {keys, MOST_KEYS, 0, labels, (int8_t)label};
            cr_expect_eq(det_block_available(&b, &of, &shared), total);
            uint64_t limit = det_block_select(&b, &of, 77, &shared);
            cr_expect(want[76] < limit && want[77] >= limit, "label %d", label);
        }
    }
}

Test(blocks, keys_are_taken_in_order_chunk_by_chunk)
{
    static uint64_t keys[MOST_KEYS], want[MOST_KEYS];
    static struct det_take_shared shared;
    struct emulated_schedule s;
    struct det_block b;
    struct draws d = {.seed = 8};
    for (int round = 0; each_block(&round, &s, &b);)
        for (int c = 0; c < 7 * 4; c++) {
            int n = key_counts[c / 4];
            draw_keys(&d, n, key_values[c % 4], keys);
            int total = sorted(n, keys, want);
            struct det_keys of = {keys, n, 0, NULL, 0};
            memset(&shared, 0xCB, sizeof shared);
            for (int at = 0; at < total;) {
                int size = at == 0 && total > 10 ? 9 : DET_CHUNK;
                int k = total - at < size ? total - at : size;
                det_block_take(&b, &of, k, &shared);
                cr_assert_eq(memcmp(shared.keys, want + at, (size_t)k * sizeof *want), 0,
                             "%d keys, %d values: %d from %d on", n, key_values[c % 4], k, at);
                at += k;
            }
        }
}

enum { MOST_BOXES = 700 };

/* Tile by tile as a kernel does it; returns the number kept. */
static int suppress(const struct det_block *b, int n, const float *boxes, const int32_t *classes,
                    float threshold, const struct det_kept *kept, int32_t *keep)
{
    static struct det_suppress_shared s;
    int count = 0;
    for (int first = 0; first < n; first += DET_TILE) {
        int rows = n - first < DET_TILE ? n - first : DET_TILE;
        memset(&s, 0xCB, sizeof s);
        for (int i = 0; i < rows; i++) {
            memcpy(s.boxes[i], boxes + 4 * (first + i), sizeof s.boxes[i]);
            s.classes[i] = classes[first + i];
            s.alive[i] = 1;
        }
        count = det_block_suppress(b, rows, threshold, kept, count, &s);
        for (int i = 0; i < rows; i++)
            if (s.place[i] >= 0)
                keep[s.place[i]] = first + i;
    }
    return count;
}

static void compare_suppression(const struct det_block *b, int n, const float *boxes,
                                const int32_t *classes, float threshold, int max)
{
    static float kept_boxes[MOST_BOXES][4];
    static int32_t kept_classes[MOST_BOXES], got[MOST_BOXES], want[MOST_BOXES];
    struct det_kept kept = {kept_boxes[0], kept_classes, max};
    void *scratch = malloc(det_suppress_scratch(n, max) + 1);
    int n_want = det_suppress(n, boxes, classes, threshold, max, want, scratch);
    int n_got = suppress(b, n, boxes, classes, threshold, &kept, got);
    cr_assert_eq(n_got, n_want, "%d boxes, at most %d: %d kept, want %d", n, max, n_got, n_want);
    for (int i = 0; i < n_want; i++) {
        cr_assert_eq(got[i], want[i], "kept box %d of %d", i, n);
        cr_assert_eq(memcmp(kept_boxes[i], boxes + 4 * want[i], sizeof kept_boxes[i]), 0);
        cr_assert_eq(kept_classes[i], classes[want[i]]);
    }
    free(scratch);
}

Test(blocks, suppression_as_on_the_cpu)
{
    static float boxes[MOST_BOXES][4];
    static int32_t classes[MOST_BOXES];
    static const int counts[] = {0, 1, 2, 127, 128, 129, MOST_BOXES};
    struct emulated_schedule s;
    struct det_block b;
    struct draws d = {.seed = 9};
    for (int round = 0; each_block(&round, &s, &b);)
        for (int c = 0; c < 7 * 3; c++) {
            int n = counts[c / 3];
            draw_boxes(&d, n, c % 3 ? 40.0f : 400.0f, c % 3 == 1, boxes[0]);
            for (int i = 0; i < n; i++)
                classes[i] = draw_int(&d, 1 + c % 3);
            for (int i = 5; i < n; i += 11) /* twins and a box without area */
                memcpy(boxes[i], boxes[i - 5], sizeof boxes[i]);
            if (n > 3)
                boxes[3][2] = boxes[3][0];
            compare_suppression(&b, n, boxes[0], classes, 0.5f, n + 1);
            compare_suppression(&b, n, boxes[0], classes, 0.0f, 20);
            compare_suppression(&b, n, boxes[0], classes, 1.0f, 20);
            compare_suppression(&b, n, boxes[0], classes, 0.7f, 1);
        }
}
