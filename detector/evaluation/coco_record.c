#include "detector/evaluation/coco_record.h"

#include <math.h>

/* In the order of the bits. */
static const char *const key_names[] = {"id",   "image_id", "category_id", "bbox",
                                        "area", "score",    "segmentation"};
enum { KEYS = sizeof key_names / sizeof *key_names };

/* Returns 0 for an empty list. */
static int read_box(struct json_cursor *c, double box[4])
{
    size_t n = 0;
    cursor_list(c);
    for (; cursor_next(c, n); n++) {
        double value = cursor_number(c);
        if (n < 4)
            box[n] = value;
        if (!c->code && !isfinite(value))
            cursor_fail(c, "%g is not finite", value);
    }
    if (!c->code && n != 0 && n != 4)
        cursor_fail(c, "%zu numbers, expected x, y, width, height", n);
    return n != 0;
}

static double read_finite(struct json_cursor *c)
{
    double value = cursor_number(c);
    if (!c->code && !isfinite(value))
        cursor_fail(c, "%g is not finite", value);
    return value;
}

static int read_flag(struct json_cursor *c)
{
    char kind = cursor_kind(c);
    if (kind != 't' && kind != 'f')
        return cursor_integer(c) != 0;
    cursor_skip(c);
    return kind == 't';
}

/* Read the value of key number `key`; whether there was one. */
static int read_value(struct json_cursor *c, int key, struct coco_record *record)
{
    struct det_coco_row *row = &record->row;
    switch (1 << key) {
    case RECORD_ID:
        record->id = cursor_integer(c);
        break;
    case RECORD_IMAGE:
        row->image_id = cursor_integer(c);
        break;
    case RECORD_CATEGORY:
        row->category_id = cursor_integer(c);
        break;
    case RECORD_BOX:
        return read_box(c, row->box);
    case RECORD_AREA:
        row->area = read_finite(c);
        break;
    case RECORD_SCORE:
        row->score = read_finite(c);
        break;
    case RECORD_SEGMENTATION:
        record->segmentation = c->at;
        cursor_skip(c);
        break;
    }
    return 1;
}

static int find_key(struct json_string name)
{
    int key = 0;
    while (key < KEYS && !cursor_is(name, key_names[key]))
        key++;
    return key;
}

void coco_read_record(struct json_cursor *c, struct coco_record *record)
{
    struct json_string name;
    *record = (struct coco_record){.row.area = (double)NAN};
    cursor_object(c);
    for (size_t i = 0; cursor_next_key(c, i, &name); i++) {
        int key = find_key(name);
        if (cursor_is(name, "iscrowd"))
            record->row.crowd = read_flag(c);
        else if (key == KEYS || cursor_kind(c) == 'n')
            cursor_skip(c);
        else if (read_value(c, key, record))
            record->has |= 1u << key;
    }
}

void coco_require(struct json_cursor *c, const struct coco_record *record, unsigned keys)
{
    for (int key = 0; key < KEYS; key++)
        if (keys & ~record->has & 1u << key)
            cursor_fail(c, "no \"%s\"", key_names[key]);
}

/* The record's segmentation; the cursor stays behind the record. */
static void read_mask(struct json_cursor *c, const struct coco_record *record,
                      const struct det_coco_image *image, struct coco_points *points,
                      struct det_rle *mask)
{
    coco_require(c, record, RECORD_SEGMENTATION);
    if (c->code)
        return;
    char *behind = c->at;
    c->at = record->segmentation;
    coco_read_segmentation(c, image->h, image->w, points, mask);
    if (!c->code)
        c->at = behind;
}

void coco_complete_truth(struct json_cursor *c, struct coco_record *record,
                         const struct det_coco_image *image, enum det_iou_type type,
                         struct coco_points *points, struct det_rle *mask)
{
    struct det_coco_row *row = &record->row;
    *mask = (struct det_rle){0};
    row->mask = mask;
    coco_require(c, record, RECORD_ID | RECORD_IMAGE | RECORD_CATEGORY);
    if (c->code || !image)
        return;
    row->uncounted = record->id == 0;
    int no_box = !(record->has & RECORD_BOX), no_area = !(record->has & RECORD_AREA);
    if (no_box && type == DET_IOU_BBOX && !(record->has & RECORD_SEGMENTATION))
        cursor_fail(c, "neither \"bbox\" nor \"segmentation\"");
    if (type == DET_IOU_SEGM || no_box || (no_area && record->has & RECORD_SEGMENTATION))
        read_mask(c, record, image, points, mask);
    if (c->code || !mask->n)
        return;
    if (no_box)
        det_rle_box(mask, row->box);
    if (no_area)
        row->area = (double)det_rle_area(mask);
}

void coco_complete_detection(struct json_cursor *c, struct coco_record *record,
                             const struct det_coco_image *image, enum det_iou_type type, int by_box,
                             struct coco_points *points, struct det_rle *mask)
{
    struct det_coco_row *row = &record->row;
    *mask = (struct det_rle){0};
    row->mask = mask;
    row->crowd = 0;
    coco_require(c, record, RECORD_IMAGE | RECORD_CATEGORY | RECORD_SCORE);
    coco_require(c, record, by_box ? RECORD_BOX : RECORD_SEGMENTATION);
    if (c->code || !image)
        return;
    if (by_box && type == DET_IOU_SEGM && !(record->has & RECORD_SEGMENTATION))
        coco_box_mask(c, row->box, image->h, image->w, mask);
    else if (!by_box || type == DET_IOU_SEGM)
        read_mask(c, record, image, points, mask);
    if (c->code)
        return;
    int has_mask = mask->n && record->has & RECORD_SEGMENTATION;
    row->area = has_mask ? (double)det_rle_area(mask) : row->box[2] * row->box[3];
    if (!(record->has & RECORD_BOX))
        det_rle_box(mask, row->box);
}
