/* Polygons to masks. The outline is drawn on a grid five times finer than the pixels; a pixel
 * column's ones start and end where the outline crosses the middle of that column. Which pixel a
 * border falls into is a matter of the rounding below, which is that of pycocotools' maskApi, so
 * that areas and IoUs agree with it to the pixel. */
#include "detector/evaluation/rle_runs.h"

#include <math.h>
#include <stdlib.h>

#define FINE 5             /* grid points to a pixel's side */
#define MIDDLE (FINE / 2)  /* the grid point in a pixel's middle */
#define COORDINATE_MAX 1e6 /* keeps grid coordinates in an int, and the work finite */

struct outline {
    int h, w;
    int started;
    int u, v;                 /* last grid point */
    struct rle_runs crossing; /* column-major pixel index of every crossing, in drawing order */
};

/* The next grid point of the outline. Where it enters another grid column, and the column left of
 * that border is the middle of a pixel column inside the image, the crossing is noted. */
static void outline_point(struct outline *o, int u, int v)
{
    int column = u < o->u ? u : u - 1;
    if (o->started && u != o->u && column >= MIDDLE && column % FINE == MIDDLE &&
        column / FINE < o->w) {
        int upper = v < o->v ? v : o->v;
        int row = upper <= MIDDLE ? 0 : (upper - MIDDLE + FINE - 1) / FINE; /* rounded up */
        row = row > o->h ? o->h : row;
        rle_runs_push(&o->crossing, (uint32_t)(column / FINE * o->h + row));
    }
    o->started = 1;
    o->u = u;
    o->v = v;
}

/* All grid points from (xs, ys) to (xe, ye), both included. They are computed from the lower end
 * of the longer side, so that an edge has the same points in both directions. The casts round
 * towards 0, also below 0, as the reference's do. */
static void outline_edge(struct outline *o, int xs, int ys, int xe, int ye)
{
    int dx = abs(xe - xs), dy = abs(ye - ys);
    int flat = dx >= dy, steps = flat ? dx : dy;
    int flip = flat ? xs > xe : ys > ye;
    int x0 = flip ? xe : xs, y0 = flip ? ye : ys;
    int rise = flat ? ye - ys : xe - xs;
    double slope = steps ? (double)(flip ? -rise : rise) / steps : 0;
    for (int d = 0; d <= steps; d++) {
        int t = flip ? steps - d : d;
        if (flat)
            outline_point(o, x0 + t, (int)(y0 + slope * t + 0.5));
        else
            outline_point(o, (int)(x0 + slope * t + 0.5), y0 + t);
    }
}

static int on_grid(double coordinate)
{
    return (int)(FINE * coordinate + 0.5);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Every crossing switches between 0 and 1; two at one place cancel. */
static enum det_code fill(struct outline *o, struct det_rle *out, struct det_error *err)
{
    struct rle_runs runs = {0};
    uint32_t at = 0;
    int value = 0;
    if (!o->crossing.failed && o->crossing.n)
        qsort(o->crossing.counts, o->crossing.n, sizeof *o->crossing.counts, ascending);
    for (size_t i = 0; i < o->crossing.n; i++, value = !value) {
        rle_runs_extend(&runs, value, o->crossing.counts[i] - at);
        at = o->crossing.counts[i];
    }
    rle_runs_extend(&runs, value, (uint32_t)o->h * (uint32_t)o->w - at);
    runs.failed |= o->crossing.failed;
    rle_runs_abandon(&o->crossing);
    return rle_runs_finish(&runs, o->h, o->w, out, err);
}

enum det_code det_rle_from_polygon(const double *xy, size_t points, int h, int w,
                                   struct det_rle *out, struct det_error *err)
{
    *out = (struct det_rle){0};
    enum det_code code = rle_check_size(h, w, err);
    if (code)
        return code;
    for (size_t i = 0; i < 2 * points; i++)
        if (!(fabs(xy[i]) <= COORDINATE_MAX))
            return det_fail(err, DET_INVALID, "polygon: coordinate %zu is %g, outside +-%g", i,
                            xy[i], COORDINATE_MAX);
    struct outline o = {.h = h, .w = w};
    for (size_t i = 0; i < points; i++) {
        const double *from = xy + 2 * i, *to = xy + 2 * ((i + 1) % points);
        outline_edge(&o, on_grid(from[0]), on_grid(from[1]), on_grid(to[0]), on_grid(to[1]));
    }
    return fill(&o, out, err);
}
