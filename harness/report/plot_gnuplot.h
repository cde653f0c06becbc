/* Running gnuplot on the scripts that are built into the program. */
#ifndef HARNESS_PLOT_GNUPLOT_H
#define HARNESS_PLOT_GNUPLOT_H

#include "detector/base/status.h"

/* Write every script of plots/ into the folder. */
enum det_code gnuplot_write_scripts(const char *folder, struct det_error *err);

/* Run `gnuplot -d script` in the folder and wait for it. DET_UNAVAILABLE where gnuplot is not
 * installed, DET_INVALID with the first line it complained with where it fails. */
enum det_code gnuplot_run(const char *folder, const char *script, struct det_error *err);

#endif
