#include "detector/evaluation/coco_json.h"

#include "detector/base/file.h"
#include "detector/evaluation/coco_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a file and its cursor ---- */

static enum det_code open_text(const char *path, struct json_cursor *c, struct det_error *err)
{
    size_t size = 0;
    *c = (struct json_cursor){.err = err};
    enum det_code code = det_file_read(path, &c->start, &size, err);
    if (code)
        return code;
    c->at = c->start;
    c->end = c->start + size;
    return DET_OK;
}

/* Name the file, and the entry of which list the cursor failed in, in its message. */
static enum det_code fail_in_entry(const struct json_cursor *c, const char *path, const char *list,
                                   size_t i)
{
    char prefix[200];
    if (list)
        snprintf(prefix, sizeof prefix, "%.150s: %s[%zu]", path, list, i);
    else
        snprintf(prefix, sizeof prefix, "%.150s", path);
    return c->code ? det_fail_in(c->err, c->code, prefix) : DET_OK;
}

/* ---- images and categories ---- */

/* Where the values of the three top-level keys start; NULL: there is none. */
struct parts {
    char *images, *categories, *annotations;
};

static void find_parts(struct json_cursor *c, struct parts *parts)
{
    struct json_string key;
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &key); i++) {
        cursor_kind(c); /* moves to the value */
        if (cursor_is(key, "images"))
            parts->images = c->at;
        else if (cursor_is(key, "categories"))
            parts->categories = c->at;
        else if (cursor_is(key, "annotations"))
            parts->annotations = c->at;
        cursor_skip(c);
    }
    cursor_end(c);
    if (!c->code && (!parts->images || !parts->categories))
        cursor_fail(c, "no \"%s\": not COCO's ground truth",
                    parts->images ? "categories" : "images");
}

/* Room for element n of an array that doubles; NULL without memory, with the cursor failed. */
static void *grow(struct json_cursor *c, void *array, size_t n, size_t size)
{
    if (n & (n - 1)) /* has room up to the next power of two */
        return array;
    void *grown = realloc(array, (n ? 2 * n : 1) * size);
    if (!grown)
        c->code = det_fail(c->err, DET_NO_MEMORY, "no memory for %zu entries", n);
    return grown ? grown : array;
}

static int read_pixels(struct json_cursor *c)
{
    int64_t value = cursor_integer(c);
    if (!c->code && (value < 0 || value > INT32_MAX))
        cursor_fail(c, "%lld is no size of an image", (long long)value);
    return (int)value;
}

static void read_image(struct json_cursor *c, struct det_coco_image *image)
{
    struct json_string key;
    int any = 0;
    *image = (struct det_coco_image){0};
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &key); i++) {
        if (cursor_is(key, "id")) {
            image->id = cursor_integer(c);
            any = 1;
        } else if (cursor_is(key, "height")) {
            image->h = read_pixels(c);
        } else if (cursor_is(key, "width")) {
            image->w = read_pixels(c);
        } else {
            cursor_skip(c);
        }
    }
    if (!any)
        cursor_fail(c, "no \"id\"");
}

static void read_category(struct json_cursor *c, struct det_coco_category *category)
{
    struct json_string key, name = {0};
    int any = 0;
    *category = (struct det_coco_category){.name = ""};
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &key); i++) {
        if (cursor_is(key, "id")) {
            category->id = cursor_integer(c);
            any = 1;
        } else if (cursor_is(key, "name")) {
            name = cursor_text(c);
        } else {
            cursor_skip(c);
        }
    }
    if (!any)
        cursor_fail(c, "no \"id\"");
    if (!c->code && name.at) {
        name.at[name.length] = '\0';
        category->name = name.at;
    }
}

static enum det_code read_images(struct json_cursor *c, const char *path, struct det_coco_set *set)
{
    cursor_list(c);
    for (; cursor_next(c, set->n_images); set->n_images++) {
        set->images = grow(c, set->images, set->n_images, sizeof *set->images);
        if (!c->code)
            read_image(c, &set->images[set->n_images]);
        if (c->code)
            break;
    }
    return fail_in_entry(c, path, "images", set->n_images);
}

