#include "harness/judge/judge.h"

#include "harness/judge/judge_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

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

int judge_last_evals(const struct logged_run *run, const struct judge_rules *rules,
                     int at[JUDGE_LAST_MAX])
{
    int n = 0;
    int64_t from = judge_first_step(run, rules);
    for (int i = (int)run->n_evals - 1; i >= 0 && n < rules->consecutive && n < JUDGE_LAST_MAX; i--)
        if (run->evals[i].step >= from && run->evals[i].objects > 0)
            at[n++] = i;
    return n;
}

static int judge_incomplete(const struct logged_run *run, const struct judge_rules *rules,
                            struct verdict *out)
{
    const char *reason = run->stop_reason ? run->stop_reason : "interrupted, killed or still running";
    if (run->steps_done < run->planned_steps)
        return judge_say(out, VERDICT_INCOMPLETE, "ended_early", run->steps_done,
                         "ended after %" PRId64 " of %" PRId64 " steps (%.100s)", run->steps_done,
                         run->planned_steps, reason);
    int at[JUDGE_LAST_MAX];
    if (judge_last_evals(run, rules, at) > 0)
        return 0;
    return judge_say(out, VERDICT_INCOMPLETE, "nothing_evaluated", run->steps_done,
                     "no evaluation on images with objects from step %" PRId64
                     " on (%zu evaluations in all)",
                     judge_first_step(run, rules), run->n_evals);
}

static void say_healthy(const struct logged_run *run, const struct judge_rules *rules,
                        struct verdict *out)
{
    int at[JUDGE_LAST_MAX];
    judge_last_evals(run, rules, at);
    const struct run_log_eval *last = &run->evals[at[0]];
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
