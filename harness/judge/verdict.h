/* A verdict over one run: what it is, which rule says so, from which step on, and the numbers. */
#ifndef HARNESS_VERDICT_H
#define HARNESS_VERDICT_H

#include "harness/log/json_text.h"

#include <stdint.h>
#include <stdio.h>

enum verdict_kind {
    VERDICT_HEALTHY,
    VERDICT_COLLAPSED,  /* no detections where there are objects */
    VERDICT_DIVERGED,   /* something is not finite */
    VERDICT_STALLED,    /* weights or losses do not move */
    VERDICT_OFF_GOLDEN, /* differs from the recorded values */
    VERDICT_INCOMPLETE, /* ended before there was anything to judge */
};

#define VERDICT_WHY_LENGTH 256
#define VERDICT_WARNINGS_MAX 8
#define VERDICT_UNTOLD_MAX 12

struct verdict_warning { /* worth a look, but no reason to fail */
    const char *rule;    /* static */
    int64_t step;        /* first step it holds for */
    char why[VERDICT_WHY_LENGTH];
};

struct verdict {
    enum verdict_kind kind;
    const char *rule;             /* static; "" where healthy */
    int64_t step;                 /* first bad one, -1 where healthy */
    char why[VERDICT_WHY_LENGTH]; /* one sentence with the numbers */
    int n_warnings;
    struct verdict_warning warnings[VERDICT_WARNINGS_MAX];
    int n_untold; /* rules that need what the log does not hold; none of our own logs */
    const char *untold[VERDICT_UNTOLD_MAX]; /* static */
};

/* "healthy", "collapsed", ... */
const char *verdict_name(enum verdict_kind kind);

/* Exit status of a command that ends with this verdict: 0 where healthy, 1 otherwise. */
int verdict_status(enum verdict_kind kind);

/* One line, `run: verdict (rule) at step N: why`; the rest is left to the caller. */
void verdict_print(FILE *to, const char *run, const struct verdict *verdict);

/* A line for each warning, and one that lists what cannot be told. */
void verdict_print_warnings(FILE *to, const char *run, const struct verdict *verdict);

/* The keys `verdict`, `rule`, `step`, `why`, `warnings` and, where there is something that cannot
 * be told, `untold` into the object that is open in text. */
void verdict_put_json(struct json_text *text, const struct verdict *verdict);

#endif
