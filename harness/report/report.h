/* One self-contained HTML page about runs: verdicts, the table side by side, the plots inlined as
 * SVG, configurations with what differs, environments. Nothing is loaded from elsewhere. */
#ifndef HARNESS_REPORT_H
#define HARNESS_REPORT_H

#include "harness/log/log_reader.h"
#include "harness/judge/verdict.h"

/* plots_dir: where plot_runs drew the same runs; NULL: a page without plots. The page is written to
 * a temporary name and renamed. The same runs make the same bytes. */
enum det_code report_write(const struct logged_run *const *runs, const struct verdict *verdicts,
                           int n, const char *plots_dir, const char *path, struct det_error *err);

#endif
