/* One training step of the teacher, whole: the state that it started from, what it computed, what it
 * decided and the state that it left. */
#ifndef HARNESS_TEACHER_GOLDEN_STEP_H
#define HARNESS_TEACHER_GOLDEN_STEP_H

#include "harness/decisions/kinks.h"
#include "harness/decisions/pass_decisions.h"
#include "harness/training/model_state.h"

/* The losses in the order of the run log: five parts, then their sum. */
enum { STEP_LOSSES = 6 };
extern const char *const step_loss_names[STEP_LOSSES];
void step_losses(const struct det_losses *losses, double out[STEP_LOSSES]);

struct golden_step { /* everything owned */
    int64_t step;
    uint64_t batch;  /* hash of the images and their ground truth */
    struct model_state before, after;
    struct parameter_floats gradients; /* after the pass: unscaled, before clipping */
    double losses[STEP_LOSSES];
    double grad_norm; /* before clipping */
    int clipped, skipped;
    struct pass_decisions decisions;
    struct kinks kinks;
};

/* Of n samples: images, boxes, classes, and what is left out of training. */
uint64_t batch_hash(const struct det_sample *samples, int n, int canvas_h, int canvas_w);

/* The gradients of the model's last pass, divided by the loss scale. */
enum det_code step_gradients(struct parameter_floats *out, struct det_model *model,
                             struct det_device *dev, struct det_error *err);

/* Make step `step` on n samples and record it. What was recorded before is written over. */
enum det_code golden_step_make(struct golden_step *golden, struct det_model *model,
                               struct det_device *dev, const struct det_sample *samples, int n,
                               int64_t step, struct det_error *err);
void golden_step_release(struct golden_step *golden);

#endif
