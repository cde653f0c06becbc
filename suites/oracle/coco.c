/* COCO evaluation against pycocotools: every case of golden/oracle/coco and, where it is there, of
 * shared/oracle/coco ($DETCHECK_SHARED, else ../shared beside the source). */
#include "detector/evaluation/coco_json.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-9 /* of a few thousand sums and divisions in double, in another order */

struct checked {
    const char *name; /* of the case, with its kind */
    int n, failed;
};

/* All numbers of a nested list, in order, against values[i * stride]. */
static void check_values(struct checked *c, const char *quantity, const json_t *want,
                         const double *values, size_t stride, size_t *i)
{
    const json_t *item;
    size_t j;
    json_array_foreach(want, j, item) check_values(c, quantity, item, values, stride, i);
    if (!json_is_number(want))
        return;
    double got = values[(*i)++ * stride], expected = json_number_value(want);
    c->n++;
    if (fabs(got - expected) <= TOLERANCE || c->failed++ > 5)
        return;
    cr_expect_fail("%s: %s[%zu]: got %.17g, want %.17g, tolerance %g", c->name, quantity, *i - 1,
                   got, expected, TOLERANCE);
}

static void check_quantity(struct checked *c, const json_t *expected, const char *quantity,
                           size_t size, const double *values, size_t stride)
{
    size_t n = 0;
    check_values(c, quantity, json_object_get(expected, quantity), values, stride, &n);
    cr_expect_eq(n, size, "%s: %s has %zu values, want %zu", c->name, quantity, n, size);
}

static void check_kind(const char *folder, const json_t *expected, enum det_iou_type type)
{
    char name[512], truth[512], results[512];
    snprintf(name, sizeof name, "%s, %s", folder, type == DET_IOU_SEGM ? "segm" : "bbox");
    snprintf(truth, sizeof truth, "%s/gt.json", folder);
    snprintf(results, sizeof results, "%s/dt.json", folder);
    struct det_coco_set set;
    struct det_coco_eval *eval = NULL;
    struct det_coco_result *result = NULL;
    struct det_error err = {0};
    enum det_code code = det_coco_read(truth, results, type, NULL, &set, &eval, &err);
    cr_assert_eq(code, DET_OK, "%s: %s", name, err.message);
    cr_assert_eq(det_coco_eval_run(eval, NULL, &result, &err), DET_OK, "%s: %s", name, err.message);

    /* At all areas and 100 detections: the first of the areas, the last of the caps. */
    const size_t k = result->n_categories, stride = DET_COCO_AREAS * DET_COCO_CAPS;
    const size_t cap = DET_COCO_CAPS - 1;
    struct checked c = {.name = name};
    check_quantity(&c, expected, "stats", DET_COCO_STATS, result->stats, 1);
    check_quantity(&c, expected, "per_class_ap", k, result->category_ap, 1);
    check_quantity(&c, expected, "recall", DET_COCO_IOUS * k, result->recall + cap, stride);
    check_quantity(&c, expected, "precision_iou50", DET_COCO_RECALLS * k, result->precision + cap,
                   stride);
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);
    det_coco_set_release(&set);
}

static void check_case(const char *expected_path)
{
    json_error_t error;
    json_t *expected = json_load_file(expected_path, 0, &error);
    cr_assert_not_null(expected, "%s: %s", expected_path, error.text);
    char folder[512];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(expected_path, '/') - expected_path),
             expected_path);
    const json_t *boxes = json_object_get(expected, "bbox");
    const json_t *masks = json_object_get(expected, "segm");
    cr_assert(boxes || masks, "%s: nothing is expected", expected_path);
    if (boxes)
        check_kind(folder, boxes, DET_IOU_BBOX);
    if (masks)
        check_kind(folder, masks, DET_IOU_SEGM);
    json_decref(expected);
}

/* Returns how many cases there were. */
static size_t check_all(const char *root)
{
    char pattern[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/oracle/coco/*/expected.json", root);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_case(found.gl_pathv[i]);
    size_t n = found.gl_pathc;
    globfree(&found);
    return n;
}

static const char *source_root(void)
{
    const char *root = getenv("DETCHECK_ROOT");
    return root ? root : ".";
}

Test(oracle_coco, golden)
{
    char root[400];
    snprintf(root, sizeof root, "%s/golden", source_root());
    cr_assert_eq(check_all(root), 12, "golden/oracle/coco has other cases than the 12 it should");
}

Test(oracle_coco, shared)
{
    char root[400];
    const char *shared = getenv("DETCHECK_SHARED");
    snprintf(root, sizeof root, "%s%s", shared ? shared : source_root(),
             shared ? "" : "/../shared");
    if (check_all(root) == 0)
        cr_skip_test("%s has no oracle/coco", root);
}
