/* One step made by a pupil from its teacher's state, with its teacher's decisions, and compared. */
#ifndef HARNESS_TEACHER_TEACHER_STEP_H
#define HARNESS_TEACHER_TEACHER_STEP_H

#include "harness/teacher/golden_step.h"
#include "harness/teacher/step_result.h"
#include "harness/teacher/tolerances.h"

struct pupil { /* borrowed but for own and gradients */
    struct det_model *model;
    struct det_device *dev;
    const struct det_config *config;
    int canvas_h, canvas_w, n_classes;
    int scaler_as_teacher;             /* as the teacher's precision: its state is taken over and compared */
    struct pass_decisions own;         /* of the last step; owned */
    struct parameter_floats gradients; /* likewise */
};

/* Starts from golden->before. Every decision of the pass is recorded and then replaced by the
 * golden one, so that what comes after it can be compared; the update is made from the golden
 * gradients and compared with golden->after. DET_INVALID where the golden step does not fit the
 * model; then *result is empty. What differs is in *result (which is written over), not in the
 * status. */
enum det_code teacher_step(struct pupil *pupil, const struct golden_step *golden,
                           const struct det_sample *samples, int n,
                           const struct tolerances *tolerances, struct step_result *result,
                           struct det_error *err);
void pupil_release(struct pupil *pupil);

#endif
