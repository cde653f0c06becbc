#include "harness/report/plot.h"

#include "detector/base/file.h"
#include "harness/report/plot_gnuplot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A series a weight, so that points and curve share a colour. */
struct series {
    int n;
    double weights[PLOT_RUNS_MAX];
    const char *labels[PLOT_RUNS_MAX];
};

static enum det_code gather(const struct closed_form_point *points, int n, struct series *series,
                            struct det_error *err)
{
    series->n = 0;
    for (int i = 0; i < n; i++) {
        int s = 0;
        while (s < series->n && series->weights[s] != points[i].weight)
            s++;
        if (s < series->n)
            continue;
        if (s == PLOT_RUNS_MAX)
            return det_fail(err, DET_INVALID, "closed form: more than %d weights", PLOT_RUNS_MAX);
        series->weights[s] = points[i].weight;
        series->labels[s] = points[i].label;
        series->n++;
    }
    return n ? DET_OK : det_fail(err, DET_INVALID, "closed form: no points to plot");
}

static int write_points(const struct closed_form_point *points, int n, double weight,
                        const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return 0;
    fputs("# p; mean score at objects\n", file);
    for (int i = 0; i < n; i++)
        if (points[i].weight == weight)
            fprintf(file, "%.9g\t%.9g\n", points[i].p, points[i].score);
    return fclose(file) == 0;
}

static int write_names(const struct series *series, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return 0;
    fprintf(file, "N = %d\narray WEIGHT[N]\narray NAME[N]\n", series->n);
    for (int s = 0; s < series->n; s++)
        fprintf(file, "WEIGHT[%d] = %.9g\nNAME[%d] = \"%.*s\"\n", s + 1, series->weights[s], s + 1,
                (int)strcspn(series->labels[s], "\"\\\n`$"), series->labels[s]);
    return fclose(file) == 0;
}

enum det_code plot_closed_form(const struct closed_form_point *points, int n, const char *out_dir,
                               struct det_error *err)
{
    struct series series;
    char folder[4000], path[4096];
    enum det_code code = gather(points, n, &series, err);
    if (code != DET_OK)
        return code;
    snprintf(folder, sizeof folder, "%s/data", out_dir);
    code = det_make_folder(folder, err);
    if (code == DET_OK)
        code = gnuplot_write_scripts(folder, err);
    if (code != DET_OK)
        return code;
    snprintf(path, sizeof path, "%s/closed_form_points.gp", folder);
    int written = write_names(&series, path);
    for (int s = 0; written && s < series.n; s++) {
        snprintf(path, sizeof path, "%s/closed_form.%d.tsv", folder, s + 1);
        written = write_points(points, n, series.weights[s], path);
    }
    if (!written)
        return det_fail(err, DET_IO, "%s: cannot write: %s", path, strerror(errno));
    return gnuplot_run(folder, "closed_form.gp", err);
}
