#include "detector/evaluation/coco_segmentation.h"

#include "detector/evaluation/rle_runs.h"

#include <stdlib.h>

/* Pass the failure of a mask on to the cursor, which knows the place. */
static void check(struct json_cursor *c, enum det_code code, const struct det_error *err)
{
    if (!code)
        return;
    cursor_fail(c, "%s", err->message);
    c->code = code;
}

static void points_push(struct json_cursor *c, struct coco_points *points, double value)
{
    if (points->n == points->room) {
        size_t room = points->room ? 2 * points->room : 64;
        double *grown = realloc(points->at, room * sizeof *grown);
        if (!grown) {
            c->code = det_fail(c->err, DET_NO_MEMORY, "no memory for %zu coordinates", room);
            return;
        }
        points->at = grown;
        points->room = room;
    }
    points->at[points->n++] = value;
}

static void read_points(struct json_cursor *c, struct coco_points *points)
{
    points->n = 0;
    cursor_list(c);
    for (size_t i = 0; cursor_next(c, i); i++)
        points_push(c, points, cursor_number(c));
}

static void fill_polygon(struct json_cursor *c, const double *xy, size_t points, int h, int w,
                         struct det_rle *out)
{
    struct det_error err = {0};
    check(c, det_rle_from_polygon(xy, points, h, w, out, &err), &err);
}

void coco_box_mask(struct json_cursor *c, const double box[4], int h, int w, struct det_rle *out)
{
    double x1 = box[0], y1 = box[1], x2 = box[0] + box[2], y2 = box[1] + box[3];
    const double corners[8] = {x1, y1, x1, y2, x2, y2, x2, y1};
    fill_polygon(c, corners, 4, h, w, out);
}

/* Join `piece`, which is used up, to *out. */
static void join(struct json_cursor *c, struct det_rle *piece, struct det_rle *out)
{
    struct det_rle pair[2] = {*out, *piece};
    if (!out->n) {
        *out = *piece;
        return;
    }
    struct det_error err = {0};
    check(c, det_rle_merge(pair, 2, 0, out, &err), &err);
    det_rle_release(&pair[0]);
    det_rle_release(&pair[1]);
}

static void read_polygons(struct json_cursor *c, int h, int w, struct coco_points *points,
                          struct det_rle *out)
{
    size_t i = 0;
    cursor_list(c);
    for (; cursor_next(c, i); i++) {
        struct det_rle piece = {0};
        read_points(c, points);
        if (c->code)
            return;
        /* A line among polygons does no harm; four numbers alone would be a box. */
        if (points->n % 2 || points->n < (i == 0 ? 6 : 4)) {
            cursor_fail(c, "a polygon of %zu numbers", points->n);
            return;
        }
        fill_polygon(c, points->at, points->n / 2, h, w, &piece);
        join(c, &piece, out);
    }
    if (i == 0)
        cursor_fail(c, "a list without polygons");
}

static int read_side(struct json_cursor *c)
{
    int64_t side = cursor_integer(c);
    if (!c->code && (side < 1 || side > INT32_MAX))
        cursor_fail(c, "%lld is no size of a mask", (long long)side);
    return (int)side;
}

static void read_size(struct json_cursor *c, int size[2])
{
    size_t n = 0;
    cursor_list(c);
    for (; cursor_next(c, n); n++) {
        int side = read_side(c);
        if (n < 2)
            size[n] = side;
    }
    if (!c->code && n != 2)
        cursor_fail(c, "%zu numbers, expected height and width", n);
}

static void read_counts(struct json_cursor *c, struct rle_runs *runs)
{
    cursor_list(c);
    for (size_t i = 0; cursor_next(c, i); i++) {
        int64_t count = cursor_integer(c);
        if (!c->code && (count < 0 || count > INT32_MAX))
            cursor_fail(c, "%lld is no length of a run", (long long)count);
        rle_runs_push(runs, (uint32_t)count);
    }
}

static void read_rle(struct json_cursor *c, struct det_rle *out)
{
    struct rle_runs runs = {0};
    struct json_string key, string = {0};
    int size[2] = {0, 0}, any = 0;
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &key); i++) {
        if (cursor_is(key, "size")) {
            read_size(c, size);
        } else if (!cursor_is(key, "counts")) {
            cursor_skip(c);
        } else if (any++) {
            cursor_fail(c, "given twice");
        } else if (cursor_kind(c) == '"') {
            string = cursor_text(c);
        } else {
            read_counts(c, &runs);
        }
    }
    if (!c->code && (!any || !size[0]))
        cursor_fail(c, "a mask needs \"size\" and \"counts\"");
    if (c->code) {
        rle_runs_abandon(&runs);
        return;
    }
    struct det_error err = {0};
    enum det_code code =
        string.at ? det_rle_from_string(string.at, string.length, size[0], size[1], out, &err)
                  : rle_runs_finish(&runs, size[0], size[1], out, &err);
    check(c, code, &err);
}

void coco_read_segmentation(struct json_cursor *c, int h, int w, struct coco_points *points,
                            struct det_rle *out)
{
    *out = (struct det_rle){0};
    char kind = cursor_kind(c);
    if (kind == '{')
        read_rle(c, out);
    else if (kind == '[')
        read_polygons(c, h, w, points, out);
    else
        cursor_fail(c, "expected polygons or an RLE");
    if (c->code)
        det_rle_release(out);
}
