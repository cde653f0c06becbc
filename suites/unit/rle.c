/* Run-length masks: round trips, set algebra against plain pixels, polygons against pycocotools,
 * and strings that are no masks. */
#include "detector/evaluation/rle.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_MAX 24
#define PIXELS_MAX (SIDE_MAX * SIDE_MAX)

/* A mask of `density` ones in 256, a function of `seed` alone. */
static void random_mask(uint32_t seed, int h, int w, uint32_t density, uint8_t *mask)
{
    uint32_t state = seed * 2654435761u + 1;
    for (int i = 0; i < h * w; i++) {
        state = state * 1664525u + 1013904223u;
        mask[i] = (state >> 24) < density;
    }
}

static struct det_rle encoded(const uint8_t *mask, int h, int w)
{
    struct det_rle rle;
    struct det_error err = {0};
    cr_assert_eq(det_rle_encode(mask, h, w, &rle, &err), DET_OK, "encode: %s", err.message);
    return rle;
}

Test(rle, encode_by_hand)
{
    /* Columns of  0 1 1  are (0 0) (1 0) (1 1): two zeros, a one, a zero, two ones.
     *             0 0 1                                                           */
    const uint8_t mask[6] = {0, 1, 1, 0, 0, 1};
    const uint32_t want[4] = {2, 1, 1, 2};
    struct det_rle rle = encoded(mask, 2, 3);
    cr_expect_eq(rle.n, 4, "runs: got %zu, want 4", rle.n);
    cr_expect_eq(memcmp(rle.counts, want, sizeof want), 0, "wrong runs");
    det_rle_release(&rle);

    const uint8_t full[6] = {1, 1, 1, 1, 1, 1};
    rle = encoded(full, 2, 3);
    cr_expect(rle.n == 2 && rle.counts[0] == 0 && rle.counts[1] == 6, "a full mask is 0, 6");
    det_rle_release(&rle);
}

static void check_round_trip(uint32_t seed, int h, int w, uint32_t density)
{
    uint8_t mask[PIXELS_MAX], back[PIXELS_MAX];
    random_mask(seed, h, w, density, mask);
    struct det_rle rle = encoded(mask, h, w), again = {0};
    det_rle_decode(&rle, back);
    cr_expect_eq(memcmp(mask, back, (size_t)(h * w)), 0, "%d x %d, seed %u: decode(encode)", h, w,
                 seed);

    char *string = NULL;
    struct det_error err = {0};
    cr_assert_eq(det_rle_to_string(&rle, &string, &err), DET_OK);
    cr_expect_eq(det_rle_from_string(string, strlen(string), h, w, &again, &err), DET_OK, "%s: %s",
                 string, err.message);
    cr_expect(again.n == rle.n && !memcmp(again.counts, rle.counts, rle.n * sizeof *rle.counts),
              "%d x %d, seed %u: other runs behind the string %s", h, w, seed, string);
    free(string);
    det_rle_release(&rle);
    det_rle_release(&again);
}

Test(rle, round_trips)
{
    const uint32_t densities[] = {0, 8, 128, 250, 256};
    for (uint32_t seed = 0; seed < 200; seed++)
        check_round_trip(seed, 1 + (int)(seed % SIDE_MAX), 1 + (int)(seed * 7 % SIDE_MAX),
                         densities[seed % 5]);
}

static void plain_box(const uint8_t *mask, int h, int w, double box[4])
{
    int x1 = w, y1 = h, x2 = -1, y2 = -1;
    for (int i = 0; i < h * w; i++)
        if (mask[i]) {
            x1 = i % w < x1 ? i % w : x1;
            x2 = i % w > x2 ? i % w : x2;
            y1 = i / w < y1 ? i / w : y1;
            y2 = i / w > y2 ? i / w : y2;
        }
    box[0] = x2 < 0 ? 0 : x1;
    box[1] = x2 < 0 ? 0 : y1;
    box[2] = x2 < 0 ? 0 : x2 - x1 + 1;
    box[3] = x2 < 0 ? 0 : y2 - y1 + 1;
}

