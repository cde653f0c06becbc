/* COCO's files: what is taken, what is refused and how it is named. */
#include "detector/evaluation/coco_json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGES                                                                                     \
    "\"images\": [{\"id\": 5, \"height\": 20, \"width\": 30}, "                                    \
    "{\"id\": 2, \"height\": 9, \"width\": 9}]"
#define CATEGORIES                                                                                 \
    "\"categories\": [{\"id\": 3, \"name\": \"cup\"}, {\"id\": 1, \"name\": \"caf\\u00e9\"}]"
#define ROW "\"id\": 1, \"image_id\": 5, \"category_id\": 3"
#define SQUARE "[[2, 2, 12, 2, 12, 12, 2, 12]]" /* 10 x 10 pixels */

/* A file of our own; unlinked and freed by drop_file. */
static char *make_file(const char *text, size_t length)
{
    char *path = strdup("/tmp/coco_json_XXXXXX");
    int fd = path ? mkstemp(path) : -1;
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, length), (ssize_t)length);
    close(fd);
    return path;
}

static void drop_file(char *path)
{
    unlink(path);
    free(path);
}

struct answer {
    enum det_code code;
    struct det_error err;
    double stats[DET_COCO_STATS];
    size_t truth_left_out, detections_left_out, uncounted;
};

/* Read both texts from files, evaluate. */
static struct answer evaluate(const char *truth, const char *results, enum det_iou_type type)
{
    struct answer answer = {.code = DET_OK};
    char *gt = make_file(truth, strlen(truth)), *dt = make_file(results, strlen(results));
    struct det_coco_set set;
    struct det_coco_eval *eval = NULL;
    struct det_coco_result *result = NULL;
    answer.code = det_coco_read(gt, dt, type, NULL, &set, &eval, &answer.err);
    if (answer.code) {
        cr_expect(!eval && !set.images && !set.categories && !set.text, "left behind on failure");
        cr_expect(strstr(answer.err.message, "/tmp/coco_json_"), "no file in: %s",
                  answer.err.message);
    } else {
        cr_assert_eq(det_coco_eval_run(eval, NULL, &result, NULL), DET_OK);
        memcpy(answer.stats, result->stats, sizeof answer.stats);
        answer.truth_left_out = result->truth_left_out;
        answer.detections_left_out = result->detections_left_out;
        answer.uncounted = set.uncounted;
    }
    det_coco_result_destroy(result);
    det_coco_eval_destroy(eval);
    det_coco_set_release(&set);
    drop_file(gt);
    drop_file(dt);
    return answer;
}

static struct answer evaluate_annotation(const char *annotation, const char *results,
                                         enum det_iou_type type)
{
    char truth[1000];
    snprintf(truth, sizeof truth,
             "{\"info\": {\"x\": [NaN]}, " IMAGES ", \"annotations\": [%s], " CATEGORIES "}",
             annotation);
    return evaluate(truth, results, type);
}

/* Each is the object of 10 x 10 pixels that the result is, too. */
static const struct {
    const char *name, *annotation;
    int boxes, masks; /* may be evaluated as such */
} same_object[] = {
    {"full",
     "{" ROW ", \"bbox\": [2, 2, 10, 10], \"area\": 100,"
     " \"iscrowd\": 0, \"segmentation\": " SQUARE "}",
     1, 1},
    {"box alone", "{" ROW ", \"bbox\": [2, 2, 10, 10]}", 1, 0},
    {"mask alone", "{\"segmentation\": " SQUARE ", " ROW "}", 1, 1},
    {"RLE",
     "{" ROW ", \"segmentation\": {\"counts\": [42, 10, 10,"
     " 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 368], \"size\":"
     " [20, 30]}}",
     1, 1},
    {"compressed",
     "{" ROW ", \"segmentation\": {\"size\": [20,"
     " 30], \"counts\": \"Z1::00000000000000000V;\"}}",
     1, 1},
    {"null and extra keys",
     "{\"id\": 1.0, \"image_id\": 5, \"category_id\": 3, \"bbox\": [2, 2, 10, 10],"
     " \"segmentation\": null, \"area\": null, \"iscrowd\": false, \"more\":"
     " {\"a\": [1, \"]\"]}}",
     1, 0},
    {"two parts",
     "{" ROW ", \"segmentation\": [[2, 2, 7, 2, 7,"
     " 12, 2, 12], [7, 2, 12, 2, 12, 12, 7, 12]]}",
     1, 1},
};

