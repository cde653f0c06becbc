/* A sweep's results as a Markdown table, and into a document between two marks. */
#ifndef HARNESS_SWEEP_SWEEP_TABLE_H
#define HARNESS_SWEEP_SWEEP_TABLE_H

#include "harness/sweep/sweep.h"

/* The table, a row a variant: how many runs ended how, detections, scores beside the closed form,
 * AP; medians over the seeds with the range. NUL-terminated, owned by the caller (free). */
enum det_code sweep_table(const struct study *study, const struct sweep_result *results, int n,
                          char **out, struct det_error *err);

/* Replace what stands between `<!-- sweep NAME -->` and `<!-- /sweep NAME -->` in the file by text;
 * NAME is the study's. */
enum det_code sweep_write_document(const char *path, const char *name, const char *text,
                                   struct det_error *err);

/* Whether every run ended as its variant expects; tells each that did not on `to`. */
int sweep_as_expected(const struct study *study, const struct sweep_result *results, int n,
                      FILE *to);

#endif
