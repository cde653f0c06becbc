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
/* judge_warnings.c: everything worth a look. */
void judge_warn(const struct logged_run *run, const struct judge_rules *rules, struct verdict *out);

/* The first step whose evaluations are judged: ceil(after * planned steps). */
int64_t judge_first_step(const struct logged_run *run, const struct judge_rules *rules);

/* The last `consecutive` evaluations (fewer where there are fewer) that are past warm-up and on
 * images with objects: indices into run->evals from the last backwards. Returns their number, at
 * most JUDGE_LAST_MAX. */
#define JUDGE_LAST_MAX 64 /* and the key's highest value */
int judge_last_evals(const struct logged_run *run, const struct judge_rules *rules,
                     int at[JUDGE_LAST_MAX]);

/* Fill *out; returns 1, so that a rule can end with it. */
int judge_say(struct verdict *out, enum verdict_kind kind, const char *rule, int64_t step,
              const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