Test(coco_json, forms_of_one_object)
{
    static const char *const results[] = {
        "[{\"image_id\": 5, \"category_id\": 3, \"bbox\": [2, 2, 10, 10], \"score\": 1}]",
        "[{\"score\": 0.5, \"segmentation\": " SQUARE ", \"image_id\": 5, \"category_id\": 3}]",
        "[{\"score\": 0.5, \"segmentation\": " SQUARE ", \"image_id\": 5, \"category_id\": 3,"
        " \"bbox\": [2, 2, 10, 10]}]"};
    for (size_t i = 0; i < sizeof same_object / sizeof *same_object; i++)
        for (size_t j = 0; j < 3; j++)
            for (int type = DET_IOU_BBOX; type <= DET_IOU_SEGM; type++) {
                int may = type == DET_IOU_BBOX ? same_object[i].boxes : same_object[i].masks;
                struct answer got = evaluate_annotation(same_object[i].annotation, results[j],
                                                        (enum det_iou_type)type);
                cr_expect_eq(got.code, may ? DET_OK : DET_INVALID, "%s, result %zu, type %d: %s",
                             same_object[i].name, j, type, got.err.message);
                if (may)
                    cr_expect(fabs(got.stats[DET_COCO_AP] - 1) <= 1e-12,
                              "%s, result %zu, type %d: AP %g, want 1", same_object[i].name, j,
                              type, got.stats[DET_COCO_AP]);
            }
}

Test(coco_json, no_results)
{
    struct answer got = evaluate_annotation(same_object[0].annotation, "[]", DET_IOU_SEGM);
    cr_expect_eq(got.code, DET_OK, "%s", got.err.message);
    cr_expect_eq(got.stats[DET_COCO_AP], 0);
    got = evaluate("{" IMAGES ", " CATEGORIES "}", "[]", DET_IOU_BBOX);
    cr_expect_eq(got.code, DET_OK, "%s", got.err.message);
    cr_expect_eq(got.stats[DET_COCO_AP], -1);
}

Test(coco_json, left_out)
{
    struct answer got = evaluate_annotation(
        "{\"id\": 1, \"image_id\": 99, \"category_id\": 3, \"bbox\": [2, 2, 10, 10]}, "
        "{\"id\": 0, \"image_id\": 5, \"category_id\": 99, \"bbox\": [2, 2, 10, 10]}",
        "[{\"image_id\": 5, \"category_id\": 99, \"bbox\": [2, 2, 10, 10], \"score\": 1}]",
        DET_IOU_BBOX);
    cr_expect_eq(got.code, DET_OK, "%s", got.err.message);
    cr_expect_eq(got.truth_left_out, 2);
    cr_expect_eq(got.detections_left_out, 1);
    cr_expect_eq(got.uncounted, 1);
}

Test(coco_json, names_and_order)
{
    const char *truth = "{" IMAGES ", " CATEGORIES "}";
    char *gt = make_file(truth, strlen(truth)), *dt = make_file("[]", 2);
    struct det_coco_set set;
    struct det_coco_eval *eval;
    cr_assert_eq(det_coco_read(gt, dt, DET_IOU_BBOX, NULL, &set, &eval, NULL), DET_OK);
    cr_expect_str_eq(set.categories[0].name, "caf\xc3\xa9");
    cr_expect_str_eq(set.categories[1].name, "cup");
    cr_expect(set.images[0].id == 2 && set.images[1].h == 20 && set.images[1].w == 30);
    det_coco_eval_destroy(eval);
    det_coco_set_release(&set);
    drop_file(gt);
    drop_file(dt);
}

#define RESULT(rest) "[{\"image_id\": 5, \"category_id\": 3, \"score\": 0.5, " rest "}]"
#define BOX_RESULT RESULT("\"bbox\": [2, 2, 10, 10]")

