/* Box algebra, matching and NMS: functions that the backend's larger entries (rpn_assign,
 * rpn_propose, roi_assign, detect) are built of. */
#include "detector/bodies/box_coder.h"
#include "detector/bodies/iou.h"
#include "detector/boxes/anchors.h"
#include "detector/boxes/matcher.h"
#include "detector/boxes/nms.h"
#include "harness/verify/verify.h"

#include <math.h>

static int rows_of(struct verify_case *c, const char *name)
{
    int dims[2];
    case_shape(c, name, 2, dims);
    if (dims[1] != 4 && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "tensor %s: rows of %d, boxes have 4", name, dims[1]);
    return dims[0];
}

static void box_encode(struct verify_case *c)
{
    int n = rows_of(c, "in.boxes");
    const float *boxes = case_host_floats(c, "in.boxes", (size_t)n * 4);
    const float *truth = case_host_floats(c, "in.gt", (size_t)n * 4);
    float *deltas = case_host(c, (size_t)n * 4 * sizeof *deltas);
    float weights[4];
    case_floats_param(c, "weights", 4, weights);
    if (case_failed(c))
        return;
    for (int i = 0; i < n; i++)
        det_box_encode(boxes + 4 * i, truth + 4 * i, weights, deltas + 4 * i);
    case_check_floats(c, "out.deltas", deltas, (size_t)n * 4, CASE_TOLERANCE);
}

static void box_decode(struct verify_case *c)
{
    int n = rows_of(c, "in.boxes");
    const float *boxes = case_host_floats(c, "in.boxes", (size_t)n * 4);
    const float *deltas = case_host_floats(c, "in.deltas", (size_t)n * 4);
    float *out = case_host(c, (size_t)n * 4 * sizeof *out);
    float weights[4], clip = (float)case_number(c, "clip");
    case_floats_param(c, "weights", 4, weights);
    if (case_failed(c))
        return;
    for (int i = 0; i < n; i++)
        det_box_decode(boxes + 4 * i, deltas + 4 * i, weights, clip, out + 4 * i);
    case_check_floats(c, "out.boxes", out, (size_t)n * 4, CASE_TOLERANCE);
}

static void box_iou(struct verify_case *c)
{
    int n = rows_of(c, "in.a"), m = rows_of(c, "in.b");
    const float *a = case_host_floats(c, "in.a", (size_t)n * 4);
    const float *b = case_host_floats(c, "in.b", (size_t)m * 4);
    float *iou = case_host(c, (size_t)n * (size_t)m * sizeof *iou);
    if (case_failed(c))
        return;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            iou[(size_t)i * (size_t)m + (size_t)j] = det_box_iou(a + 4 * i, b + 4 * j);
    case_check_floats(c, "out.iou", iou, (size_t)n * (size_t)m, CASE_TOLERANCE);
}

static void clip_boxes(struct verify_case *c)
{
    int n = rows_of(c, "in.boxes");
    float *boxes = case_host_floats(c, "in.boxes", (size_t)n * 4);
    float height = (float)case_number(c, "image_h"), width = (float)case_number(c, "image_w");
    if (case_failed(c))
        return;
    for (int i = 0; i < n; i++)
        det_box_clip(boxes + 4 * i, height, width);
    case_check_floats(c, "out.boxes", boxes, (size_t)n * 4, CASE_TOLERANCE);
}

#define ANCHOR_LEVELS_MAX 16

/* The pyramid of an image: a stride's convolutions round its sides up. */
static int anchor_levels(struct verify_case *c, struct det_anchor_level *levels)
{
    double sizes[ANCHOR_LEVELS_MAX] = {0}, strides[ANCHOR_LEVELS_MAX] = {0};
    int n = case_numbers(c, "sizes", ANCHOR_LEVELS_MAX, sizes);
    int m = case_numbers(c, "strides", ANCHOR_LEVELS_MAX, strides);
    int height = case_int(c, "image_h"), width = case_int(c, "image_w");
    if (n != m && !case_failed(c))
        det_fail(&c->err, DET_INVALID, "params: %d sizes for %d strides", n, m);
    for (int l = 0; l < n && !case_failed(c); l++) {
        int stride = (int)strides[l];
        if (stride < 1 || height < 1 || width < 1) {
            det_fail(&c->err, DET_INVALID, "params: a stride or an image side below 1");
            return 0;
        }
        int h = (height + stride - 1) / stride, w = (width + stride - 1) / stride;
        levels[l] = (struct det_anchor_level){.h = h,
                                              .w = w,
                                              .size = (float)sizes[l],
                                              .stride_h = det_anchor_stride(height, h),
                                              .stride_w = det_anchor_stride(width, w)};
    }
    return n;
}

