/* What was found when the decisions of two passes were compared: flips by kind, and lines for
 * people, to which other findings may be added. */
#ifndef HARNESS_DECISIONS_FLIP_LOG_H
#define HARNESS_DECISIONS_FLIP_LOG_H

#include "harness/decisions/flip_kind.h"

#include <stddef.h>

struct flips { /* of one kind */
    int n;         /* decisions that fell to the other side by themselves */
    int following; /* and those that are others only because of these */
    int beyond;    /* of either side, that no tie explains */
    struct slack worst; /* the largest margin, by share of its limit */
};

struct finding {
    int fails;          /* 0: a flip within its limit, told for information */
    struct slack slack; /* of a flip; of other findings its share is 0 */
    char text[224];
};

struct flip_log {
    struct flips kind[FLIP_KINDS];
    struct finding *findings; /* owned */
    size_t n_findings, capacity;
    int failures; /* findings that fail, also those beyond the most that are kept */
    int lost;     /* a finding was lost for want of memory */
};

const char *flip_name(enum flip_kind kind);     /* "anchor" */
const char *flip_quantity(enum flip_kind kind); /* "IoU" */

/* A line about something found that is no flip. */
void flip_log_add(struct flip_log *log, int fails, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `changed` decisions that fell to the other side, or none (0), with that slack: a flip, or a decision
 * that no tie explains. Described by the text, to which the margin is added. */
void flip_log_flip(struct flip_log *log, const struct slack *slack, int changed, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
void flip_log_release(struct flip_log *log);

#endif