/* Each must fail, with a message that holds `says`. */
static const struct {
    const char *annotation, *results;
    enum det_iou_type type;
    const char *says;
} refused[] = {
    {"{\"image_id\": 5, \"category_id\": 3, \"bbox\": [2, 2, 9, 9]}", "[]", DET_IOU_BBOX,
     "no \"id\""},
    {"{\"id\": 1, \"category_id\": 3, \"bbox\": [2, 2, 9, 9]}", "[]", DET_IOU_BBOX,
     "no \"image_id\""},
    {"{" ROW "}", "[]", DET_IOU_BBOX, "neither"},
    {"{" ROW ", \"bbox\": [2, 2, 9, 9]}", "[]", DET_IOU_SEGM, "annotations[0]"},
    {"{\"id\": 7, \"image_id\": 5, \"category_id\": 3, \"bbox\": [2, 2, 9, 9]}, "
     "{\"id\": 7, \"image_id\": 2, \"category_id\": 3, \"bbox\": [2, 2, 9, 9]}",
     "[]", DET_IOU_BBOX, "id 7 is given twice"},
    {"{\"id\": 1, \"image_id\": \"5\"}", "[]", DET_IOU_BBOX, "image_id: expected a number"},
    {"{" ROW ", \"bbox\": [2, NaN, 9, 9]}", "[]", DET_IOU_BBOX, "bbox: nan is not finite"},
    {"{" ROW ", \"bbox\": [2, 9, 9]}", "[]", DET_IOU_BBOX, "bbox: 3 numbers"},
    {"{" ROW ", \"segmentation\": [[1, 1, 2, 2, 3]]}", "[]", DET_IOU_SEGM,
     "a polygon of 5 numbers"},
    {"{" ROW ", \"segmentation\": [[1, 1, 9, 9]]}", "[]", DET_IOU_SEGM, "a polygon of 4 numbers"},
    {"{" ROW ", \"segmentation\": []}", "[]", DET_IOU_SEGM, "without polygons"},
    {"{" ROW ", \"segmentation\": [[1, 1, 9, 1e99, 3, 3]]}", "[]", DET_IOU_SEGM,
     "polygon: coordinate 3"},
    {"{" ROW ", \"segmentation\": {\"counts\": [600]}}", "[]", DET_IOU_SEGM, "needs \"size\""},
    {"{" ROW ", \"segmentation\": {\"counts\": [600, -1],"
     " \"size\": [20, 30]}}",
     "[]", DET_IOU_SEGM, "-1 is no length"},
    {"{" ROW ", \"segmentation\": {\"counts\": [601], \"size\":"
     " [20, 30]}}",
     "[]", DET_IOU_SEGM, "runs cover 601"},
    {"{" ROW ", \"segmentation\": {\"counts\": [0], \"size\":"
     " [0, 30]}}",
     "[]", DET_IOU_SEGM, "0 is no size"},
    {"{" ROW ", \"segmentation\": {\"counts\": \"Z~\", \"size\":"
     " [20, 30]}}",
     "[]", DET_IOU_SEGM, "no valid run at character 0"},
    {"", "[{\"image_id\": 77, \"category_id\": 3, \"score\": 0.5, \"bbox\": [2, 2, 9, 9]}]",
     DET_IOU_BBOX, "image 77"},
    {"", "[{\"image_id\": 5, \"category_id\": 3, \"bbox\": [2, 2, 9, 9]}]", DET_IOU_BBOX,
     "no \"score\""},
    {"", RESULT("\"caption\": \"a cup\""), DET_IOU_BBOX, "[0]: "},
    {"", RESULT("\"bbox\": []"), DET_IOU_BBOX, "neither"},
    {"", RESULT("\"bbox\": [1, 1, 2, 2], \"score\": Infinity"), DET_IOU_BBOX, "score: inf"},
    {"", "{\"results\": []}", DET_IOU_BBOX, "expected [, found {"},
    {"", BOX_RESULT "]", DET_IOU_BBOX, "expected the end"},
    {"", "", DET_IOU_BBOX, "the end of the file"},
};

Test(coco_json, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct answer got =
            evaluate_annotation(refused[i].annotation, refused[i].results, refused[i].type);
        cr_expect_eq(got.code, DET_INVALID, "case %zu was taken", i);
        cr_expect(strstr(got.err.message, refused[i].says), "case %zu: \"%s\" does not say \"%s\"",
                  i, got.err.message, refused[i].says);
    }
}

