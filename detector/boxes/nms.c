#include "detector/boxes/nms.h"

#include "detector/bodies/iou.h"
#include "detector/bodies/sort_key.h"
#include "detector/boxes/box_block.h"
#include "detector/boxes/scratch.h"
#include "detector/boxes/select.h"

#include <string.h>

/* The boxes kept so far, by coordinate, padded to whole lanes with empty boxes. */
struct kept {
    int n;
    float *x1, *y1, *x2, *y2, *area;
    int32_t *class_of;
};

static size_t layout_kept(struct kept *kept, int capacity, void *base)
{
    struct det_arena scratch = {.base = base};
    size_t lanes = ((size_t)capacity + DET_BOX_LANES - 1) / DET_BOX_LANES * DET_BOX_LANES;
    kept->n = 0;
    kept->x1 = det_scratch_cut(&scratch, lanes, sizeof *kept->x1);
    kept->y1 = det_scratch_cut(&scratch, lanes, sizeof *kept->y1);
    kept->x2 = det_scratch_cut(&scratch, lanes, sizeof *kept->x2);
    kept->y2 = det_scratch_cut(&scratch, lanes, sizeof *kept->y2);
    kept->area = det_scratch_cut(&scratch, lanes, sizeof *kept->area);
    kept->class_of = det_scratch_cut(&scratch, lanes, sizeof *kept->class_of);
    return scratch.size;
}

static void put(struct kept *kept, int i, const float box[4], int32_t class_of)
{
    kept->x1[i] = box[0];
    kept->y1[i] = box[1];
    kept->x2[i] = box[2];
    kept->y2[i] = box[3];
    kept->area[i] = det_box_area(box[0], box[1], box[2], box[3]);
    kept->class_of[i] = class_of;
}

static void append(struct kept *kept, const float box[4], int32_t class_of)
{
    static const float empty[4];
    if (kept->n % DET_BOX_LANES == 0)
        for (int i = 0; i < DET_BOX_LANES; i++)
            put(kept, kept->n + i, empty, class_of);
    put(kept, kept->n++, box, class_of);
}

/* Whether any of DET_BOX_LANES kept boxes from `first` on suppresses the box. */
static int any_suppresses(const struct kept *kept, int first, const float box[4], float area,
                          int32_t class_of, float iou_threshold)
{
    int any = 0;
    for (int i = first; i < first + DET_BOX_LANES; i++) {
        float iou = det_iou(kept->x1[i], kept->y1[i], kept->x2[i], kept->y2[i], kept->area[i],
                            box[0], box[1], box[2], box[3], area);
        any |= (iou > iou_threshold) & (kept->class_of[i] == class_of);
    }
    return any;
}

static int suppressed(const struct kept *kept, const float box[4], int32_t class_of,
                      float iou_threshold)
{
    float area = det_box_area(box[0], box[1], box[2], box[3]);
    for (int first = 0; first < kept->n; first += DET_BOX_LANES)
        if (any_suppresses(kept, first, box, area, class_of, iou_threshold))
            return 1;
    return 0;
}

int det_suppress(int n, const float *boxes, const int32_t *classes, float iou_threshold,
                 int max_keep, int32_t *keep, void *scratch)
{
    struct kept kept;
    layout_kept(&kept, n < max_keep ? n : max_keep, scratch);
    for (int i = 0; i < n && kept.n < max_keep; i++) {
        const float *box = boxes + 4 * (size_t)i;
        int32_t class_of = classes ? classes[i] : 0;
        if (suppressed(&kept, box, class_of, iou_threshold))
            continue;
        keep[kept.n] = i;
        append(&kept, box, class_of);
    }
    return kept.n;
}

size_t det_suppress_scratch(int n, int max_keep)
{
    struct kept kept;
    return layout_kept(&kept, n < max_keep ? n : max_keep, NULL);
}

struct nms_scratch {
    uint64_t *keys;
    float *boxes;
    int32_t *classes;
    void *suppress;
};

static size_t layout_nms(struct nms_scratch *s, int n, void *base)
{
    struct det_arena scratch = {.base = base};
    s->keys = det_scratch_cut(&scratch, (size_t)n, sizeof *s->keys);
    s->boxes = det_scratch_cut(&scratch, (size_t)n, 4 * sizeof *s->boxes);
    s->classes = det_scratch_cut(&scratch, (size_t)n, sizeof *s->classes);
    s->suppress = det_scratch_cut(&scratch, det_suppress_scratch(n, n), 1);
    return scratch.size;
}

int det_nms(int n, const float *boxes, const float *scores, const int32_t *classes,
            float iou_threshold, int32_t *keep, void *scratch)
{
    struct nms_scratch s;
    layout_nms(&s, n, scratch);
    for (int i = 0; i < n; i++)
        s.keys[i] = det_key_descending(scores[i], (uint32_t)i);
    det_sort_keys(s.keys, n);
    for (int i = 0; i < n; i++) {
        uint32_t from = det_key_index(s.keys[i]);
        memcpy(s.boxes + 4 * (size_t)i, boxes + 4 * (size_t)from, 4 * sizeof *boxes);
        s.classes[i] = classes ? classes[from] : 0;
    }
    int kept = det_suppress(n, s.boxes, s.classes, iou_threshold, n, keep, s.suppress);
    for (int i = 0; i < kept; i++)
        keep[i] = (int32_t)det_key_index(s.keys[keep[i]]);
    return kept;
}

size_t det_nms_scratch(int n)
{
    struct nms_scratch s;
    return layout_nms(&s, n, NULL);
}
