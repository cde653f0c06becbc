/* A training run shown as one line of a progress display. */
#ifndef HARNESS_TRAINING_SHOWN_H
#define HARNESS_TRAINING_SHOWN_H

#include "harness/report/progress.h"
#include "harness/training/trainer.h"

struct shown_run { /* must outlive the run */
    struct progress *progress; /* borrowed */
    int line;                  /* which of its lines */
};

/* An observer that draws the run's steps and evaluations, and stops it on Ctrl-C. */
struct trainer_observer shown_run_observer(struct shown_run *shown);

#endif