Test(coco_json, not_ground_truth)
{
    const struct {
        const char *text, *says;
    } cases[] = {{"[]", "expected {"},
                 {"{}", "no \"images\""},
                 {"{" IMAGES "}", "no \"categories\""},
                 {"{\"images\": [{\"height\": 3}], " CATEGORIES "}", "images[0]: "},
                 {"{\"images\": [{\"id\": 1}, {\"id\": 1}], " CATEGORIES "}", "given twice"},
                 {"{" IMAGES ", \"categories\": [{\"id\": 1}, {}]}", "categories[1]: "},
                 {"{" IMAGES ", " CATEGORIES ", \"annotations\": 3}", "annotations[0]: "},
                 {"\x89PNG\r\n", "expected {"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer got = evaluate(cases[i].text, "[]", DET_IOU_BBOX);
        cr_expect_eq(got.code, DET_INVALID, "case %zu was taken", i);
        cr_expect(strstr(got.err.message, cases[i].says), "case %zu: \"%s\" does not say \"%s\"", i,
                  got.err.message, cases[i].says);
    }
    struct det_coco_set set;
    struct det_coco_eval *eval;
    struct det_error err = {0};
    cr_expect_eq(det_coco_read("/no/such/gt.json", "/no/such/dt.json", DET_IOU_BBOX, NULL, &set,
                               &eval, &err),
                 DET_IO);
    cr_expect(strstr(err.message, "/no/such/gt.json"), "%s", err.message);
}

static const char whole_truth[] =
    "{" IMAGES ", " CATEGORIES
    ", \"annotations\": [{\"id\": 1, \"image_id\": 5, \"category_id\": 3, "
    "\"bbox\": [2, 2, 1e1, 10.5], \"segmentation\": " SQUARE "}, {\"id\": 4, \"image_id\": 2, "
    "\"category_id\": 1, \"iscrowd\": 1, \"segmentation\": {\"size\": [9, 9], \"counts\": [80, "
    "1]}}]}";
static const char whole_results[] = "[{\"image_id\": 5, \"category_id\": 3, \"score\": 0.25, "
                                    "\"segmentation\": {\"size\": [20, 30], "
                                    "\"counts\": \"Z1::00000000000000000V;\"}}, {\"image_id\": 2, "
                                    "\"category_id\": 1, \"score\": 1, "
                                    "\"segmentation\": {\"size\": [9, 9], \"counts\": \"`21\"}}]";

/* Two threads read the two files; of two errors the ground truth's is told. */
Test(coco_json, side_by_side)
{
    struct det_pool *pool = NULL;
    cr_assert_eq(det_pool_create(2, &pool, NULL), DET_OK);
    for (int broken = 0; broken < 2; broken++) {
        char *gt = make_file(whole_truth, strlen(whole_truth) - (broken ? 3 : 0));
        char *dt = make_file(whole_results, strlen(whole_results) - (broken ? 3 : 0));
        struct det_coco_set set;
        struct det_coco_eval *eval = NULL;
        struct det_coco_result *result = NULL;
        struct det_error err = {0};
        enum det_code code = det_coco_read(gt, dt, DET_IOU_SEGM, pool, &set, &eval, &err);
        cr_expect_eq(code, broken ? DET_INVALID : DET_OK, "%s", err.message);
        cr_expect(!broken || strstr(err.message, gt), "%s", err.message);
        if (!broken) {
            cr_assert_eq(det_coco_eval_run(eval, pool, &result, NULL), DET_OK);
            cr_expect_eq(result->detections[0] + result->detections[1], 2);
        }
        det_coco_result_destroy(result);
        det_coco_eval_destroy(eval);
        det_coco_set_release(&set);
        drop_file(gt);
        drop_file(dt);
    }
    det_pool_destroy(pool);
}

/* A file cut short anywhere is refused: nothing of a half-written file is evaluated. */
Test(coco_json, cut_short)
{
    char text[1000];
    cr_expect_eq(evaluate(whole_truth, whole_results, DET_IOU_SEGM).code, DET_OK, "whole");
    for (size_t n = 0; n + 1 < sizeof whole_truth; n++) {
        snprintf(text, sizeof text, "%.*s", (int)n, whole_truth);
        cr_expect_eq(evaluate(text, whole_results, DET_IOU_SEGM).code, DET_INVALID,
                     "ground truth of %zu bytes was taken", n);
    }
    for (size_t n = 0; n + 1 < sizeof whole_results; n++) {
        snprintf(text, sizeof text, "%.*s", (int)n, whole_results);
        cr_expect_eq(evaluate(whole_truth, text, DET_IOU_SEGM).code, DET_INVALID,
                     "results of %zu bytes were taken", n);
    }
}

/* Any byte exchanged: taken or refused, but never read beyond (which the sanitizers see). */
Test(coco_json, garbled)
{
    const char bytes[] = "\"\\[]{},:09-~\x01\xff";
    char text[1000];
    int taken = 0, not_taken = 0;
    for (size_t n = 0; n + 1 < sizeof whole_results; n++)
        for (size_t b = 0; b < sizeof bytes; b += 1 + n % 3) { /* the NUL is one of them */
            memcpy(text, whole_results, sizeof whole_results);
            text[n] = bytes[b];
            enum det_code code = evaluate(whole_truth, text, DET_IOU_SEGM).code;
            taken += code == DET_OK;
            not_taken += code == DET_INVALID;
        }
    cr_expect(taken > 50 && not_taken > 500, "%d taken, %d refused", taken, not_taken);
}
