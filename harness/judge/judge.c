#include "harness/judge/judge.h"

#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void judge_rules_of(const struct logged_run *run, struct judge_rules *rules)
{
    *rules = (struct judge_rules){
        .score = logged_config_number(run, "judge.score", 0.5),
        .consecutive = (int64_t)logged_config_number(run, "judge.consecutive", 2),
        .after = logged_config_number(run, "judge.after", 0.8),
        .stall_steps = (int64_t)logged_config_number(run, "judge.stall_steps", 20),
    };
}

int judge_say(struct verdict *out, enum verdict_kind kind, const char *rule, int64_t step,
              const char *format, ...)
{
    out->kind = kind;
    out->rule = rule;
    out->step = step;
    va_list args;
    va_start(args, format);
    vsnprintf(out->why, sizeof out->why, format, args);
    va_end(args);
    return 1;
}

int64_t judge_first_step(const struct logged_run *run, const struct judge_rules *rules)
{
    return (int64_t)ceil(rules->after * (double)run->planned_steps);
}

static int is_judged(const struct run_log_eval *eval, int64_t from)
{
    return eval->step >= from && judge_has_objects(eval);
}

/* Whether the evaluation counted detections, or knows their highest score; that a trainer predicted
 * nothing at all is less: of its other evaluations it says nothing. */
static int is_counted(const struct run_log_eval *eval)
{
    return eval->detections_per_class || eval->detections[0] != RUN_LOG_UNKNOWN ||
           eval->max_score != RUN_LOG_NONE;
}

int judge_last_evals(const struct logged_run *run, const struct judge_rules *rules,
                     int at[JUDGE_LAST_MAX])
{
    int n = 0, counted = 0;
    int64_t from = judge_first_step(run, rules);
    for (size_t i = 0; i < run->n_evals; i++)
        counted |= is_judged(&run->evals[i], from) && is_counted(&run->evals[i]);
    for (int i = (int)run->n_evals - 1; i >= 0 && n < rules->consecutive && n < JUDGE_LAST_MAX; i--)
        if (is_judged(&run->evals[i], from) && (!counted || is_counted(&run->evals[i])))
            at[n++] = i;
    return n;
}

int judge_has_objects(const struct run_log_eval *eval)
{
    return eval->objects != 0;
}

enum judge_emptiness judge_empty(const struct run_log_eval *eval, const struct judge_rules *rules)
{
    int64_t counted = logged_detections(eval);
    if (counted != RUN_LOG_UNKNOWN)
        return counted ? JUDGE_NOT_EMPTY : JUDGE_EMPTY;
    for (int t = 0; t < RUN_LOG_THRESHOLDS; t++) {
        if (eval->detections[t] == 0 && run_log_thresholds[t] <= rules->score)
            return JUDGE_EMPTY;
        if (eval->detections[t] > 0 && run_log_thresholds[t] >= rules->score)
            return JUDGE_NOT_EMPTY;
    }
    if (eval->max_score == RUN_LOG_NONE)
        return JUDGE_UNTOLD;
    return eval->max_score >= rules->score ? JUDGE_NOT_EMPTY : JUDGE_EMPTY;
}

/* What of a collapse the judged part of the log can show. */
enum evidence { NO_EVIDENCE, RANKING_ONLY, DETECTIONS };

static enum evidence find_evidence(const struct logged_run *run, const struct judge_rules *rules)
{
    int at[JUDGE_LAST_MAX];
    if (run->format && judge_foreground(run, judge_first_step(run, rules)).lines > 0)
        return DETECTIONS;
    if (judge_last_evals(run, rules, at) == 0)
        return NO_EVIDENCE;
    const struct run_log_eval *last = &run->evals[at[0]];
    if (judge_empty(last, rules) != JUDGE_UNTOLD)
        return DETECTIONS;
    return last->box_ap != RUN_LOG_NONE ? RANKING_ONLY : NO_EVIDENCE;
}