static void check_algebra(uint32_t seed, int h, int w)
{
    uint8_t a[PIXELS_MAX], b[PIXELS_MAX], both[PIXELS_MAX], any[PIXELS_MAX], got[PIXELS_MAX];
    random_mask(seed, h, w, seed % 3 ? 20 : 200, a);
    random_mask(seed + 1000, h, w, 100, b);
    int area = 0, common = 0, joined = 0;
    for (int i = 0; i < h * w; i++) {
        both[i] = a[i] && b[i];
        any[i] = a[i] || b[i];
        area += a[i];
        common += both[i];
        joined += any[i];
    }
    struct det_rle pair[2] = {encoded(a, h, w), encoded(b, h, w)}, merged;
    cr_expect_eq(det_rle_area(&pair[0]), area, "seed %u: area", seed);
    cr_expect_eq(det_rle_intersection(&pair[0], &pair[1]), common, "seed %u: intersection", seed);
    double iou = common ? (double)common / joined : 0, crowd = common ? (double)common / area : 0;
    cr_expect_eq(det_rle_iou(&pair[0], &pair[1], 0), iou, "seed %u: IoU", seed);
    cr_expect_eq(det_rle_iou(&pair[0], &pair[1], 1), crowd, "seed %u: crowd IoU", seed);
    for (int intersect = 0; intersect < 2; intersect++) {
        cr_assert_eq(det_rle_merge(pair, 2, intersect, &merged, NULL), DET_OK);
        det_rle_decode(&merged, got);
        cr_expect_eq(memcmp(got, intersect ? both : any, (size_t)(h * w)), 0,
                     "seed %u: merge, intersect %d", seed, intersect);
        det_rle_release(&merged);
    }
    double box[4], want[4];
    det_rle_box(&pair[0], box);
    plain_box(a, h, w, want);
    cr_expect_eq(memcmp(box, want, sizeof box), 0, "seed %u: box %g %g %g %g, want %g %g %g %g",
                 seed, box[0], box[1], box[2], box[3], want[0], want[1], want[2], want[3]);
    det_rle_release(&pair[0]);
    det_rle_release(&pair[1]);
}

Test(rle, set_algebra_against_pixels)
{
    for (uint32_t seed = 0; seed < 200; seed++)
        check_algebra(seed, 1 + (int)(seed * 5 % SIDE_MAX), 1 + (int)(seed % SIDE_MAX));
}

Test(rle, sizes_must_agree)
{
    const uint8_t mask[6] = {1, 1, 0, 0, 1, 1};
    struct det_rle pair[2] = {encoded(mask, 2, 3), encoded(mask, 3, 2)}, merged;
    struct det_error err = {0};
    cr_expect_eq(det_rle_iou(&pair[0], &pair[1], 0), -1);
    cr_expect_eq(det_rle_merge(pair, 2, 0, &merged, &err), DET_INVALID);
    cr_expect(strstr(err.message, "2 x 3") && strstr(err.message, "3 x 2"), "%s", err.message);
    cr_expect_eq(det_rle_merge(pair, 0, 0, &merged, &err), DET_INVALID);
    det_rle_release(&pair[0]);
    det_rle_release(&pair[1]);
}

/* pycocotools 2.0.11: mask.encode-compatible strings of _mask.frPoly([xy], h, w), mask.area. */
static const struct polygon_case {
    const char *name;
    int h, w, points;
    double xy[20];
    const char *string;
    int area;
} polygons[] = {
    {"square on pixel borders", 8, 10, 4, {2, 1, 7, 1, 7, 5, 2, 5}, "a0440000000g0", 20},
    {"triangle", 9, 9, 3, {1, 1, 7.5, 2.25, 3, 8}, ":273M10N1O1Nb0", 21},
    {"covers the image", 5, 7, 4, {-3, -2, 12, -2, 12, 9, -3, 9}, "0S1", 35},
    {"half pixels", 6, 6, 4, {0.5, 0.5, 4.5, 0.5, 4.5, 3.5, 0.5, 3.5}, "733000005", 12},
    {"bow tie", 10, 12, 4, {1, 1, 10, 8, 10, 1, 1, 8}, ";74N2N2N;0E2N2N2b0", 32},
    {"thin", 6, 8, 4, {1.1, 2.2, 6.9, 2.3, 6.8, 2.6, 1.2, 2.5}, "8150000000004", 6},
    {"repeated vertex", 7, 7, 6, {1, 1, 1, 1, 5, 1, 5, 6, 5, 6, 1, 6}, "85200000=", 20},
    {"negative", 9, 8, 4, {-2.3, -1.7, 5.4, 0.6, 3.2, 7.7, -0.4, 4.1}, "0541O1O00Lo0", 28},
    {"line", 6, 6, 2, {1, 1, 4, 4}, "T1", 0},
    {"star",
     20,
     20,
     10,
     {10, 0.4,  12.2, 7,    19.5, 7,    13.6, 11.4, 15.9, 18.4,
      10, 14.2, 4.1,  18.4, 6.4,  11.4, 0.5,  7,    7.8,  7},
     "k01c0001O1EN23JO770OO1N2103N1OO1OJIO70MN219O10=",
     112},
};

