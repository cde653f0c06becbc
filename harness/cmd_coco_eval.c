/* detcheck coco-eval --gt gt.json --dt dt.json */
#include "detector/evaluation/coco_json.h"
#include "harness/program/commands.h"
#include "harness/program/exit_status.h"
#include "harness/log/json_text.h"
#include "harness/program/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 16 /* most of the time goes into reading, which two threads share */

struct options {
    const char *truth, *detections;
    enum det_iou_type type;
    int json, threads;
};

static const struct argp_option option_table[] = {
    {"gt", 'g', "FILE", 0, "ground truth: images, categories, annotations", 0},
    {"dt", 'd', "FILE", 0, "the list of results", 0},
    {"iou-type", 'i', "TYPE", 0, "bbox (the default) or segm", 0},
    {"json", 'j', NULL, 0, "every number, with the precision and recall arrays, as JSON", 0},
    {"threads", 't', "N", 0, "worker threads (default: one a processor); the answer is the same",
     0},
    {0},
};

static int default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors < THREADS_MAX ? (int)processors : THREADS_MAX;
}

static void take_type(const char *arg, struct options *options, struct argp_state *state)
{
    if (strcmp(arg, "bbox") != 0 && strcmp(arg, "segm") != 0)
        argp_error(state, "--iou-type %s: want bbox or segm", arg);
    options->type = strcmp(arg, "segm") == 0 ? DET_IOU_SEGM : DET_IOU_BBOX;
}

static void take_threads(const char *arg, struct options *options, struct argp_state *state)
{
    char *end;
    long threads = strtol(arg, &end, 10);
    if (end == arg || *end || threads < 1 || threads > 256)
        argp_error(state, "--threads %s: want a number from 1 to 256", arg);
    options->threads = (int)threads;
}

