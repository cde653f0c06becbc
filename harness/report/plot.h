/* Plots of runs by gnuplot: losses, mAP, detections, background/foreground, foreground accuracy,
 * scores, gradient norm; all runs in one picture each, as SVG and as PNG.
 *
 * The scripts are those of plots/, built into the program; they are written beside the data, so
 * that anyone can change and redraw a plot by hand. */
#ifndef HARNESS_PLOT_H
#define HARNESS_PLOT_H

#include "harness/log/log_reader.h"

#define PLOT_RUNS_MAX 8

struct plot_run {
    const struct logged_run *run;
    double closed_form; /* the score w p / (w p + 1 - p) that theory expects; negative: none */
};

/* Names of the plots, without .svg and .png, in the order of a report; NULL at the end. */
extern const char *const plot_names[];

/* Write out_dir/<name>.svg and .png for every plot, and out_dir/data/ with the tables and the
 * scripts. Folders are made. DET_UNAVAILABLE where gnuplot is not installed (the data are written
 * all the same), DET_INVALID with gnuplot's own words where it fails. */
enum det_code plot_runs(const struct plot_run *runs, int n, const char *out_dir,
                        struct det_error *err);

struct closed_form_point { /* a trained head's mean score at objects */
    const char *label;     /* of the series; points of one series need not be neighbours */
    double weight;         /* roi_cls_pos_weight */
    double p;              /* share of what looks alike that is annotated */
    double score;
};

/* out_dir/closed_form.svg and .png: the points over the curves s(p) of their weights. */
enum det_code plot_closed_form(const struct closed_form_point *points, int n, const char *out_dir,
                               struct det_error *err);

#endif