Test(rle, polygons_as_pycocotools)
{
    for (size_t i = 0; i < sizeof polygons / sizeof *polygons; i++) {
        const struct polygon_case *c = &polygons[i];
        struct det_rle rle;
        struct det_error err = {0};
        enum det_code code = det_rle_from_polygon(c->xy, (size_t)c->points, c->h, c->w, &rle, &err);
        cr_assert_eq(code, DET_OK, "%s: %s", c->name, err.message);
        char *string = NULL;
        cr_assert_eq(det_rle_to_string(&rle, &string, NULL), DET_OK);
        cr_expect_str_eq(string, c->string, "%s: got %s, want %s", c->name, string, c->string);
        cr_expect_eq(det_rle_area(&rle), c->area, "%s: area", c->name);
        free(string);
        det_rle_release(&rle);
    }
}

Test(rle, polygons_refused)
{
    const double bad[][6] = {
        {0, 0, NAN, 1, 2, 2}, {0, 0, 1, INFINITY, 2, 2}, {0, 0, 1, 1, -1e9, 2}};
    for (size_t i = 0; i < 3; i++) {
        struct det_rle rle;
        struct det_error err = {0};
        cr_expect_eq(det_rle_from_polygon(bad[i], 3, 4, 4, &rle, &err), DET_INVALID);
        cr_expect(strstr(err.message, "coordinate"), "%s", err.message);
        cr_expect_null(rle.counts);
    }
}

/* Each is no mask of 3 x 4 pixels. */
static const char *const bad_strings[] = {
    "",         /* no runs for 12 pixels */
    "\x01",     /* a character below '0' */
    "p",        /* a character above 'o' */
    "oooooooo", /* a number without end */
    "T",        /* cut inside a number */
    "O",        /* -1 */
    "43",       /* covers 7 */
    "0<1",      /* covers 13 */
    "111O",     /* fourth: 1 - 1 = 0, covers 3 */
    "111L",     /* fourth: 1 - 4 < 0 */
    "oooooo0",  /* far beyond 2^31, or negative */
};

Test(rle, strings_refused)
{
    for (size_t i = 0; i < sizeof bad_strings / sizeof *bad_strings; i++) {
        struct det_rle rle;
        struct det_error err = {0};
        size_t length = strlen(bad_strings[i]);
        char *copy = malloc(length + 1); /* on the heap, so that reading beyond it is seen */
        memcpy(copy, bad_strings[i], length + 1);
        cr_expect_eq(det_rle_from_string(copy, length, 3, 4, &rle, &err), DET_INVALID,
                     "string %zu was taken", i);
        cr_expect_null(rle.counts);
        cr_expect_gt(strlen(err.message), 0);
        free(copy);
    }
}

Test(rle, sizes_refused)
{
    const uint32_t counts[1] = {0};
    const int sizes[][2] = {{0, 4}, {4, 0}, {-1, 4}, {65536, 65536}};
    for (size_t i = 0; i < 4; i++) {
        struct det_rle rle;
        cr_expect_eq(det_rle_from_counts(counts, 1, sizes[i][0], sizes[i][1], &rle, NULL),
                     DET_INVALID, "%d x %d was taken", sizes[i][0], sizes[i][1]);
    }
}