static error_t take_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'g':
        options->truth = arg;
        return 0;
    case 'd':
        options->detections = arg;
        return 0;
    case 'i':
        take_type(arg, options, state);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case 't':
        take_threads(arg, options, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: an argument without an option", arg);
        return 0;
    case ARGP_KEY_END:
        if (!options->truth || !options->detections)
            argp_error(state, "both --gt and --dt are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = take_option,
    .doc = "COCO's evaluation of boxes or masks: the 12 numbers and AP by category, equal to those "
           "of pycocotools; -1 where there is no ground truth.",
};

/* ---- as text ---- */

static const char *const stat_names[DET_COCO_STATS] = {
    "AP    IoU 0.50:0.95  all     100 detections", "AP    IoU 0.50       all     100 detections",
    "AP    IoU 0.75       all     100 detections", "AP    IoU 0.50:0.95  small   100 detections",
    "AP    IoU 0.50:0.95  medium  100 detections", "AP    IoU 0.50:0.95  large   100 detections",
    "AR    IoU 0.50:0.95  all       1 detection ", "AR    IoU 0.50:0.95  all      10 detections",
    "AR    IoU 0.50:0.95  all     100 detections", "AR    IoU 0.50:0.95  small   100 detections",
    "AR    IoU 0.50:0.95  medium  100 detections", "AR    IoU 0.50:0.95  large   100 detections",
};

static void print_notes(const struct det_coco_set *set, const struct det_coco_result *result)
{
    if (result->truth_left_out)
        printf("\nnote: %zu annotations left out: their image or category is not listed\n",
               result->truth_left_out);
    if (result->detections_left_out)
        printf("\nnote: %zu detections left out: their category is not listed\n",
               result->detections_left_out);
    if (set->uncounted)
        puts("\nnote: an annotation has id 0; pycocotools, and so this, counts a detection that "
             "matches it as false: let ids start from 1");
}

static void print_text(const struct det_coco_set *set, const struct det_coco_result *result)
{
    printf("%s, %zu images\n", set->type == DET_IOU_SEGM ? "masks" : "boxes", set->n_images);
    for (int i = 0; i < DET_COCO_STATS; i++)
        printf("%s  %7.4f\n", stat_names[i], result->stats[i]);
    printf("\n     AP     AP50  objects  detections  category\n");
    for (size_t k = 0; k < result->n_categories; k++)
        printf("%7.4f  %7.4f  %7zu  %10zu  %s\n", result->category_ap[k], result->category_ap50[k],
               result->objects[k], result->detections[k], set->categories[k].name);
    print_notes(set, result);
}

/* ---- as JSON ---- */

/* One axis of an array: how many entries, and how far apart they are. */
struct axis {
    size_t n, stride;
};

static void put_array(struct json_text *text, const char *key, const double *values,
                      const struct axis *axes, int n_axes)
{
    json_text_open(text, key, '[');
    for (size_t i = 0; i < axes->n; i++)
        if (n_axes > 1)
            put_array(text, NULL, values + i * axes->stride, axes + 1, n_axes - 1);
        else
            json_text_number(text, NULL, values[i * axes->stride]);
    json_text_close(text, ']');
}

static void put_categories(struct json_text *text, const struct det_coco_set *set,
                           const struct det_coco_result *result)
{
    json_text_open(text, "categories", '[');
    for (size_t k = 0; k < set->n_categories; k++) {
        json_text_open(text, NULL, '{');
        json_text_int(text, "id", set->categories[k].id);
        json_text_string(text, "name", set->categories[k].name);
        json_text_int(text, "objects", (int64_t)result->objects[k]);
        json_text_int(text, "detections", (int64_t)result->detections[k]);
        json_text_close(text, '}');
    }
    json_text_close(text, ']');
}

/* recall [T, K] and precision_iou50 [R, K] are at all areas and 100 detections; the full arrays are
 * [T, R, K, A, M] and [T, K, A, M]. */
static void put_result(struct json_text *text, const struct det_coco_set *set,
                       const struct det_coco_result *result)
{
    const size_t k = result->n_categories, am = DET_COCO_AREAS * DET_COCO_CAPS;
    const size_t best = DET_COCO_CAPS - 1;
    const struct axis stats = {DET_COCO_STATS, 1}, categories = {k, 1};
    const struct axis full[] = {{DET_COCO_IOUS, DET_COCO_RECALLS * k * am},
                                {DET_COCO_RECALLS, k * am},
                                {k, am},
                                {DET_COCO_AREAS, DET_COCO_CAPS},
                                {DET_COCO_CAPS, 1}};
    const struct axis recall[] = {{DET_COCO_IOUS, k * am}, full[2], full[3], full[4]};
    json_text_open(text, set->type == DET_IOU_SEGM ? "segm" : "bbox", '{');
    put_array(text, "stats", result->stats, &stats, 1);
    put_array(text, "per_class_ap", result->category_ap, &categories, 1);
    put_array(text, "per_class_ap50", result->category_ap50, &categories, 1);
    put_array(text, "recall", result->recall + best, recall, 2);
    put_array(text, "precision_iou50", result->precision + best, full + 1, 2);
    put_array(text, "precision_full", result->precision, full, 5);
    put_array(text, "recall_full", result->recall, recall, 4);
    json_text_close(text, '}');
}

static enum det_code print_json(const struct det_coco_set *set,
                                const struct det_coco_result *result, struct det_error *err)
{
    struct json_text text = {0};
    json_text_begin(&text);
    json_text_open(&text, NULL, '{');
    put_categories(&text, set, result);
    json_text_int(&text, "images", (int64_t)set->n_images);
    json_text_int(&text, "annotations_left_out", (int64_t)result->truth_left_out);
    json_text_int(&text, "detections_left_out", (int64_t)result->detections_left_out);
    put_result(&text, set, result);
    json_text_close(&text, '}');
    enum det_code code = json_text_end(&text, err);
    if (!code)
        fputs(text.data, stdout);
    json_text_release(&text);
    return code;
}

/* ---- the command ---- */

static enum det_code evaluate(const struct options *options, struct det_coco_set *set,
                              struct det_coco_result **result, struct det_error *err)
{
    struct det_coco_eval *eval = NULL;
    struct det_pool *pool = NULL;
    enum det_code code = det_pool_create(options->threads, &pool, err);
    if (!code)
        code = det_coco_read(options->truth, options->detections, options->type, pool, set, &eval,
                             err);
    if (!code)
        code = det_coco_eval_run(eval, pool, result, err);
    det_pool_destroy(pool);
    det_coco_eval_destroy(eval);
    return code;
}

int cmd_coco_eval(int argc, char **argv, struct det_error *err)
{
    struct options options = {.type = DET_IOU_BBOX, .threads = default_threads()};
    struct det_coco_set set = {0};
    struct det_coco_result *result = NULL;
    options_parse(&parser, argc, argv, &options);
    enum det_code code = evaluate(&options, &set, &result, err);
    if (!code && options.json)
        code = print_json(&set, result, err);
    else if (!code)
        print_text(&set, result);
    det_coco_result_destroy(result);
    det_coco_set_release(&set);
    return exit_status_of(code);
}
