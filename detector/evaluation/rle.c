#include "detector/evaluation/rle.h"

#include "detector/evaluation/rle_runs.h"

#include <stdlib.h>
#include <string.h>

/* A place in a mask: `left` pixels of `value` are still to come in the current run. */
struct cursor {
    const struct det_rle *rle;
    size_t next; /* run behind the current one */
    uint32_t left;
    int value;
};

static void cursor_advance(struct cursor *c, uint32_t pixels)
{
    c->left -= pixels;
    while (!c->left && c->next < c->rle->n) {
        c->value = c->next % 2;
        c->left = c->rle->counts[c->next++];
    }
}

static struct cursor cursor_at_start(const struct det_rle *rle)
{
    struct cursor c = {.rle = rle};
    cursor_advance(&c, 0);
    return c;
}

static uint32_t shorter(const struct cursor *a, const struct cursor *b)
{
    return a->left < b->left ? a->left : b->left;
}

void det_rle_release(struct det_rle *rle)
{
    free(rle->counts);
    *rle = (struct det_rle){0};
}

enum det_code det_rle_encode(const uint8_t *mask, int h, int w, struct det_rle *out,
                             struct det_error *err)
{
    *out = (struct det_rle){0};
    enum det_code code = rle_check_size(h, w, err);
    if (code)
        return code;
    struct rle_runs runs = {0};
    uint32_t length = 0;
    int value = 0;
    for (int x = 0; x < w; x++)
        for (int y = 0; y < h; y++) {
            int here = mask[(size_t)y * (size_t)w + (size_t)x] != 0;
            if (here != value) {
                rle_runs_push(&runs, length);
                length = 0;
                value = here;
            }
            length++;
        }
    rle_runs_push(&runs, length);
    return rle_runs_finish(&runs, h, w, out, err);
}

enum det_code det_rle_from_counts(const uint32_t *counts, size_t n, int h, int w,
                                  struct det_rle *out, struct det_error *err)
{
    struct rle_runs runs = {0};
    for (size_t i = 0; i < n; i++)
        rle_runs_push(&runs, counts[i]);
    return rle_runs_finish(&runs, h, w, out, err);
}

void det_rle_decode(const struct det_rle *rle, uint8_t *mask)
{
    int x = 0, y = 0;
    for (size_t i = 0; i < rle->n; i++)
        for (uint32_t left = rle->counts[i]; left; left--) {
            mask[(size_t)y * (size_t)rle->w + (size_t)x] = i % 2;
            if (++y == rle->h) {
                y = 0;
                x++;
            }
        }
}

int64_t det_rle_area(const struct det_rle *rle)
{
    int64_t area = 0;
    for (size_t i = 1; i < rle->n; i += 2)
        area += rle->counts[i];
    return area;
}

void det_rle_box(const struct det_rle *rle, double box[4])
{
    const uint32_t h = (uint32_t)rle->h;
    uint32_t at = 0, x1 = (uint32_t)rle->w, y1 = h, x2 = 0, y2 = 0;
    for (size_t i = 0; i < rle->n; at += rle->counts[i++]) {
        if (i % 2 == 0 || rle->counts[i] == 0)
            continue;
        uint32_t left = at / h, top = at % h, right = left;
        uint32_t bottom = top + rle->counts[i] - 1;
        if (bottom >= h) { /* on from the bottom of one column to the top of the next */
            right = left + bottom / h;
            top = 0;
            bottom = h - 1;
        }
        x1 = left < x1 ? left : x1;
        x2 = right > x2 ? right : x2;
        y1 = top < y1 ? top : y1;
        y2 = bottom > y2 ? bottom : y2;
    }
    int empty = y1 == h;
    box[0] = empty ? 0 : x1;
    box[1] = empty ? 0 : y1;
    box[2] = empty ? 0 : x2 - x1 + 1;
    box[3] = empty ? 0 : y2 - y1 + 1;
}

static enum det_code merge_two(const struct det_rle *a, const struct det_rle *b, int intersect,
                               struct det_rle *out, struct det_error *err)
{
    struct rle_runs runs = {0};
    struct cursor p = cursor_at_start(a), q = cursor_at_start(b);
    while (p.left) {
        uint32_t length = shorter(&p, &q);
        int value = intersect ? p.value && q.value : p.value || q.value;
        rle_runs_extend(&runs, value, length);
        cursor_advance(&p, length);
        cursor_advance(&q, length);
    }
    return rle_runs_finish(&runs, a->h, a->w, out, err);
}

enum det_code det_rle_merge(const struct det_rle *rles, size_t n, int intersect,
                            struct det_rle *out, struct det_error *err)
{
    *out = (struct det_rle){0};
    if (n == 0)
        return det_fail(err, DET_INVALID, "no masks to merge");
    for (size_t i = 1; i < n; i++)
        if (rles[i].h != rles[0].h || rles[i].w != rles[0].w)
            return det_fail(err, DET_INVALID, "masks of %d x %d and %d x %d cannot be merged",
                            rles[0].h, rles[0].w, rles[i].h, rles[i].w);
    struct det_rle sum;
    enum det_code code =
        det_rle_from_counts(rles[0].counts, rles[0].n, rles[0].h, rles[0].w, &sum, err);
    for (size_t i = 1; i < n && !code; i++) {
        struct det_rle next;
        code = merge_two(&sum, &rles[i], intersect, &next, err);
        det_rle_release(&sum);
        sum = next;
    }
    *out = sum;
    return code;
}

/* A run of ones, as pixel indices [start, end); the last ones of a mask are followed by an empty
 * one behind everything. */
struct ones {
    const struct det_rle *rle;
    size_t next; /* run of zeros behind it */
    uint32_t start, end;
};

static inline void ones_advance(struct ones *o)
{
    int any = o->next + 1 < o->rle->n;
    o->start = any ? o->end + o->rle->counts[o->next] : UINT32_MAX;
    o->end = any ? o->start + o->rle->counts[o->next + 1] : UINT32_MAX;
    o->next += 2;
}

int64_t det_rle_intersection(const struct det_rle *a, const struct det_rle *b)
{
    int64_t common = 0;
    struct ones p = {.rle = a}, q = {.rle = b};
    ones_advance(&p);
    ones_advance(&q);
    while (p.start != UINT32_MAX && q.start != UINT32_MAX) {
        uint32_t start = p.start > q.start ? p.start : q.start;
        uint32_t end = p.end < q.end ? p.end : q.end;
        common += end > start ? end - start : 0;
        if (p.end < q.end)
            ones_advance(&p);
        else
            ones_advance(&q);
    }
    return common;
}

double det_rle_iou(const struct det_rle *detection, const struct det_rle *truth, int crowd)
{
    if (detection->h != truth->h || detection->w != truth->w)
        return -1;
    int64_t common = det_rle_intersection(detection, truth);
    if (!common)
        return 0;
    int64_t area = det_rle_area(detection);
    return (double)common / (double)(crowd ? area : area + det_rle_area(truth) - common);
}