static enum det_code read_categories(struct json_cursor *c, const char *path,
                                     struct det_coco_set *set)
{
    cursor_list(c);
    for (; cursor_next(c, set->n_categories); set->n_categories++) {
        set->categories = grow(c, set->categories, set->n_categories, sizeof *set->categories);
        if (!c->code)
            read_category(c, &set->categories[set->n_categories]);
        if (c->code)
            break;
    }
    return fail_in_entry(c, path, "categories", set->n_categories);
}

/* Both kinds of entry start with their id. */
static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static const struct det_coco_image *find_image(const struct det_coco_set *set, int64_t id)
{
    return bsearch(&id, set->images, set->n_images, sizeof *set->images, by_id);
}

static enum det_code refuse_repeated(const char *path, const char *list, const void *entries,
                                     size_t n, size_t size, struct det_error *err)
{
    const unsigned char *at = entries;
    for (size_t i = 1; i < n; i++, at += size)
        if (by_id(at, at + size) == 0)
            return det_fail(err, DET_INVALID, "%s: %s: id %lld is given twice", path, list,
                            (long long)*(const int64_t *)(const void *)at);
    return DET_OK;
}

static enum det_code read_set(struct json_cursor *c, const char *path, const struct parts *parts,
                              struct det_coco_set *set)
{
    c->at = parts->images;
    enum det_code code = read_images(c, path, set);
    if (code)
        return code;
    c->at = parts->categories;
    code = read_categories(c, path, set);
    if (code)
        return code;
    if (set->n_images)
        qsort(set->images, set->n_images, sizeof *set->images, by_id);
    if (set->n_categories)
        qsort(set->categories, set->n_categories, sizeof *set->categories, by_id);
    code = refuse_repeated(path, "images", set->images, set->n_images, sizeof *set->images, c->err);
    if (!code)
        code = refuse_repeated(path, "categories", set->categories, set->n_categories,
                               sizeof *set->categories, c->err);
    return code;
}

/* ---- annotations ---- */

static enum det_code open_eval(const struct det_coco_set *set, struct det_coco_eval **eval,
                               struct det_error *err)
{
    size_t n = set->n_categories + set->n_images;
    int64_t *ids = malloc((n ? n : 1) * sizeof *ids);
    if (!ids)
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu ids", n);
    for (size_t k = 0; k < set->n_categories; k++)
        ids[k] = set->categories[k].id;
    for (size_t i = 0; i < set->n_images; i++)
        ids[set->n_categories + i] = set->images[i].id;
    enum det_code code = det_coco_eval_create(set->type, ids, set->n_categories,
                                              ids + set->n_categories, set->n_images, eval, err);
    free(ids);
    return code;
}

struct id_list {
    int64_t *at; /* owned */
    size_t n;
};

static enum det_code read_annotations(struct json_cursor *c, const char *path,
                                      struct det_coco_set *set, struct det_coco_eval *eval,
                                      struct id_list *ids, struct coco_points *points)
{
    cursor_list(c);
    for (; cursor_next(c, ids->n); ids->n++) {
        struct coco_record record;
        struct det_rle mask = {0};
        ids->at = grow(c, ids->at, ids->n, sizeof *ids->at);
        if (!c->code)
            coco_read_record(c, &record);
        if (!c->code)
            coco_complete_truth(c, &record, find_image(set, record.row.image_id), set->type, points,
                                &mask);
        if (!c->code)
            c->code = det_coco_eval_add_truth(eval, &record.row, c->err);
        det_rle_release(&mask);
        if (c->code)
            break;
        ids->at[ids->n] = record.id;
        set->uncounted += record.id == 0;
    }
    return fail_in_entry(c, path, "annotations", ids->n);
}

/* With a cursor of its own, as errors come side by side with those of the results. */
static enum det_code read_truth(const struct json_cursor *file, char *annotations, const char *path,
                                struct det_coco_set *set, struct det_coco_eval *eval,
                                struct det_error *err)
{
    struct json_cursor c = {.start = file->start, .at = annotations, .end = file->end, .err = err};
    struct id_list ids = {0};
    struct coco_points points = {0};
    enum det_code code = read_annotations(&c, path, set, eval, &ids, &points);
    if (!code && ids.n) {
        qsort(ids.at, ids.n, sizeof *ids.at, by_id);
        code = refuse_repeated(path, "annotations", ids.at, ids.n, sizeof *ids.at, err);
    }
    free(points.at);
    free(ids.at);
    return code;
}

