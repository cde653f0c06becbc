#include "harness/training/shown.h"

#include "harness/program/interrupt.h"

static void saw_step(void *arg, const struct run_log_step *step)
{
    const struct shown_run *shown = arg;
    progress_step(shown->progress, shown->line, step);
}

static void saw_eval(void *arg, const struct run_log_eval *eval)
{
    const struct shown_run *shown = arg;
    progress_eval(shown->progress, shown->line, eval);
}

struct trainer_observer shown_run_observer(struct shown_run *shown)
{
    return (struct trainer_observer){
        .arg = shown, .step = saw_step, .eval = saw_eval, .stop = interrupt_came};
}
