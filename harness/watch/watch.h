/* Following a log while it is written, and judging it as it grows. */
#ifndef HARNESS_WATCH_H
#define HARNESS_WATCH_H

#include "harness/foreign/foreign.h"
#include "harness/judge/judge.h"

#include <stdio.h>

struct watch_options {
    const char *path; /* what foreign_open takes; need not exist yet */
    struct foreign_options foreign;
    double interval; /* seconds between looks; more where reading takes long */
    double idle;     /* the run has ended when nothing was logged for so many seconds */
    double timeout;  /* stop watching after so many seconds; 0: never */
    int once;        /* look once and say how it stands */
};

enum watch_end {
    WATCH_ENDED,   /* the run has ended: *verdict is over all of it */
    WATCH_BROKEN,  /* collapsed, diverged or stalled: nothing that comes can change it */
    WATCH_RUNNING, /* looked at once, or the time is up: the run goes on */
};

/* Look again and again until one of these is so. Warnings and what is found go to `to`, a line
 * each, at once. The log is read anew whenever it has changed, so that it may be truncated or
 * replaced; a log that is not there, or empty, is waited for. An error that stays while the log
 * does not change is returned; so is, with `once` or when the time is up, a log that never came. */
enum det_code watch_log(const struct watch_options *options, FILE *to, enum watch_end *end,
                        struct verdict *verdict, struct det_error *err);

#endif
