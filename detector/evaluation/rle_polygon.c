/* Polygons to masks. The outline is drawn on a grid five times finer than the pixels; a pixel
 * column's ones start and end where the outline crosses the middle of that column: only these
 * points of it are computed. Which pixel a
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
    struct rle_runs crossing; /* column-major pixel index of every crossing, in drawing order */
};

/* An edge on the grid: point t, for t = 0 .. steps, is one further along the longer side. It is
 * drawn from that side's lower end whichever way the outline runs. */
struct edge {
    int x, y, steps;
    int flat;     /* longer in x than in y, or as long */
    double slope; /* of the shorter side, for one step */
};

/* The casts round towards 0, also below 0, as the reference's do. */
static int edge_u(const struct edge *e, int t)
{
    return e->flat ? e->x + t : (int)(e->x + e->slope * t + 0.5);
}

static int edge_v(const struct edge *e, int t)
{
    return e->flat ? (int)(e->y + e->slope * t + 0.5) : e->y + t;
}

static struct edge edge_between(int xs, int ys, int xe, int ye)
{
    int dx = abs(xe - xs), dy = abs(ye - ys), flat = dx >= dy;
    int flip = flat ? xs > xe : ys > ye;
    int rise = flat ? ye - ys : xe - xs, steps = flat ? dx : dy;
    return (struct edge){
        .x = flip ? xe : xs,
        .y = flip ? ye : ys,
        .steps = steps,
        .flat = flat,
        .slope = steps ? (double)(flip ? -rise : rise) / steps : 0,
    };
}

/* The first point that lies beyond the border between grid columns `column` and column + 1, as seen
 * from the edge's start. Rounding may put it beside where the line crosses, so it is looked for. */
static int first_beyond(const struct edge *e, int column)
{
    int rising = edge_u(e, 0) <= column;
    int t = e->flat ? column + 1 - e->x : (int)((column + 0.5 - e->x) / e->slope);
    t = t < 1 ? 1 : t > e->steps ? e->steps : t;
    while (t > 1 && (edge_u(e, t - 1) <= column) != rising)
        t--;
    while (t < e->steps && (edge_u(e, t) <= column) == rising)
        t++;
    return t;
}

/* Note where the edge crosses the middle of a pixel column of the image. */
static void outline_edge(struct outline *o, const struct edge *e)
{
    int from = edge_u(e, 0), to = edge_u(e, e->steps);
    int low = from < to ? from : to, high = from < to ? to : from;
    int x = low <= MIDDLE ? 0 : (low - MIDDLE + FINE - 1) / FINE; /* rounded up */
    for (; x < o->w && x * FINE + MIDDLE < high; x++) {
        int t = first_beyond(e, x * FINE + MIDDLE);
        int before = edge_v(e, t - 1), after = edge_v(e, t);
        int upper = before < after ? before : after;
        int row = upper <= MIDDLE ? 0 : (upper - MIDDLE + FINE - 1) / FINE;
        rle_runs_push(&o->crossing, (uint32_t)(x * o->h + (row > o->h ? o->h : row)));
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
        struct edge e =
            edge_between(on_grid(from[0]), on_grid(from[1]), on_grid(to[0]), on_grid(to[1]));
        outline_edge(&o, &e);
    }
    return fill(&o, out, err);
}