/* ---- results ---- */

/* What the first result has decides about all. */
static int results_are_boxes(struct json_cursor *c, const struct coco_record *first)
{
    if (!c->code && !(first->has & (RECORD_BOX | RECORD_SEGMENTATION)))
        cursor_fail(c, "neither \"bbox\" nor \"segmentation\"");
    return (first->has & RECORD_BOX) != 0;
}

static enum det_code read_results(struct json_cursor *c, const char *path,
                                  const struct det_coco_set *set, struct det_coco_eval *eval,
                                  struct coco_points *points)
{
    int by_box = 0;
    size_t i = 0;
    cursor_list(c);
    for (; cursor_next(c, i); i++) {
        struct coco_record record;
        struct det_rle mask = {0};
        coco_read_record(c, &record);
        if (i == 0)
            by_box = results_are_boxes(c, &record);
        if (!c->code)
            coco_complete_detection(c, &record, find_image(set, record.row.image_id), set->type,
                                    by_box, points, &mask);
        if (!c->code)
            c->code = det_coco_eval_add_detection(eval, &record.row, c->err);
        det_rle_release(&mask);
        if (c->code)
            break;
    }
    if (!c->code)
        cursor_end(c);
    return fail_in_entry(c, path, "", i);
}

static enum det_code read_detections(const char *path, const struct det_coco_set *set,
                                     struct det_coco_eval *eval, struct det_error *err)
{
    struct json_cursor c;
    struct coco_points points = {0};
    enum det_code code = open_text(path, &c, err);
    if (code)
        return code;
    code = read_results(&c, path, set, eval, &points);
    free(points.at);
    free(c.start);
    return code;
}

/* ---- both ---- */

struct reading {
    const char *truth_path, *results_path;
    struct json_cursor truth;
    char *annotations; /* NULL: the file has none */
    struct det_coco_set *set;
    struct det_coco_eval *eval;
    enum det_code code[2];
    struct det_error err[2];
};

static void read_side(void *arg, int side, int worker)
{
    struct reading *r = arg;
    (void)worker;
    if (side == 1)
        r->code[1] = read_detections(r->results_path, r->set, r->eval, &r->err[1]);
    else if (r->annotations)
        r->code[0] =
            read_truth(&r->truth, r->annotations, r->truth_path, r->set, r->eval, &r->err[0]);
}

static enum det_code read_sides(struct reading *r, struct det_pool *pool, struct det_error *err)
{
    if (pool) {
        det_pool_run(pool, 2, read_side, r);
    } else {
        read_side(r, 0, 0);
        read_side(r, 1, 0);
    }
    int side = r->code[0] ? 0 : 1;
    if (r->code[side] && err)
        *err = r->err[side];
    return r->code[side];
}

static enum det_code read_all(struct reading *r, struct det_pool *pool, struct det_error *err)
{
    struct parts parts = {0};
    find_parts(&r->truth, &parts);
    enum det_code code = fail_in_entry(&r->truth, r->truth_path, NULL, 0);
    if (!code)
        code = read_set(&r->truth, r->truth_path, &parts, r->set);
    if (!code)
        code = open_eval(r->set, &r->eval, err);
    r->annotations = parts.annotations;
    return code ? code : read_sides(r, pool, err);
}

enum det_code det_coco_read(const char *truth_path, const char *results_path,
                            enum det_iou_type type, struct det_pool *pool, struct det_coco_set *set,
                            struct det_coco_eval **eval, struct det_error *err)
{
    struct reading r = {.truth_path = truth_path, .results_path = results_path, .set = set};
    *set = (struct det_coco_set){.type = type};
    *eval = NULL;
    enum det_code code = open_text(truth_path, &r.truth, err);
    if (code)
        return code;
    set->text = r.truth.start;
    code = read_all(&r, pool, err);
    if (code) {
        det_coco_eval_destroy(r.eval);
        det_coco_set_release(set);
        return code;
    }
    *eval = r.eval;
    return DET_OK;
}

void det_coco_set_release(struct det_coco_set *set)
{
    free(set->categories);
    free(set->images);
    free(set->text);
    *set = (struct det_coco_set){0};
}
