#include "harness/decisions/flip_log.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FINDINGS 200 /* failures beyond are counted only */

static const struct {
    const char *name, *quantity;
} kinds[FLIP_KINDS] = {
    [FLIP_ANCHOR] = {"anchor", "IoU"},       [FLIP_RANK] = {"proposal rank", "logit"},
    [FLIP_NMS] = {"proposal NMS", "IoU"},    [FLIP_SIZE] = {"proposal size", "pixels"},
    [FLIP_ROI] = {"RoI", "IoU"},             [FLIP_ROI_LEVEL] = {"RoI level", "levels"},
    [FLIP_RELU] = {"ReLU", "of the layer"},  [FLIP_MAXIMUM] = {"maximum", "of the layer"},
    [FLIP_CLIP] = {"clip", "of the limit"},  [FLIP_SKIP] = {"skip", "none"},
};

const char *flip_name(enum flip_kind kind)
{
    return kinds[kind].name;
}

const char *flip_quantity(enum flip_kind kind)
{
    return kinds[kind].quantity;
}

static struct finding *new_finding(struct flip_log *log, int fails)
{
    log->failures += fails;
    if (log->n_findings == MOST_FINDINGS)
        return NULL;
    if (log->n_findings == log->capacity) {
        size_t capacity = 2 * log->capacity + 16;
        struct finding *more = realloc(log->findings, capacity * sizeof *more);
        log->lost |= !more;
        if (!more)
            return NULL;
        log->findings = more;
        log->capacity = capacity;
    }
    struct finding *f = &log->findings[log->n_findings++];
    *f = (struct finding){.fails = fails};
    return f;
}

void flip_log_add(struct flip_log *log, int fails, const char *format, ...)
{
    struct finding *f = new_finding(log, fails);
    va_list args;
    if (!f)
        return;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

static void tell_flip(struct finding *f, const struct slack *slack, const char *what)
{
    if (!f)
        return;
    f->slack = *slack;
    if (isfinite(slack->share))
        snprintf(f->text, sizeof f->text, "%s: %.3g %s from a tie", what, slack->margin,
                 flip_quantity(slack->kind));
    else
        snprintf(f->text, sizeof f->text, "%s: no tie explains it", what);
}

void flip_log_flip(struct flip_log *log, const struct slack *slack, int changed,
                      const char *format, ...)
{
    struct flips *flips = &log->kind[slack->kind];
    int beyond = !(slack->share <= 1.0);
    if (!changed && !beyond)
        return;
    char what[160];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    *(slack->share == 0.0 ? &flips->following : &flips->n) += changed;
    flips->beyond += beyond ? (changed ? changed : 1) : 0;
    flips->worst = slack_larger(flips->worst, *slack);
    if (beyond || slack->share != 0.0)
        tell_flip(new_finding(log, beyond), slack, what);
}

void flip_log_release(struct flip_log *log)
{
    free(log->findings);
    memset(log, 0, sizeof *log);
}
