/* The rules behind judge.h, a file each. A rule that holds fills *out and returns 1. */
#ifndef HARNESS_JUDGE_RULES_H
#define HARNESS_JUDGE_RULES_H

#include "harness/judge/judge.h"

/* judge_diverged.c: something is not finite; the earliest such step. */
int judge_diverged(const struct logged_run *run, struct verdict *out);
/* judge_stalled.c: weights or losses equal, or every update skipped, over rules->stall_steps. */
int judge_stalled(const struct logged_run *run, const struct judge_rules *rules,
                  struct verdict *out);
/* judge_collapsed.c: no detections, whole or per class, in the last judged evaluations. */
int judge_collapsed(const struct logged_run *run, const struct judge_rules *rules,
                    struct verdict *out);
/* judge_indirect.c: the same told by what logs without detection counts have: the foreground's
 * accuracy, and average precision. n judged evaluations at `at`. */
int judge_indirect(const struct logged_run *run, const struct judge_rules *rules, const int *at,
                   int n, struct verdict *out);
/* judge_untold.c: which rules this log says nothing about; none in our own. */
void judge_untold(const struct logged_run *run, const struct judge_rules *rules,
                  struct verdict *out);
/* judge_warnings.c: everything worth a look. */
void judge_warn(const struct logged_run *run, const struct judge_rules *rules, struct verdict *out);

/* The first step whose evaluations are judged: ceil(after * planned steps). */
int64_t judge_first_step(const struct logged_run *run, const struct judge_rules *rules);

/* The last `consecutive` evaluations (fewer where there are fewer) that are past warm-up and on
 * images with objects: indices into run->evals from the last backwards. Where some of them count
 * detections, those alone. Returns their number, at most JUDGE_LAST_MAX. */
#define JUDGE_LAST_MAX 64 /* and the key's highest value */
int judge_last_evals(const struct logged_run *run, const struct judge_rules *rules,
                     int at[JUDGE_LAST_MAX]);

/* Whether an evaluation has detections at or above judge.score, as far as the log tells: by counts,
 * or by the highest score. */
enum judge_emptiness { JUDGE_UNTOLD, JUDGE_EMPTY, JUDGE_NOT_EMPTY };
enum judge_emptiness judge_empty(const struct run_log_eval *eval, const struct judge_rules *rules);

/* Logs that do not count objects are taken to have some. */
int judge_has_objects(const struct run_log_eval *eval);

/* What becomes of foreground in the logged steps from some step on that have any. */
struct judge_foreground {
    int lines;               /* such steps; the rest is 0 where there are none */
    double accuracy, missed; /* means: predicted right; called background */
    double samples;          /* foreground RoIs, mean; RUN_LOG_NONE where a step does not say */
};
struct judge_foreground judge_foreground(const struct logged_run *run, int64_t first_step);

/* Fill *out; returns 1, so that a rule can end with it. */
int judge_say(struct verdict *out, enum verdict_kind kind, const char *rule, int64_t step,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
