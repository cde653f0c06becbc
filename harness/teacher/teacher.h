/* Teacher-forced comparison: every step of a run is made a second time, elsewhere, from the state
 * that the first one started from; what differs is then rounding, or an error, and no history.
 * Elsewhere is another process (a build, a BLAS core; a trace is carried over), or another device. */
#ifndef HARNESS_TEACHER_H
#define HARNESS_TEACHER_H

#include "detector/training/training_config.h"
#include "harness/teacher/step_result.h"
#include "harness/teacher/tolerances.h"

struct teacher_steps {
    int64_t n;     /* steps recorded or compared; 0: all of them */
    int64_t every; /* of the run, each so many; 1: consecutive ones */
};

/* Train from the start and record steps 0, every, 2 every, ... into the folder, n of them.
 * DET_INVALID for a folder that holds steps already, and for what is not recorded: accumulated
 * passes and hard example mining. DET_NOT_FINITE where the run diverges; the steps before are kept.
 */
enum det_code teacher_trace(const struct det_config *config, const char *backend,
                            const char *folder, const struct teacher_steps *steps,
                            struct det_error *err);

struct teacher_side {
    const struct det_config *config;
    const char *backend;
};

struct teacher_report { /* everything owned */
    char teacher[384], pupil[384]; /* what they are made of */
    char precision[2][8];
    struct tolerances tolerances;
    struct step_result *steps;
    size_t n;
};

/* The steps of a trace, made by `pupil`. tolerances_path: NULL for the built-in table. */
enum det_code teacher_compare_trace(const char *folder, const struct teacher_side *pupil,
                                    const char *tolerances_path, const struct teacher_steps *steps,
                                    struct teacher_report *out, struct det_error *err);

/* Both in this process: the teacher trains freely, the pupil repeats its steps. */
enum det_code teacher_compare_live(const struct teacher_side *teacher,
                                   const struct teacher_side *pupil, const char *tolerances_path,
                                   const struct teacher_steps *steps, struct teacher_report *out,
                                   struct det_error *err);

/* There were steps, and all of them pass. */
int teacher_report_passes(const struct teacher_report *report);
void teacher_report_release(struct teacher_report *report);

#endif
