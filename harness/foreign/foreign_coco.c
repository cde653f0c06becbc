/* COCO result files, one a checkpoint: the detections themselves, counted and evaluated. */
#include "harness/foreign/foreign_run.h"

#include "detector/base/file.h"
#include "detector/evaluation/coco_json.h"
#include "harness/log/log_fields_reader.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct checkpoint {
    char *path; /* owned */
    int64_t step;
};

struct checkpoints {
    struct checkpoint *at; /* owned */
    size_t n;
};

static void release(struct checkpoints *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i].path);
    free(list->at);
}

/* ---- which files, and their steps ---- */

/* The last number in the file's name: "iter_2000.bbox.json" is step 2000; -1 without one. */
static int64_t step_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (const char *at = name + strlen(name); at > name; at--) {
        const char *start = at;
        while (start > name && isdigit((unsigned char)start[-1]))
            start--;
        if (start < at)
            return at - start > 15 ? -1 : strtoll(start, NULL, 10);
    }
    return -1;
}

static enum det_code add_file(struct checkpoints *list, const char *path, struct det_error *err)
{
    struct checkpoint *grown = realloc(list->at, (list->n + 1) * sizeof *grown);
    if (!grown)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory", path);
    list->at = grown;
    list->at[list->n] = (struct checkpoint){strdup(path), step_of(path)};
    if (!list->at[list->n].path)
        return det_fail(err, DET_NO_MEMORY, "%s: no memory", path);
    if (list->at[list->n++].step < 0)
        return det_fail(err, DET_INVALID,
                        "%s: no step in its name: call result files by their step, as in "
                        "step_2000.json",
                        path);
    return DET_OK;
}

static int is_json(const char *name)
{
    size_t length = strlen(name);
    return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".json") == 0;
}

static int same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static enum det_code list_folder(const char *folder, const char *truth, struct checkpoints *list,
                                 struct det_error *err)
{
    struct dirent **entries;
    enum det_code code = DET_OK;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0)
        return det_fail(err, DET_IO, "%s: cannot list the folder", folder);
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (code == DET_OK && is_json(entries[i]->d_name) && !same_file(path, truth))
            code = add_file(list, path, err);
        free(entries[i]);
    }
    free(entries);
    if (code == DET_OK && list->n == 0)
        code = det_fail(err, DET_INVALID, "%s: no .json file of results in it", folder);
    return code;
}

static int by_step(const void *a, const void *b)
{
    int64_t x = ((const struct checkpoint *)a)->step, y = ((const struct checkpoint *)b)->step;
    return (x > y) - (x < y);
}

static enum det_code list_checkpoints(const char *path, const char *truth, struct checkpoints *list,
                                      struct det_error *err)
{
    struct stat info;
    int folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    enum det_code code = folder ? list_folder(path, truth, list, err) : add_file(list, path, err);
    if (code != DET_OK)
        return code;
    qsort(list->at, list->n, sizeof *list->at, by_step);
    for (size_t i = 1; i < list->n; i++)
        if (list->at[i].step == list->at[i - 1].step)
            return det_fail(err, DET_INVALID, "%s and %s are both of step %lld",
                            list->at[i - 1].path, list->at[i].path, (long long)list->at[i].step);
    return DET_OK;
}

/* ---- one evaluation ---- */

/* The lists of an evaluation, which the run comes to own. */
static enum det_code make_lists(struct run_log_eval *eval, size_t n, struct det_error *err)
{
    eval->detections_per_class = calloc(n + 1, sizeof *eval->detections_per_class);
    eval->objects_per_class = calloc(n + 1, sizeof *eval->objects_per_class);
    eval->ladder_per_class = calloc(n + 1, sizeof *eval->ladder_per_class);
    eval->box_ap_per_class = calloc(n + 1, sizeof *eval->box_ap_per_class);
    if (eval->detections_per_class && eval->objects_per_class && eval->ladder_per_class &&
        eval->box_ap_per_class)
        return DET_OK;
    return det_fail(err, DET_NO_MEMORY, "no memory for %zu classes", n);
}

static void count_detections(const struct det_coco_eval *rows, double score, size_t n,
                             size_t *counts, struct run_log_eval *eval)
{
    int64_t(*ladders)[RUN_LOG_THRESHOLDS] = (int64_t(*)[RUN_LOG_THRESHOLDS])eval->ladder_per_class;
    int64_t *at_score = (int64_t *)eval->detections_per_class;
    double highest = det_coco_eval_count(rows, score, counts);
    for (size_t k = 0; k < n; k++)
        at_score[k] = (int64_t)counts[k];
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        eval->detections[t] = 0;
        det_coco_eval_count(rows, run_log_thresholds[t], counts);
        for (size_t k = 0; k < n; k++) {
            ladders[k][t] = (int64_t)counts[k];
            eval->detections[t] += ladders[k][t];
        }
    }
    eval->max_score = highest >= 0 ? highest : 0;
}

