#include "harness/report/plot.h"

#include "detector/base/file.h"
#include "harness/report/plot_data.h"
#include "harness/report/plot_gnuplot.h"

#include <stdio.h>
#include <string.h>

const char *const plot_names[] = {"losses",     "map",    "detections", "fg_bg_ratio",
                                  "foreground", "scores", "grad_norm",  NULL};

static enum det_code prepare(const char *out_dir, char *folder, size_t size, struct det_error *err)
{
    snprintf(folder, size, "%s/data", out_dir);
    enum det_code code = det_make_folder(folder, err);
    return code == DET_OK ? gnuplot_write_scripts(folder, err) : code;
}

enum det_code plot_runs(const struct plot_run *runs, int n, const char *out_dir,
                        struct det_error *err)
{
    if (n < 1 || n > PLOT_RUNS_MAX)
        return det_fail(err, DET_INVALID, "%d runs to plot: one picture holds 1 to %d", n,
                        PLOT_RUNS_MAX);
    char folder[4000];
    enum det_code code = prepare(out_dir, folder, sizeof folder, err);
    if (code == DET_OK)
        code = plot_data_write(runs, n, folder, err);
    return code == DET_OK ? gnuplot_run(folder, "all.gp", err) : code;
}
