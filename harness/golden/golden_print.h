/* What `detcheck golden check` and `diff` say. */
#ifndef HARNESS_GOLDEN_PRINT_H
#define HARNESS_GOLDEN_PRINT_H

#include "harness/golden/golden_compare.h"

#include <stdio.h>

/* One line where the table holds; else that line, every finding (the first 40 of many) and the
 * command that accepts the new values. */
enum det_code golden_print_check(FILE *to, const char *name, const struct golden_report *report,
                                 struct det_error *err);

/* Every row that moved, with both values, absolute and relative difference and ulp, and which part
 * of the loss moved first. */
enum det_code golden_print_diff(FILE *to, const char *name, const struct golden_report *report,
                                struct det_error *err);

#endif