static void take_result(const struct det_coco_result *result, struct run_log_eval *eval)
{
    int64_t *objects = (int64_t *)eval->objects_per_class;
    double *ap = (double *)eval->box_ap_per_class;
    eval->objects = 0;
    eval->box_ap = result->stats[DET_COCO_AP];
    eval->box_ap50 = result->stats[DET_COCO_AP50];
    for (size_t k = 0; k < result->n_categories; k++) {
        objects[k] = (int64_t)result->objects[k];
        eval->objects += objects[k];
        ap[k] = result->category_ap[k];
    }
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++)
        eval->objects_found[t] = (int64_t)det_coco_found(result, -1, run_log_thresholds[t]);
}

static enum det_code set_classes(struct logged_run *run, const struct det_coco_set *set,
                                 struct det_error *err)
{
    if (run->classes)
        return DET_OK;
    json_t *names = json_array();
    run->classes = calloc(set->n_categories + 1, sizeof *run->classes);
    if (!names || !run->classes || json_object_set_new(run->header, "classes", names) != 0)
        return det_fail(err, DET_NO_MEMORY, "no memory for %zu classes", set->n_categories);
    for (size_t k = 0; k < set->n_categories; k++) {
        json_array_append_new(names, json_string(set->categories[k].name));
        run->classes[k] = json_string_value(json_array_get(names, k));
        if (!run->classes[k])
            return det_fail(err, DET_INVALID, "category %lld has a name that is no UTF-8",
                            (long long)set->categories[k].id);
    }
    run->n_classes = (int)set->n_categories;
    return DET_OK;
}

static enum det_code evaluate(const struct det_coco_set *set, struct det_coco_eval *rows,
                              double score, struct run_log_eval *eval, struct det_error *err)
{
    struct det_coco_result *result = NULL;
    size_t *counts = calloc(set->n_categories + 1, sizeof *counts);
    enum det_code code = counts ? make_lists(eval, set->n_categories, err)
                                : det_fail(err, DET_NO_MEMORY, "no memory for counts");
    if (code == DET_OK)
        code = det_coco_eval_run(rows, NULL, &result, err);
    if (code == DET_OK) {
        eval->images = (int64_t)set->n_images;
        count_detections(rows, score, set->n_categories, counts, eval);
        take_result(result, eval);
    }
    det_coco_result_destroy(result);
    free(counts);
    return code;
}

/* How many boxes and scores of a file are not finite, as Python's json writes them. */
static enum det_code count_not_finite(const char *path, int64_t *n, struct det_error *err)
{
    static const char *const words[] = {"NaN", "Infinity"};
    char *text;
    size_t size;
    enum det_code code = det_file_read(path, &text, &size, err);
    *n = 0;
    if (code != DET_OK)
        return code;
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        for (const char *at = text; (at = strstr(at, words[w])); at++)
            *n += at > text && strchr(" \t\n,:[-", at[-1]) != NULL;
    free(text);
    return DET_OK;
}

static enum det_code add_checkpoint(const struct checkpoint *checkpoint, const char *truth,
                                    struct logged_run *run, struct det_error *err)
{
    struct det_coco_set set = {0};
    struct det_coco_eval *rows = NULL;
    struct run_log_eval eval = foreign_eval(checkpoint->step);
    int64_t not_finite;
    enum det_code code = count_not_finite(checkpoint->path, &not_finite, err);
    if (code == DET_OK && not_finite > 0) {
        eval.not_finite = not_finite;
        return foreign_add_eval(run, &eval, err);
    }
    if (code == DET_OK)
        code = det_coco_read(truth, checkpoint->path, DET_IOU_BBOX, NULL, &set, &rows, err);
    if (code != DET_OK)
        return code;
    code = set_classes(run, &set, err);
    if (code == DET_OK)
        code = evaluate(&set, rows, logged_config_number(run, "judge.score", 0.5), &eval, err);
    if (code == DET_OK)
        code = foreign_add_eval(run, &eval, err);
    else
        log_release_eval(&eval);
    det_coco_eval_destroy(rows);
    det_coco_set_release(&set);
    return code;
}

enum det_code foreign_read_coco(const char *path, const struct foreign_options *options,
                                struct logged_run *run, struct det_error *err)
{
    struct checkpoints list = {0};
    enum det_code code = list_checkpoints(path, options->truth, &list, err);
    for (size_t i = 0; i < list.n && code == DET_OK; i++)
        code = add_checkpoint(&list.at[i], options->truth, run, err);
    release(&list);
    /* The log that these belong to may have said how many steps are planned. */
    foreign_run_finish(run, options->steps || run->planned_unknown ? options->steps
                                                                   : run->planned_steps);
    return code;
}
