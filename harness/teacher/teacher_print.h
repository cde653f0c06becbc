/* A teacher-forced comparison, for people or for machines. */
#ifndef HARNESS_TEACHER_PRINT_H
#define HARNESS_TEACHER_PRINT_H

#include "harness/teacher/teacher.h"

#include <stdio.h>

/* A row a step, the flips by kind, what was found, one line of verdict. `all`: also the flips that
 * are within their limits, each with its margin. */
enum det_code teacher_print(FILE *to, const struct teacher_report *report, int all,
                            struct det_error *err);
/* One JSON object. */
enum det_code teacher_print_json(FILE *to, const struct teacher_report *report,
                                 struct det_error *err);

#endif