static int judge_incomplete(const struct logged_run *run, const struct judge_rules *rules,
                            struct verdict *out)
{
    const char *reason =
        run->stop_reason ? run->stop_reason : "interrupted, killed or still running";
    if (run->steps_done < run->planned_steps)
        return judge_say(out, VERDICT_INCOMPLETE, "ended_early", run->steps_done,
                         "ended after %" PRId64 " of %" PRId64 " steps (%.100s)", run->steps_done,
                         run->planned_steps, reason);
    switch (find_evidence(run, rules)) {
    case DETECTIONS:
        return 0;
    case RANKING_ONLY:
        return run->strict &&
               judge_say(out, VERDICT_INCOMPLETE, "nothing_counted", run->steps_done,
                         "average precision says nothing of scores, and neither detections, scores "
                         "nor foreground accuracy are in this log: give --results");
    case NO_EVIDENCE:
        break;
    }
    return judge_say(out, VERDICT_INCOMPLETE, "nothing_evaluated", run->steps_done,
                     "no evaluation on images with objects from step %" PRId64
                     " on (%zu evaluations in all)",
                     judge_first_step(run, rules), run->n_evals);
}

__attribute__((format(printf, 2, 3))) static void append(struct verdict *out, const char *format,
                                                         ...)
{
    size_t length = strlen(out->why);
    va_list args;
    va_start(args, format);
    vsnprintf(out->why + length, sizeof out->why - length, format, args);
    va_end(args);
}

/* Whatever of it the log of another trainer has. */
static void say_what_is_known(const struct logged_run *run, const struct judge_rules *rules,
                              const struct run_log_eval *last, struct verdict *out)
{
    struct judge_foreground seen = judge_foreground(run, judge_first_step(run, rules));
    int64_t step = last ? last->step : run->steps_done;
    judge_say(out, VERDICT_HEALTHY, "", -1, "by step %" PRId64, step);
    if (last && logged_detections(last) != RUN_LOG_UNKNOWN)
        append(out, ", %" PRId64 " detections at score >= %g", logged_detections(last),
               rules->score);
    if (last && last->objects > 0)
        append(out, " on %" PRId64 " objects", last->objects);
    if (last && last->max_score != RUN_LOG_NONE)
        append(out, ", highest score %.3f", last->max_score);
    if (last && last->box_ap != RUN_LOG_NONE)
        append(out, ", box AP %.3f", last->box_ap);
    if (seen.lines > 0)
        append(out, ", foreground accuracy %.3f", seen.accuracy);
    if (find_evidence(run, rules) == RANKING_ONLY)
        append(out, "; whether scores reach %g cannot be told", rules->score);
}

static void say_healthy(const struct logged_run *run, const struct judge_rules *rules,
                        struct verdict *out)
{
    int at[JUDGE_LAST_MAX];
    int n = judge_last_evals(run, rules, at);
    const struct run_log_eval *last = n ? &run->evals[at[0]] : NULL;
    if (run->format || !last) {
        say_what_is_known(run, rules, last, out);
        return;
    }
    judge_say(out, VERDICT_HEALTHY, "", -1,
              "%" PRId64 " detections at score >= %g on %" PRId64 " objects at step %" PRId64
              ", highest score %.3f, box AP %.3f",
              logged_detections(last), rules->score, last->objects, last->step, last->max_score,
              last->box_ap == RUN_LOG_NONE ? 0.0 : last->box_ap);
}

void judge_run(const struct logged_run *run, const struct judge_rules *rules, struct verdict *out)
{
    *out = (struct verdict){.rule = "", .step = -1};
    if (!judge_diverged(run, out) && !judge_stalled(run, rules, out) &&
        !judge_collapsed(run, rules, out) && !judge_incomplete(run, rules, out))
        say_healthy(run, rules, out);
    judge_warn(run, rules, out);
    judge_untold(run, rules, out);
}

int judge_is_certain(const struct logged_run *run, const struct judge_rules *rules,
                     const struct verdict *verdict)
{
    int at[JUDGE_LAST_MAX];
    if (verdict->kind == VERDICT_DIVERGED || verdict->kind == VERDICT_STALLED)
        return 1;
    if (verdict->kind != VERDICT_COLLAPSED || run->planned_unknown)
        return 0;
    /* Told by steps, not by evaluations: the rule has asked for enough of them. */
    return strcmp(verdict->rule, "foreground_missed") == 0 ||
           judge_last_evals(run, rules, at) >= rules->consecutive;
}

enum det_code judge_log(const char *path, struct verdict *out, struct det_error *err)
{
    struct logged_run *run;
    enum det_code code = logged_run_open(path, &run, err);
    if (code != DET_OK)
        return code;
    struct judge_rules rules;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, out);
    logged_run_close(run);
    return DET_OK;
}