static void anchors(struct verify_case *c)
{
    struct det_anchor_level levels[ANCHOR_LEVELS_MAX];
    double ratios[ANCHOR_LEVELS_MAX] = {0};
    float narrow[ANCHOR_LEVELS_MAX];
    int n_levels = anchor_levels(c, levels);
    int n_ratios = case_numbers(c, "aspect_ratios", ANCHOR_LEVELS_MAX, ratios);
    for (int i = 0; i < n_ratios; i++)
        narrow[i] = (float)ratios[i];
    if (case_failed(c))
        return;
    size_t n = det_anchor_count(n_levels, levels, n_ratios);
    float *boxes = case_host(c, n * 4 * sizeof *boxes);
    if (!boxes)
        return;
    det_anchors(n_levels, levels, n_ratios, narrow, boxes);
    case_check_floats(c, "out.anchors", boxes, n * 4, CASE_TOLERANCE);
}

static void match(struct verify_case *c)
{
    int dims[2];
    case_shape(c, "in.iou", 2, dims);
    size_t n = (size_t)dims[1];
    struct det_matcher matcher = {(float)case_number(c, "high"), (float)case_number(c, "low"),
                                  case_bool(c, "allow_low_quality")};
    const float *iou = case_host_floats(c, "in.iou", (size_t)dims[0] * n);
    int32_t *matches = case_host(c, n * sizeof *matches);
    int64_t *wide = case_host(c, n * sizeof *wide);
    void *scratch = case_host(c, det_match_scratch(dims[0], dims[1]));
    if (case_failed(c))
        return;
    det_match(&matcher, dims[0], dims[1], iou, matches, scratch);
    for (size_t i = 0; i < n; i++)
        wide[i] = matches[i];
    case_check_int64s(c, "out.matches", wide, n);
}

static int32_t *host_classes(struct verify_case *c, int n)
{
    const int64_t *wide = case_host_int64s(c, "in.classes", (size_t)n);
    int32_t *classes = case_host(c, (size_t)n * sizeof *classes);
    for (int i = 0; i < n && !case_failed(c); i++)
        classes[i] = (int32_t)wide[i];
    return classes;
}

static void suppress(struct verify_case *c, int with_classes)
{
    int n = rows_of(c, "in.boxes");
    const float *boxes = case_host_floats(c, "in.boxes", (size_t)n * 4);
    const float *scores = case_host_floats(c, "in.scores", (size_t)n);
    const int32_t *classes = with_classes ? host_classes(c, n) : NULL;
    float threshold = (float)case_number(c, "iou_threshold");
    int32_t *keep = case_host(c, (size_t)n * sizeof *keep);
    int64_t *wide = case_host(c, (size_t)n * sizeof *wide);
    void *scratch = case_host(c, det_nms_scratch(n));
    if (case_failed(c))
        return;
    int kept = det_nms(n, boxes, scores, classes, threshold, keep, scratch);
    for (int i = 0; i < kept; i++)
        wide[i] = keep[i];
    case_check_int64s(c, "out.keep", wide, (size_t)kept);
}

static void nms(struct verify_case *c)
{
    suppress(c, 0);
}

static void batched_nms(struct verify_case *c)
{
    suppress(c, 1);
}

const struct verify_op verify_boxes[] = {
    {"box_encode", box_encode, 1},
    {"box_decode", box_decode, 1},
    {"box_iou", box_iou, 1},
    {"clip_boxes", clip_boxes, 1},
    {"anchors", anchors, 1},
    {"match", match, 1},
    {"nms", nms, 1},
    {"batched_nms", batched_nms, 1},
    {NULL, NULL, 0},
};
