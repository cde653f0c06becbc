#include "harness/training/session.h"

#include "harness/judge/judge.h"
#include "harness/log/log_reader.h"

#include <stdio.h>

static enum det_code append_verdict(const char *folder, int64_t steps_done,
                                    const struct verdict *verdict, struct det_error *err)
{
    char path[4096];
    struct run_log *log;
    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    enum det_code code = run_log_open_at(path, steps_done, &log, err);
    if (code != DET_OK)
        return code;
    code = run_log_write_verdict(log, verdict, err);
    run_log_close(log);
    return code;
}

enum det_code session_run(const struct trainer_options *options, struct verdict *verdict,
                          struct det_error *err)
{
    struct logged_run *run;
    struct judge_rules rules;
    enum det_code code = trainer_run(options, err);
    if (code != DET_OK || (code = logged_run_open(options->folder, &run, err)) != DET_OK)
        return code;
    judge_rules_of(run, &rules);
    judge_run(run, &rules, verdict);
    int64_t steps_done = run->steps_done;
    logged_run_close(run);
    return append_verdict(options->folder, steps_done, verdict, err);
}
