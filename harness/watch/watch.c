#include "harness/watch/watch.h"

#include "harness/statistics/clock.h"

#include <inttypes.h>
#include <string.h>

#define LOOKS_BEFORE_AN_ERROR 10 /* without a change: a writer may be in the middle of a line */
#define READING_SHARE 0.1       /* of the time: a long log is looked at less often */

struct watch {
    const struct watch_options *options;
    FILE *to;
    uint64_t stamp;         /* of the log when it was last read */
    double started, change; /* moments; the latter of the last change */
    double reading;         /* seconds that the last read took */
    int came;               /* the log could be read at least once */
    int looks;              /* since the last change */
    int finished;           /* as far as the log itself tells */
    struct det_error error; /* of the last read */
    struct verdict verdict; /* over the last log that could be read */
    int certain;
    int64_t done, planned;                      /* steps; planned 0: not known */
    const char *said[VERDICT_WARNINGS_MAX + 4]; /* rules that were warned of */
    int n_said;
};

/* ---- what to say ---- */

/* Once a rule. */
static int is_new(struct watch *watch, const char *rule)
{
    for (int i = 0; i < watch->n_said; i++)
        if (strcmp(watch->said[i], rule) == 0)
            return 0;
    if (watch->n_said < (int)(sizeof watch->said / sizeof watch->said[0]))
        watch->said[watch->n_said++] = rule;
    return 1;
}

static void say(struct watch *watch, const char *rule, int64_t step, const char *what,
                const char *why)
{
    if (!is_new(watch, rule))
        return;
    fprintf(watch->to, "%s: warning (%s) at step %" PRId64 ": %s%s\n", watch->options->path, rule,
            step, what, why);
    fflush(watch->to);
}

/* Every detector begins without detections and with background everywhere: only in the second half
 * of the way to judge.after is that worth a line. */
static void warn(struct watch *watch, const struct logged_run *run, const struct judge_rules *rules)
{
    const struct verdict *verdict = &watch->verdict;
    if (verdict->kind == VERDICT_COLLAPSED && !watch->certain)
        say(watch, verdict->rule, verdict->step,
            "would be a collapse if the run ended here: ", verdict->why);
    if (run->planned_unknown ||
        (double)run->steps_done < 0.5 * rules->after * (double)run->planned_steps)
        return;
    for (int i = 0; i < verdict->n_warnings; i++)
        say(watch, verdict->warnings[i].rule, verdict->warnings[i].step, "",
            verdict->warnings[i].why);
}

/* ---- looking ---- */

static int has_ended(const struct logged_run *run)
{
    if (run->stop_reason)
        return 1;
    if (run->planned_unknown || run->steps_done < run->planned_steps)
        return 0;
    return run->n_evals > 0 && run->evals[run->n_evals - 1].step >= run->planned_steps;
}

static void judge(struct watch *watch, const struct logged_run *run)
{
    struct judge_rules rules;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, &watch->verdict);
    watch->certain = judge_is_certain(run, &rules, &watch->verdict);
    watch->finished = has_ended(run);
    watch->done = run->steps_done;
    watch->planned = run->planned_unknown ? 0 : run->planned_steps;
    if (!watch->finished)
        warn(watch, run, &rules);
}

/* Read the log where it has changed since the last look. */
static void look(struct watch *watch)
{
    const struct watch_options *options = watch->options;
    struct logged_run *run;
    double now = clock_seconds();
    uint64_t stamp = foreign_stamp(options->path, &options->foreign);
    if (stamp == watch->stamp && watch->looks > 0) {
        watch->looks++;
        return;
    }
    watch->stamp = stamp;
    watch->change = now;
    watch->looks = 1;
    watch->error = (struct det_error){0};
    if (!stamp)
        return; /* not there yet, or empty */
    if (foreign_open(options->path, &options->foreign, &run, &watch->error) != DET_OK)
        return;
    if (!watch->came) {
        fprintf(watch->to, "%s: found, a log of %s\n", options->path,
                run->format ? run->format : "detcheck");
        fflush(watch->to);
    }
    watch->came = 1;
    judge(watch, run);
    logged_run_close(run);
    watch->reading = clock_seconds() - now;
}

static void pause_between(const struct watch *watch)
{
    double seconds = watch->options->interval;
    if (seconds < watch->reading / READING_SHARE)
        seconds = watch->reading / READING_SHARE;
    struct timespec rest = {.tv_sec = (time_t)seconds};
    rest.tv_nsec = (long)(1e9 * (seconds - (double)rest.tv_sec));
    nanosleep(&rest, NULL);
}

/* ---- deciding ---- */

/* The error to give up with: one that stays, or that there is no log. DET_OK: go on. */
static enum det_code give_up(const struct watch *watch, int last_look, struct det_error *err)
{
    if (watch->error.code && (last_look || watch->looks >= LOOKS_BEFORE_AN_ERROR)) {
        *err = watch->error;
        return err->code;
    }
    if (!last_look || watch->came)
        return DET_OK;
    return det_fail(err, DET_IO, "%s: no log there, or an empty one%s", watch->options->path,
                    watch->options->once ? "" : ", and none came");
}

static int decide(const struct watch *watch, enum watch_end *end)
{
    double now = clock_seconds();
    *end = WATCH_BROKEN;
    if (watch->came && watch->certain)
        return 1;
    *end = WATCH_ENDED;
    if (watch->came && (watch->finished || now - watch->change >= watch->options->idle))
        return 1;
    *end = WATCH_RUNNING;
    return watch->options->once ||
           (watch->options->timeout > 0 && now - watch->started >= watch->options->timeout);
}

static void say_running(const struct watch *watch)
{
    const char *path = watch->options->path;
    const char *what = watch->options->once ? "nothing certain yet" : "the time is up";
    if (watch->planned)
        fprintf(watch->to, "%s: running, %" PRId64 " of %" PRId64 " steps; %s\n", path, watch->done,
                watch->planned, what);
    else
        fprintf(watch->to, "%s: running, %" PRId64 " steps; %s\n", path, watch->done, what);
}

enum det_code watch_log(const struct watch_options *options, FILE *to, enum watch_end *end,
                        struct verdict *verdict, struct det_error *err)
{
    struct watch watch = {.options = options, .to = to, .started = clock_seconds()};
    enum det_code code = DET_OK;
    for (;;) {
        look(&watch);
        int last = decide(&watch, end);
        code = give_up(&watch, last, err);
        if (last || code != DET_OK)
            break;
        pause_between(&watch);
    }
    *verdict = watch.verdict;
    if (code == DET_OK && *end == WATCH_RUNNING)
        say_running(&watch);
    return code;
}
