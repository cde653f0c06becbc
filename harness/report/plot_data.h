/* The tables that gnuplot reads: a folder with <i>.steps.tsv, <i>.evals.tsv and <i>.ladder.tsv for
 * each run i = 1..n, and runs.gp with what the scripts need to know of the runs. */
#ifndef HARNESS_PLOT_DATA_H
#define HARNESS_PLOT_DATA_H

#include "harness/report/plot.h"

/* `?` stands for a missing value, NaN for one that is not finite. The folder exists. */
enum det_code plot_data_write(const struct plot_run *runs, int n, const char *folder,
                              struct det_error *err);

#endif
