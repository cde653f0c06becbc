/* Verdicts over a run log. docs/verdicts.md explains every rule to users.
 *
 * Precedence: diverged, stalled, collapsed, incomplete, healthy: what explains the others comes
 * first, and a NaN never passes for "no detections". */
#ifndef HARNESS_JUDGE_H
#define HARNESS_JUDGE_H

#include "harness/judge/verdict.h"
#include "harness/log/log_reader.h"

struct judge_rules {     /* the judge.* keys */
    double score;        /* a detection counts at or above */
    int64_t consecutive; /* last evaluations in a row that must be empty */
    double after;        /* share of the run before which nothing is judged collapsed */
    int64_t stall_steps;
};

/* The rules that stand in the run's own configuration; defaults where a key is missing. */
void judge_rules_of(const struct logged_run *run, struct judge_rules *rules);

/* Fills *out. Cannot fail: a run with nothing to judge is `incomplete`. */
void judge_run(const struct logged_run *run, const struct judge_rules *rules, struct verdict *out);

/* Whether the verdict, of judge_run over a run that still goes on, is one that no later step can
 * change: not finite, at a standstill, or collapsed by as many evaluations as the rule asks for,
 * past judge.after of steps that are known. */
int judge_is_certain(const struct logged_run *run, const struct judge_rules *rules,
                     const struct verdict *verdict);

/* Read the log (a file or a run's folder) and judge it by its own rules. */
enum det_code judge_log(const char *path, struct verdict *out, struct det_error *err);

#endif
