#include "harness/sweep/sweep_table.h"

#include "detector/base/file.h"
#include "harness/statistics/spread.h"

#include <stdlib.h>
#include <string.h>

/* What a column shows of a run. */
typedef double measure(const struct sweep_result *result);

static double detections(const struct sweep_result *r)
{
    return (double)r->detections;
}

static double object_score(const struct sweep_result *r)
{
    return r->mean_object_score;
}

static double max_score(const struct sweep_result *r)
{
    return r->max_score;
}

static double max_objectness(const struct sweep_result *r)
{
    return r->max_objectness;
}

static double box_ap(const struct sweep_result *r)
{
    return r->box_ap;
}

static double mask_ap(const struct sweep_result *r)
{
    return r->mask_ap;
}

/* Over the variant's runs that were evaluated at all; a run that diverged early was not. */
static void put_spread(FILE *to, const struct sweep_result *results, int n, int variant,
                       measure *of, const char *format)
{
    double values[1024];
    int count = 0;
    for (int i = 0; i < n && count < 1024; i++)
        if (results[i].variant == variant && results[i].last_eval >= 0)
            values[count++] = of(&results[i]);
    struct spread s = spread_of(values, (size_t)count);
    fputs(" | ", to);
    if (count == 0) {
        fputs("none", to);
        return;
    }
    fprintf(to, format, s.median);
    if (count > 1) {
        fputs(" (", to);
        fprintf(to, format, s.least);
        fputs(" to ", to);
        fprintf(to, format, s.most);
        fputs(")", to);
    }
}

static int classes_of(const struct sweep_result *results, int n)
{
    int most = 0;
    for (int i = 0; i < n; i++)
        if (results[i].n_classes > most)
            most = results[i].n_classes;
    return most;
}

static void put_verdicts(FILE *to, const struct sweep_result *results, int n, int variant)
{
    int counts[VERDICT_INCOMPLETE + 1] = {0};
    int first = 1;
    for (int i = 0; i < n; i++)
        if (results[i].variant == variant)
            counts[results[i].verdict]++;
    fputs(" | ", to);
    for (int kind = 0; kind <= VERDICT_INCOMPLETE; kind++)
        if (counts[kind]) {
            fprintf(to, "%s%d %s", first ? "" : ", ", counts[kind], verdict_name(kind));
            first = 0;
        }
}

static int64_t objects_of(const struct sweep_result *results, int n, int variant)
{
    int64_t most = 0;
    for (int i = 0; i < n; i++)
        if (results[i].variant == variant && results[i].objects > most)
            most = results[i].objects;
    return most;
}

/* Detections of each class on its objects, medians: "21 on 21, 0 on 19". */
static void put_classes(FILE *to, const struct sweep_result *results, int n, int variant)
{
    double values[1024];
    fputs(" | ", to);
    for (int k = 0; k < classes_of(results, n); k++) {
        double objects[1024];
        int count = 0;
        for (int i = 0; i < n && count < 1024; i++)
            if (results[i].variant == variant && results[i].last_eval >= 0) {
                objects[count] = (double)results[i].class_objects[k];
                values[count++] = (double)results[i].class_detections[k];
            }
        fprintf(to, "%s%.0f on %.0f", k ? ", " : "", spread_of(values, (size_t)count).median,
                spread_of(objects, (size_t)count).median);
    }
}

static void put_row(FILE *to, const struct study *study, const struct sweep_result *results, int n,
                    int variant)
{
    const struct study_variant *v = &study->variants[variant];
    double w = v->config.roi_cls_pos_weight;
    double p = study->closed_form_p;
    fprintf(to, "| %s | %s", v->name, v->about);
    put_verdicts(to, results, n, variant);
    put_spread(to, results, n, variant, detections, "%.0f");
    fprintf(to, " | %lld", (long long)objects_of(results, n, variant));
    if (classes_of(results, n) > 1)
        put_classes(to, results, n, variant);
    put_spread(to, results, n, variant, object_score, "%.3f");
    if (p > 0.0)
        fprintf(to, " | %.3f", w * p / (w * p + 1.0 - p));
    put_spread(to, results, n, variant, max_score, "%.2f");
    put_spread(to, results, n, variant, max_objectness, "%.2f");
    put_spread(to, results, n, variant, box_ap, "%.2f");
    put_spread(to, results, n, variant, mask_ap, "%.2f");
    fputs(" |\n", to);
}

enum det_code sweep_table(const struct study *study, const struct sweep_result *results, int n,
                          char **out, struct det_error *err)
{
    size_t size;
    FILE *to = open_memstream(out, &size);
    if (!to)
        return det_fail(err, DET_NO_MEMORY, "no memory for the table");
    int law = study->closed_form_p > 0.0;
    int classes = classes_of(results, n) > 1;
    fprintf(to,
            "| variant | what | verdicts | detections >= 0.5 | objects |%s score at objects |%s "
            "highest score | highest objectness | box AP | mask AP |\n"
            "| --- | --- | --- | --- | --- |%s --- |%s --- | --- | --- | --- |\n",
            classes ? " by class |" : "", law ? " closed form |" : "", classes ? " --- |" : "",
            law ? " --- |" : "");
    for (int v = 0; v < study->n_variants; v++)
        put_row(to, study, results, n, v);
    if (fclose(to) != 0)
        return det_fail(err, DET_NO_MEMORY, "no memory for the table");
    return DET_OK;
}

enum det_code sweep_write_document(const char *path, const char *name, const char *text,
                                   struct det_error *err)
{
    char open_mark[128];
    char close_mark[128];
    snprintf(open_mark, sizeof open_mark, "<!-- sweep %s -->\n", name);
    snprintf(close_mark, sizeof close_mark, "<!-- /sweep %s -->", name);
    char *old = NULL;
    char *whole = NULL;
    size_t size;
    enum det_code code = det_file_read(path, &old, &size, err);
    if (code != DET_OK)
        return code;
    char *from = strstr(old, open_mark);
    char *to = from ? strstr(from, close_mark) : NULL;
    if (!to) {
        free(old);
        return det_fail(err, DET_INVALID,
                        "%s: has no lines <!-- sweep %s --> and <!-- /sweep %s -->", path, name,
                        name);
    }
    int head = (int)(from - old + (long)strlen(open_mark));
    int length = asprintf(&whole, "%.*s%s%s", head, old, text, to);
    code = length < 0 ? det_fail(err, DET_NO_MEMORY, "%s: no memory", path)
                      : det_file_write(path, whole, (size_t)length, err);
    free(old);
    free(length < 0 ? NULL : whole);
    return code;
}

int sweep_as_expected(const struct study *study, const struct sweep_result *results, int n,
                      FILE *to)
{
    int good = 1;
    for (int i = 0; i < n; i++) {
        const struct study_variant *v = &study->variants[results[i].variant];
        const char *got = verdict_name(results[i].verdict);
        if (!v->expect[0] || strcmp(v->expect, got) == 0)
            continue;
        good = 0;
        fprintf(to, "%s seed %lld: expected %s, got %s at step %lld\n", v->name,
                (long long)results[i].seed, v->expect, got, (long long)results[i].step);
    }
    return good;
}
