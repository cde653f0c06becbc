/* One training run: a configuration and a run folder in; log, checkpoints and a model out. */
#ifndef HARNESS_TRAINING_TRAINER_H
#define HARNESS_TRAINING_TRAINER_H

#include "detector/detector.h"
#include "harness/log/run_log.h"

struct trainer_observer { /* who watches; called from the training thread. Entries may be NULL */
    void *arg;
    void (*step)(void *arg, const struct run_log_step *step);
    void (*eval)(void *arg, const struct run_log_eval *eval);
    int (*stop)(void *arg); /* asked before every step: nonzero ends the run at a checkpoint */
};

struct trainer_options {
    const struct det_config *config;
    const char *folder;  /* the run's; made once all input is found good */
    const char *name;    /* of the run, for the log: "fixed" */
    const char *backend; /* "cpu" or "cuda" */
    int resume;          /* go on from folder/checkpoint.safetensors, as the log there began */
    const char *weights; /* NULL, or a checkpoint whose weights the run starts from */
    struct trainer_observer observer;
};

/* Train to the end. What diverges ends early with a `stop` line and is still DET_OK: the judge says
 * what it means. Fails on bad input (DET_INVALID), a full disk (DET_IO), lack of memory, or a
 * backend that cannot run here (DET_UNAVAILABLE). */
enum det_code trainer_run(const struct trainer_options *options, struct det_error *err);

#endif
