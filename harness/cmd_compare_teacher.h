/* The other form of `detcheck compare`: a command of its own in all but its name. */
#ifndef HARNESS_CMD_COMPARE_TEACHER_H
#define HARNESS_CMD_COMPARE_TEACHER_H

#include "detector/base/status.h"

/* Do the arguments ask for it: --teacher-forced or --backends among them? */
int cmd_compare_teacher_wanted(int argc, char **argv);
int cmd_compare_teacher(int argc, char **argv, struct det_error *err);

#endif
